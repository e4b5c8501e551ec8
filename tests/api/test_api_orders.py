"""Orders by the API: written once, in the request's own transaction; looked at page by page; held and released."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from hub.actions.once import KEPT_FOR
from hub.store.sql_store import SqlStore
from tests.api.service import DESK, LIMIT, Service, an_order, problem_of


def rows(service: Service, table: str, **where: object) -> list[dict[str, Any]]:
    with service.hub.store.read() as snapshot:
        return snapshot.rows(table, where)


# --- writing ---


def test_an_order_is_written_read_and_decided_in_its_request(service: Service) -> None:
    answer = service.post("/v1/orders", an_order())
    assert answer.status == 201
    made = answer.data
    assert made["outcome"] == "created"
    assert answer.headers["location"] == f"/v1/orders/{made['order']}"
    found = service.get(answer.headers["location"])
    assert (found["channel"], found["external_id"], found["total"]) == (DESK, "PHONE-1", "19.9")
    assert found["placed_at"] == "2026-11-20T08:30:00Z"
    assert [line["quantities"] for line in found["lines"]] == [{"open": "2"}]


def test_what_is_written_is_a_receipt_with_its_bytes_and_its_writer(service: Service) -> None:
    made = service.write()
    receipt = service.get(f"/v1/receipts/{made['receipt']}")
    assert (receipt["source"], receipt["state"], receipt["connection"]) == ("api", "parsed", DESK)
    assert [(one["id"], one["state"], one["subject"]) for one in receipt["records"]] == [
        (made["message"], "applied", made["order"])
    ]
    body = service.asking("GET", f"/v1/receipts/{made['receipt']}/body")
    assert body.data == an_order()
    assert body.headers["content-disposition"].startswith("attachment")
    assert [(row["who"][:4], row["subject"]) for row in rows(service, "audit", action="orders.write")] == [
        ("api:", made["order"])
    ]


def test_a_written_order_goes_the_way_of_every_order(service: Service) -> None:
    service.hub.act(
        "import.items", {"who": "test", "file": str(service.site.write("items.json", [{"sku": "SKU-001"}]))}
    )
    order = service.write()["order"]
    assert service.get(f"/v1/orders/{order}")["holds"] == []
    assert [row["kind"] for row in rows(service, "tasks") if order in row["subject"]] == ["allocate"]


def test_the_same_order_again_changes_nothing_and_another_word_changes_it(service: Service) -> None:
    first = service.write()
    assert service.post("/v1/orders", an_order()).status == 200
    assert service.write()["outcome"] == "unchanged"
    more = an_order(lines=[{**an_order()["lines"][0], "quantity": "5"}])
    changed = service.write(more)
    assert (changed["outcome"], changed["order"]) == ("updated", first["order"])
    assert service.get(f"/v1/orders/{first['order']}")["lines"][0]["ordered"] == "5"


def test_two_lines_of_one_id_are_both_kept_and_a_person_is_told(service: Service) -> None:
    line = an_order()["lines"][0]
    made = service.write(an_order(lines=[line, {**line, "sku": "SKU-002"}, {**line, "sku": "SKU-003"}]))
    assert made["held"]
    found = service.get(f"/v1/orders/{made['order']}")
    assert [one["sku"] for one in found["lines"]] == [line["sku"], "SKU-002", "SKU-003"]
    assert "several lines have one id" in " ".join(hold["hint"] for hold in found["holds"])
    mended = [{**line, "external_line_id": str(number)} for number in (1, 2, 3)]
    service.write(an_order(lines=mended))
    found = service.get(f"/v1/orders/{made['order']}")
    assert not [hold for hold in found["holds"] if hold["rule"] == "mapping" and "released_at" not in hold]


def test_money_that_there_is_not_holds_the_order(service: Service) -> None:
    made = service.write(an_order(currency="XXZ"))
    holds = service.get(f"/v1/orders/{made['order']}")["holds"]
    assert ("values", "currency") in [(hold["rule"], hold["path"]) for hold in holds]


def test_an_older_statement_changes_nothing(service: Service) -> None:
    service.write(an_order(source_version="2026-11-20T10:00:00Z"))
    late = service.write(an_order(source_version="2026-11-20T09:00:00Z", number="OLD"))
    assert late["outcome"] == "superseded"


def test_numbers_keep_every_digit(service: Service) -> None:
    made = service.write(an_order(totals={"total": "123456789.123456"}, attributes={"weight": 0.1}))
    assert service.get(f"/v1/orders/{made['order']}")["total"] == "123456789.123456"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"number": "1"}, ""),
        ({"external_id": ""}, "/external_id"),
        ({"external_id": "1", "currency": "dollars"}, "/currency"),
        ({"external_id": "1", "totals": {"total": 19.9}}, "/totals/total"),
        ({"external_id": "1", "colour": "red"}, ""),
        (
            {"external_id": "1", "lines": [{"external_line_id": "a", "quantity": "1"}, {"quantity": 1}]},
            "/lines/1/quantity",
        ),
        ([], ""),
    ],
)
def test_what_is_no_order_is_told_by_place(service: Service, body: object, pointer: str) -> None:
    found = problem_of(service.post("/v1/orders", body), 400, "invalid-request")
    assert pointer in [error["pointer"] for error in found["errors"]]
    assert rows(service, "receipts") == []


def test_a_day_that_is_none_is_refused_and_nothing_is_kept(service: Service) -> None:
    found = problem_of(service.post("/v1/orders", an_order(placed_at="2026-02-31T00:00:00Z")), 422, "not-taken")
    assert found["errors"][0]["pointer"] == "/placed_at"
    assert [rows(service, table) for table in ("receipts", "messages", "api_answers", "exceptions")] == [[], [], [], []]


def test_an_id_that_stands_for_another_order_is_refused(service: Service) -> None:
    service.write(an_order(placed_at="2026-01-05T09:00:00Z", currency="EUR"))
    found = problem_of(service.post("/v1/orders", an_order(placed_at="2026-11-20T09:00:00Z")), 422, "not-taken")
    assert found["errors"][0]["code"] == "identity_reused"


def test_a_channel_that_takes_none_is_refused(service: Service) -> None:
    answer = service.asking("POST", "/v1/orders", an_order(), headers={"idempotency-key": "1"}, channel="shopify-us")
    assert DESK in problem_of(answer, 409, "refused")["detail"]


# --- once ---


def test_a_request_without_its_name_is_refused(service: Service) -> None:
    problem_of(service.asking("POST", "/v1/orders", an_order()), 400, "idempotency-key-missing")
    assert rows(service, "orders") == []


def test_the_same_request_gets_the_same_answer_and_is_done_once(service: Service) -> None:
    answers = [service.post("/v1/orders", an_order(), once="one") for _ in range(3)]
    assert [answer.status for answer in answers] == [201, 201, 201]
    assert len({answer.body for answer in answers}) == 1
    assert len(rows(service, "receipts")) == 1


def test_another_request_under_the_same_name_is_refused(service: Service) -> None:
    service.write(once="one")
    problem_of(service.post("/v1/orders", an_order("PHONE-2"), once="one"), 422, "idempotency-key-reused")
    adjustment = {"sku": "SKU-001", "location": "dc-east", "delta": "1", "reason": "found"}
    problem_of(service.post("/v1/inventory/adjustments", adjustment, once="one"), 422, "idempotency-key-reused")
    assert len(rows(service, "orders")) == 1


def test_each_key_has_names_of_its_own(service: Service) -> None:
    service.write(once="one")
    answer = service.asking(
        "POST", "/v1/orders", an_order("PHONE-2"), key=service.key("orders:write"), headers={"idempotency-key": "one"}
    )
    assert answer.status == 201


def test_a_refused_request_may_be_corrected_under_its_name(service: Service) -> None:
    problem_of(service.post("/v1/orders", an_order(placed_at="2026-02-31T00:00:00Z"), once="one"), 422, "not-taken")
    assert service.post("/v1/orders", an_order(), once="one").status == 201


class Slow:
    """Commits wait until they are let go."""

    def __init__(self, store: SqlStore) -> None:
        self.arrived, self.go = threading.Event(), threading.Event()
        self._apply = store.apply

    def apply(self, write_sets: Any) -> Any:
        self.arrived.set()
        assert self.go.wait(20)
        return self._apply(write_sets)


@contextmanager
def slow_commits(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    slow = Slow(service.hub.store)
    monkeypatch.setattr(service.hub.store, "apply", slow.apply)
    try:
        yield slow
    finally:
        slow.go.set()


def test_while_a_request_is_being_done_the_same_one_is_asked_to_wait(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.get("/v1/locations")  # that the key is used is noted with the first request
    answers = []
    with slow_commits(service, monkeypatch) as slow:
        first = threading.Thread(target=lambda: answers.append(service.post("/v1/orders", an_order(), once="one")))
        first.start()
        assert slow.arrived.wait(20)
        waiting = service.post("/v1/orders", an_order(), once="one")
        problem_of(waiting, 409, "in-progress")
        assert waiting.headers["retry-after"]
        slow.go.set()
        first.join(20)
    assert [answer.status for answer in answers] == [201]
    assert service.post("/v1/orders", an_order(), once="one").body == answers[0].body


def test_two_processes_that_do_the_same_request_at_once_do_it_once(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second to commit finds what the first one wrote."""
    apply = service.hub.store.apply
    done: list[dict[str, Any]] = []

    def another_process_is_faster(write_sets: Any) -> Any:
        monkeypatch.setattr(service.hub.store, "apply", apply)
        operations = [one for one in write_sets[0].operations if getattr(one, "table", "") == "api_answers"]
        row = dict(operations[0].row)
        row["answer"] = {**row["answer"], "receipt": "rc_of_the_other"}
        done.append(row["answer"])
        apply([type(write_sets[0])([type(operations[0])("api_answers", row)])])
        return apply(write_sets)

    service.get("/v1/locations")  # that the key is used is noted with the first request
    monkeypatch.setattr(service.hub.store, "apply", another_process_is_faster)
    assert service.post("/v1/orders", an_order(), once="one").data == done[0]
    assert rows(service, "orders") == []


