"""The API on PostgreSQL, where several processes may do the same request at once and no text holds U+0000."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.runtime.configuration import Loaded
from tests.api.bodies import READABLE, UNREADABLE
from tests.api.service import Service, a_service, an_order, problem_of
from tests.cli.site import SECRETS

pytestmark = pytest.mark.postgresql


@pytest.fixture
def service(tmp_path: Path, with_api: Loaded, postgresql_url: str) -> Iterator[Service]:
    with a_service(tmp_path, with_api, None, SECRETS, postgresql_url) as service:
        yield service


def test_an_order_is_written_once_and_found(service: Service) -> None:
    answers = [service.post("/v1/orders", an_order(number="#7"), once="one") for _ in range(3)]
    assert [answer.status for answer in answers] == [201, 201, 201]
    assert len({answer.body for answer in answers}) == 1
    order = answers[0].data["order"]
    assert [row["id"] for row in service.get("/v1/orders", reference="7")["items"]] == [order]
    assert service.get(f"/v1/orders/{order}")["total"] == "19.9"
    assert service.write()["outcome"] == "updated"
    assert service.get("/v1/verify")["ok"]


def test_the_second_of_two_processes_gives_the_answer_of_the_first(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.get("/v1/locations")  # that the key is used is noted with the first request
    apply = service.hub.store.apply

    def another_process_is_faster(write_sets: Any) -> Any:
        monkeypatch.setattr(service.hub.store, "apply", apply)
        operations = [one for one in write_sets[0].operations if getattr(one, "table", "") == "api_answers"]
        row = dict(operations[0].row)
        row["answer"] = {**row["answer"], "receipt": "rc_of_the_other"}
        apply([type(write_sets[0])([type(operations[0])("api_answers", row)])])
        return apply(write_sets)

    monkeypatch.setattr(service.hub.store, "apply", another_process_is_faster)
    assert service.post("/v1/orders", an_order(), once="one").data["receipt"] == "rc_of_the_other"
    assert service.get("/v1/orders")["items"] == []


def test_lists_are_paged(service: Service) -> None:
    made = [service.write(an_order(f"PHONE-{number}"))["order"] for number in range(3)]
    for path in ("/v1/orders", "/v1/receipts", "/v1/messages"):
        first = service.get(path, limit=2)
        rest = service.get(first["next"])
        assert len({row["id"] for row in [*first["items"], *rest["items"]]}) == 3
    assert made
    for path in ("/v1/deliveries", "/v1/exceptions", "/v1/inventory", "/v1/schedules", "/v1/connections", "/v1/keys"):
        service.get(path)


def test_no_body_breaks_it(service: Service) -> None:
    for name, body in {**UNREADABLE, **READABLE}.items():
        answer = service.post("/v1/orders", body)
        assert 400 <= answer.status < 500, name
    odd = an_order(note="\u0001\u202e\ufffe", attributes={"\u0007": "\U0010ffff"})
    assert service.post("/v1/orders", odd).status == 201


def test_a_text_that_no_database_takes_is_refused(service: Service) -> None:
    problem_of(service.post("/v1/orders", an_order(note="a\x00b")), 422, "unstorable-text")
