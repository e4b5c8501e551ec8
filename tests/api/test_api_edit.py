"""Editing and holding orders by the API: at the version that was looked at, once, with what came of it."""

from __future__ import annotations

import threading
from typing import Any

from tests.api.asgi import Answer
from tests.api.service import Service, an_order, problem_of


def etag(service: Service, order: str) -> str:
    return service.asking("GET", f"/v1/orders/{order}").headers["etag"]


def edit(service: Service, order: str, body: dict[str, Any], version: str | None = None) -> Answer:
    headers = {"if-match": version if version is not None else etag(service, order)}
    return service.asking("PATCH", f"/v1/orders/{order}", {"reason": "they called", **body}, headers=headers)


def test_a_quantity_is_changed_and_what_came_of_it_stands_on_the_order(service: Service) -> None:
    order = service.write()["order"]
    done = edit(service, order, {"lines": [{"line": "1", "quantity": "3"}]})
    assert done.status == 200, done.body
    said = done.data
    assert (said["state"], said["price_effect"], said["currency"]) == ("accepted", "9.95", "USD")
    found = service.get(f"/v1/orders/{order}")
    assert found["lines"][0]["ordered"] == "3"
    (change,) = found["changes"]
    assert (change["id"], change["reason"]) == (said["change"], "they called")
    assert change["asked_by"].startswith("api:")


def test_of_two_edits_of_one_version_the_second_is_refused(service: Service) -> None:
    order = service.write()["order"]
    seen = etag(service, order)
    answers: list[Answer] = []

    def one(quantity: str) -> None:
        answers.append(edit(service, order, {"lines": [{"line": "1", "quantity": quantity}]}, seen))

    threads = [threading.Thread(target=one, args=(quantity,)) for quantity in ("3", "4")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status for answer in answers) == [200, 412]
    refused = next(answer for answer in answers if answer.status == 412)
    assert "is at version" in problem_of(refused, 412, "changed")["detail"]
    assert len(service.get(f"/v1/orders/{order}")["changes"]) == 1


def test_an_edit_says_which_version_it_is_for(service: Service) -> None:
    order = service.write()["order"]
    body = {"reason": "why", "lines": [{"line": "1", "quantity": "3"}]}
    problem = problem_of(service.asking("PATCH", f"/v1/orders/{order}", body), 400, "invalid-request")
    assert problem["errors"][0]["parameter"] == "If-Match"


def test_an_address_changes_without_being_told_to_those_who_may_not_see_it(service: Service) -> None:
    order = service.write()["order"]
    done = edit(service, order, {"ship_to": {"lines": ["77 Hidden Lane"], "postal_code": "07102"}})
    assert done.data["state"] == "accepted"
    told = service.asking("GET", f"/v1/orders/{order}").body.decode()
    assert "Hidden" not in told
    assert '"ship_to":["lines","postal_code"]' in told.replace(" ", "")


def test_what_makes_no_sense_is_refused_with_words(service: Service) -> None:
    order = service.write()["order"]
    problem = problem_of(edit(service, order, {}), 409, "refused")
    assert "nothing is said to be different" in problem["detail"]
    problem = problem_of(edit(service, order, {"lines": [{"line": "9", "quantity": "1"}]}), 409, "refused")
    assert "no line 9" in problem["detail"]


def test_a_hold_has_a_kind_and_a_time(service: Service) -> None:
    order = service.write()["order"]
    body = {"reason": "looks odd", "kind": "fraud", "until": "2h", "then": "cancel"}
    held = service.post(f"/v1/orders/{order}/hold", body)
    assert held.status == 200, held.body
    hold = next(one for one in service.get(f"/v1/orders/{order}")["holds"] if one["kind"] == "fraud")
    assert hold["then"] == "cancel"
    assert hold["until"] > hold["placed_at"]
    wrong = service.post(f"/v1/orders/{order}/hold", {"reason": "x", "until": "soon"})
    assert "is no time" in problem_of(wrong, 409, "refused")["detail"]
    assert service.post(f"/v1/orders/{order}/release", {"reason": "fine", "kind": "fraud"}).status == 200


def test_a_shared_exception_is_over_for_the_order_that_has_put_it_right(service: Service) -> None:
    unknown = [
        {"external_line_id": "1", "sku": "SKU-001", "quantity": "2", "unit_price": "9.95"},
        {"external_line_id": "2", "sku": "NOPE-1", "quantity": "1", "unit_price": "1.00"},
    ]
    mended, other = (service.write(an_order(name, lines=unknown, totals={}))["order"] for name in ("P-1", "P-2"))
    assert edit(service, mended, {"lines": [{"line": "2", "quantity": "0"}]}).data["state"] == "accepted"
    told = {
        order: [one for one in service.get(f"/v1/orders/{order}")["exceptions"] if "NOPE-1" in one["title"]]
        for order in (mended, other)
    }
    assert {one["id"] for one in told[mended]} == {one["id"] for one in told[other]}, "one cause, one exception"
    assert [one["state"] for one in told[mended]] == ["resolved"]
    assert [one["state"] for one in told[other]] == ["open"]