def test_an_answer_counts_for_a_day(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    first = service.write(once="one")
    now = service.hub.clock.now()
    monkeypatch.setattr(service.hub.clock.__class__, "now", lambda _: now + KEPT_FOR + dt.timedelta(seconds=1))
    again = service.write(once="one")
    assert (again["outcome"], again["order"]) == ("unchanged", first["order"])
    assert again["receipt"] != first["receipt"]


# --- looking ---


def test_a_list_is_read_page_by_page_without_loss_or_repetition(service: Service) -> None:
    made = [service.write(an_order(f"PHONE-{number}"))["order"] for number in range(7)]
    seen, page = [], service.get("/v1/orders", limit=3)
    while True:
        seen += [row["id"] for row in page["items"]]
        if "next" not in page:
            break
        path, _, query = page["next"].partition("?")
        page = service.get(path, **dict(part.split("=") for part in query.split("&")))
    assert seen == made[::-1]


def test_a_cursor_is_of_one_list_with_its_filters(service: Service) -> None:
    for number in range(3):
        service.write(an_order(f"PHONE-{number}"))
    cursor = service.get("/v1/orders", limit=1)["next"].rpartition("cursor=")[2]
    assert service.asking("GET", "/v1/orders", cursor=cursor, limit=2).status == 200
    problem_of(service.asking("GET", "/v1/orders", cursor=cursor, channel=DESK), 404, "invalid-cursor")
    problem_of(service.asking("GET", "/v1/messages", cursor=cursor), 404, "invalid-cursor")
    problem_of(service.asking("GET", "/v1/orders", cursor=cursor[:-1] + "A"), 404, "invalid-cursor")


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 201},
        {"limit": "ten"},
        {"limit": ""},
        {"colour": "red"},
        {"status": "sold"},
        {"cursor": ""},
    ],
)
def test_a_query_that_is_not_of_the_document_is_told(shared_service: Service, query: dict[str, Any]) -> None:
    found = problem_of(shared_service.asking("GET", "/v1/orders", **query), 400, "invalid-request")
    assert found["errors"][0]["parameter"] == next(iter(query))


def test_orders_are_found_by_what_people_call_them(service: Service) -> None:
    made = service.write(an_order("PHONE-7", number="#7007"))["order"]
    for reference in (made, "PHONE-7", "#7007", "7007"):
        assert [row["id"] for row in service.get("/v1/orders", reference=reference)["items"]] == [made]
    assert service.get("/v1/orders", reference="PHONE-8")["items"] == []
    problem_of(service.asking("GET", "/v1/orders/PHONE-7"), 404, "not-found")


def test_no_personal_data_is_in_an_order(service: Service) -> None:
    made = service.write()
    assert "Buyer" not in service.asking("GET", f"/v1/orders/{made['order']}").body.decode()


# --- doing ---


def test_an_order_is_held_and_released_with_a_reason(service: Service) -> None:
    order = service.write()["order"]
    said = service.post(f"/v1/orders/{order}/hold", {"reason": "asked by telephone"})
    assert (said.status, service.get(f"/v1/orders/{order}")["status"]) == (200, "held")
    assert service.post(f"/v1/orders/{order}/release", {"reason": "settled"}).status == 200
    problem_of(service.post(f"/v1/orders/{order}/release", {"reason": "again"}), 409, "refused")
    assert [row["reason"] for row in rows(service, "audit", action="orders.hold")] == ["asked by telephone"]


def test_a_cancelled_order_stays_cancelled(service: Service) -> None:
    order = service.write()["order"]
    assert service.post(f"/v1/orders/{order}/cancel", {"reason": "by telephone"}).status == 200
    assert service.get(f"/v1/orders/{order}")["status"] == "cancelled"
    problem_of(service.post(f"/v1/orders/{order}/hold", {"reason": "late"}), 409, "refused")


def test_quantities_of_a_line_are_cancelled_with_an_answer_each(service: Service) -> None:
    order = service.write()["order"]
    line = service.get(f"/v1/orders/{order}")["lines"][0]
    body = {"reason": "one less", "lines": [{"line": line["external_line_id"], "quantity": "1"}]}
    done = service.post(f"/v1/orders/{order}/cancel", body).data
    assert [(one["line"], one["cancelled"], one["left"]) for one in done["lines"]] == [(1, "1", "0")]
    assert service.get(f"/v1/orders/{order}")["lines"][0]["quantities"]["cancelled"] == "1"
    body = {"reason": "what?", "lines": [{"line": "nothing", "quantity": "1"}]}
    problem_of(service.post(f"/v1/orders/{order}/cancel", body), 409, "refused")
    body = {"reason": "none", "lines": []}
    problem_of(service.post(f"/v1/orders/{order}/cancel", body), 400, "invalid-request")


def test_what_has_changed_since_it_was_looked_at_is_not_done(service: Service) -> None:
    order = service.write()["order"]
    looked = service.asking("GET", f"/v1/orders/{order}").headers["etag"]
    service.post(f"/v1/orders/{order}/hold", {"reason": "first"})
    late = service.post(f"/v1/orders/{order}/cancel", {"reason": "second"}, **{"if-match": looked})
    problem_of(late, 412, "changed")
    now = service.asking("GET", f"/v1/orders/{order}").headers["etag"]
    assert service.post(f"/v1/orders/{order}/cancel", {"reason": "third"}, **{"if-match": now}).status == 200


@pytest.mark.parametrize("verb", ["hold", "release", "cancel"])
def test_nothing_is_done_to_an_order_that_is_not_there(shared_service: Service, verb: str) -> None:
    problem_of(shared_service.post(f"/v1/orders/or_nothing/{verb}", {"reason": "why"}), 404, "not-found")


@pytest.mark.parametrize("body", [None, {}, {"reason": ""}, {"reason": "why", "force": True}, {"reason": 1}])
def test_nothing_is_done_without_a_reason(shared_service: Service, body: object) -> None:
    problem_of(shared_service.post("/v1/orders/or_nothing/hold", body), 400, "invalid-request")


# --- bytes ---


def test_a_body_above_the_limit_is_not_read(shared_service: Service) -> None:
    answer = shared_service.post("/v1/orders", b" " * (LIMIT + 1))
    problem_of(answer, 413, "too-large")
    assert answer.taken == 0


def test_a_body_that_only_speaks_json_is_refused(shared_service: Service) -> None:
    for kind in ("text/xml", "application/json; charset=utf-16", "multipart/form-data; boundary=x", ""):
        answer = shared_service.post("/v1/orders", b"{}", **{"content-type": kind})
        problem_of(answer, 415, "media-type")


def test_answers_are_forgotten_when_nobody_may_ask_for_them(service: Service) -> None:
    service.write(once="one")
    now = service.hub.clock.now()
    assert service.hub.store.forget_answers(now - dt.timedelta(days=2), 10) == 0
    assert service.hub.store.forget_answers(now + dt.timedelta(seconds=1), 10) == 1
    assert rows(service, "api_answers") == []
