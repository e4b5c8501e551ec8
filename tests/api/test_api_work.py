"""What people do beside orders, by the API: messages, deliveries, exceptions, stock, connections, keys."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pytest

from hub.domain.writeset import WriteSet
from tests.api.service import DESK, Service, an_order, problem_of
from tests.cli.site import ERP, SHOP, WMS, shop_order, signed

PLACE = "dc-east"


def rows(service: Service, table: str, **where: object) -> list[dict[str, Any]]:
    with service.hub.store.read() as snapshot:
        return snapshot.rows(table, where)


def adjust(service: Service, delta: str = "5", once: str = "", **changes: str) -> Any:
    body = {"sku": "SKU-001", "location": PLACE, "delta": delta, "reason": "counted", **changes}
    return service.post("/v1/inventory/adjustments", body, once=once)


def came(service: Service, body: bytes) -> dict[str, Any]:
    """A webhook of the shop, read and decided on; its receipt."""
    answer = service.asking("POST", f"/in/{SHOP}", body, key=None, headers=signed(body))
    assert answer.status == 202, answer.body
    service.hub.engine.parse(10)
    service.hub.engine.apply(10)
    found: dict[str, Any] = service.get(f"/v1/receipts/{answer.data['id']}")
    return found


def submitted(service: Service) -> dict[str, Any]:
    """A delivery to the ERP: of an order for which there are goods."""
    items = service.site.write("items.json", [{"sku": "SKU-001"}])
    service.hub.act("import.items", {"who": "test", "file": str(items)})
    adjust(service, "50")
    order = service.write()["order"]
    for _ in range(10):
        service.hub.engine.decide(50)
    found = service.get("/v1/deliveries", order=order)["items"]
    return next(one for one in found if one["capability"] == "submit_order")


def outcome_unknown(service: Service) -> dict[str, Any]:
    """A call of which nobody knows whether it happened."""
    delivery = submitted(service)
    writes = WriteSet()
    writes.update("deliveries", {"id": delivery["id"]}, {"state": "unknown", "attempts": 1, "lease_token": None})
    service.hub.store.apply([writes])
    return delivery


# --- intake ---


def test_what_came_in_is_seen_with_its_records_and_its_bytes(service: Service) -> None:
    body = json.dumps(shop_order()).encode()
    receipt = came(service, body)
    assert (receipt["source"], receipt["state"], receipt["messages"]) == ("webhook", "parsed", 1)
    message = receipt["records"][0]
    assert service.get(f"/v1/messages/{message['id']}")["receipt_id"] == receipt["id"]
    for path in (f"/v1/receipts/{receipt['id']}/body", f"/v1/messages/{message['id']}/body"):
        answer = service.asking("GET", path)
        assert answer.body == body
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["x-original-content-type"] == "application/json"
    assert [row["id"] for row in service.get("/v1/receipts", connection=SHOP)["items"]] == [receipt["id"]]
    assert [row["id"] for row in service.get("/v1/messages", order=message["subject"])["items"]] == [message["id"]]
    assert service.get("/v1/messages", state="parked")["items"] == []


def test_erased_bytes_are_gone_and_told_so(service: Service) -> None:
    receipt = came(service, json.dumps(shop_order()).encode())
    service.hub.store.erase_bodies("receipt", service.hub.clock.now() + dt.timedelta(days=1), 10)
    problem_of(service.asking("GET", f"/v1/receipts/{receipt['id']}/body"), 410, "erased")


def test_an_unparsable_receipt_is_read_again(service: Service) -> None:
    receipt = came(service, b"no order")
    assert receipt["state"] == "unparsable"
    assert service.post(f"/v1/receipts/{receipt['id']}/retry").status == 200
    assert service.get(f"/v1/receipts/{receipt['id']}")["state"] == "pending"
    problem_of(service.post(f"/v1/receipts/{receipt['id']}/retry"), 409, "refused")


def test_a_message_is_tried_again_as_a_new_one(service: Service) -> None:
    service.write(an_order(source_version="2026-11-20T10:00:00Z"))
    old = service.write(an_order(source_version="2026-11-20T09:00:00Z"))["message"]
    new = service.post(f"/v1/messages/{old}/retry").data["redriven_as"]
    assert service.get(f"/v1/messages/{old}")["state"] == "re-driven"
    assert service.get(f"/v1/messages/{old}")["redriven_as"] == new
    service.hub.engine.apply(10)
    assert service.get(f"/v1/messages/{new}")["state"] == "superseded"
    problem_of(service.post(f"/v1/messages/{old}/retry"), 409, "refused")


# --- deliveries ---


def test_a_delivery_is_seen_with_its_frozen_bytes(service: Service) -> None:
    delivery = submitted(service)
    found = service.get(f"/v1/deliveries/{delivery['id']}")
    assert (found["destination"], found["state"], found["history"]) == (ERP, "pending", [])
    by_key = service.get("/v1/deliveries", business_key=delivery["business_key"])["items"]
    assert [row["id"] for row in by_key] == [delivery["id"]]
    assert "SKU-001" in service.asking("GET", f"/v1/deliveries/{delivery['id']}/body").body.decode()


def test_an_unknown_outcome_is_settled_by_three_verbs(service: Service) -> None:
    delivery = outcome_unknown(service)
    path = f"/v1/deliveries/{delivery['id']}"
    problem_of(service.post(f"{path}/retry"), 409, "refused")
    assert service.post(f"{path}/did-not-happen", {"reason": "nothing is there"}).status == 200
    assert service.get(path)["state"] == "pending"


def test_a_call_that_happened_is_done_with_its_name_over_there(service: Service) -> None:
    delivery = outcome_unknown(service)
    path = f"/v1/deliveries/{delivery['id']}"
    problem_of(service.post(f"{path}/happened", {"reason": "seen"}), 400, "invalid-request")
    assert service.post(f"{path}/happened", {"external_id": "SO-1"}).status == 200
    found = service.get(path)
    assert (found["state"], found["external_id"]) == ("acknowledged", "SO-1")


def test_a_second_effect_is_made_once_however_often_it_is_asked_for(service: Service) -> None:
    delivery = outcome_unknown(service)
    path = f"/v1/deliveries/{delivery['id']}"
    service.post(f"{path}/happened", {"external_id": "SO-1"})
    answers = [service.post(f"{path}/resend", {"reason": "lost over there"}, once="again") for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert len({answer.body for answer in answers}) == 1
    assert len(rows(service, "deliveries", capability="submit_order")) == 2


def test_a_delivery_is_given_up_or_done_elsewhere(service: Service) -> None:
    delivery = submitted(service)
    path = f"/v1/deliveries/{delivery['id']}"
    assert service.post(f"{path}/abandon", {"reason": "closed company"}).status == 200
    assert service.get(path)["state"] == "abandoned"
    assert service.post(f"{path}/done", {"external_id": "SO-9", "reason": "typed in by hand"}).status == 200
    assert service.get(path)["external_id"] == "SO-9"


def test_nothing_is_said_of_a_delivery_that_is_not_there(shared_service: Service) -> None:
    problem_of(shared_service.post("/v1/deliveries/dl_nothing/retry"), 404, "not-found")


# --- exceptions ---


def test_an_exception_is_assigned_and_resolved(service: Service) -> None:
    came(service, b"no order")
    found = service.get("/v1/exceptions")["items"]
    assert [one["kind"] for one in found] == ["unparsable"]
    path = f"/v1/exceptions/{found[0]['id']}"
    assert service.post(f"{path}/assign", {"owner": "it"}).status == 200
    assert service.get(path)["owner"] == "it"
    assert service.post(f"{path}/retry").data["redriven"] == [found[0]["subjects"][0]["id"]]
    again = service.get("/v1/exceptions")["items"][0]["id"]
    assert service.post(f"/v1/exceptions/{again}/resolve", {"reason": "the sender sends it again"}).status == 200
    problem_of(service.post(f"/v1/exceptions/{again}/resolve", {"reason": "twice"}), 409, "refused")
    assert again in [one["id"] for one in service.get("/v1/exceptions", state="resolved")["items"]]


# --- stock ---


def test_stock_is_corrected_by_a_difference_once(service: Service) -> None:
    for _ in range(3):
        assert adjust(service, "5", once="count").status == 200
    assert adjust(service, "-1.5").status == 200
    found = service.get("/v1/inventory/SKU-001")
    assert (found["on_hand"], found["free"], len(found["locations"])) == ("3.5", "3.5", 1)
    assert [row["sku"] for row in service.get("/v1/inventory", location=PLACE)["items"]] == ["SKU-001"]
    assert [row["reason"] for row in rows(service, "audit", action="inventory.adjust")] == ["counted", "counted"]


def test_a_sku_may_hold_a_slash(service: Service) -> None:
    adjust(service, "2", sku="CABLE/1.5M")
    assert service.get("/v1/inventory/CABLE/1.5M")["on_hand"] == "2"


@pytest.mark.parametrize("delta", ["0", "9999999999", "0.0000001"])
def test_a_difference_that_is_none_or_absurd_is_refused(service: Service, delta: str) -> None:
    problem_of(adjust(service, delta), 409, "refused")


def test_stock_lists_are_paged_by_sku_and_place(service: Service) -> None:
    for sku in ("A", "B", "C"):
        for place in (PLACE, "dc-west"):
            adjust(service, "1", sku=sku, location=place)
    seen, page = [], service.get("/v1/inventory", limit=4)
    seen += [(row["sku"], row["location"]) for row in page["items"]]
    rest = service.get("/v1/inventory", limit=4, cursor=page["next"].rpartition("cursor=")[2])
    seen += [(row["sku"], row["location"]) for row in rest["items"]]
    assert seen == [(sku, place) for sku in ("A", "B", "C") for place in (PLACE, "dc-west")]
    assert "next" not in rest


def test_locations_are_as_configured(shared_service: Service) -> None:
    listed = shared_service.get("/v1/locations")["items"]
    assert shared_service.get(f"/v1/locations/{PLACE}") in listed
    problem_of(shared_service.asking("GET", "/v1/locations/nowhere"), 404, "not-found")


# --- connections ---


def test_connections_are_paused_and_resumed(service: Service) -> None:
    assert {one["id"] for one in service.get("/v1/connections")["items"]} == {SHOP, WMS, ERP, DESK}
    assert service.post(f"/v1/connections/{ERP}/pause", {"reason": "month end"}).status == 200
    found = service.get(f"/v1/connections/{ERP}")
    assert (found["paused"], found["paused_reason"]) == (True, "month end")
    assert service.post(f"/v1/connections/{ERP}/resume").data["deliveries"] == 0
    assert not service.get(f"/v1/connections/{ERP}")["paused"]


def test_a_connection_is_asked_itself(service: Service) -> None:
    assert service.post(f"/v1/connections/{DESK}/check").data["ok"]
    answer = service.post(f"/v1/connections/{WMS}/check")
    assert (answer.status, answer.data["ok"]) == (200, False), "port 9 of loopback is closed"


# --- the hub ---


def test_the_clock_is_shown_with_what_comes_next(shared_service: Service) -> None:
    found = {one["id"]: one for one in shared_service.get("/v1/schedules")["items"]}
    poll = found[f"poll/{SHOP}/orders"]
    assert (poll["every_seconds"], poll["last_slot"]) == ("30", None)
    assert dt.datetime.fromisoformat(poll["next_slot"]) > shared_service.hub.clock.now()


def test_status_counts_and_verify_finds_nothing_wrong(service: Service) -> None:
    service.write()
    adjust(service)
    status = service.get("/v1/status")
    assert (status["counts"]["receipts"], status["counts"]["messages"]) == ({"parsed": 1}, {"applied": 1})
    found = service.get("/v1/verify")
    assert (found["ok"], found["items"]) == (True, [])
    assert found["checked"]["orders"] == 1


# --- keys ---


def test_a_key_is_shown_once_and_known_by_its_first_characters(service: Service) -> None:
    made = service.post("/v1/keys", {"name": "desk", "scopes": ["orders:write"]})
    assert made.status == 201
    token = made.data["token"]
    assert service.asking("GET", "/v1/orders", key=token).status == 200
    listed = service.asking("GET", "/v1/keys").body.decode()
    assert made.data["prefix"] in listed
    assert token not in listed
    stored = json.dumps(rows(service, "api_keys"), default=str)
    assert token.rpartition("_")[2] not in stored
    found = next(one for one in service.get("/v1/keys")["items"] if one["name"] == "desk")
    assert found["used_at"] is not None


def test_a_revoked_key_opens_nothing_from_then_on(service: Service) -> None:
    made = service.post("/v1/keys", {"name": "desk", "scopes": ["orders:read"]}).data
    assert service.post(f"/v1/keys/{made['id']}/revoke").status == 200
    problem_of(service.asking("GET", "/v1/orders", key=made["token"]), 401, "unauthorised")
    problem_of(service.post(f"/v1/keys/{made['id']}/revoke"), 409, "refused")


def test_a_key_ends_when_it_was_said_to(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    now = service.hub.clock.now()
    end = (now + dt.timedelta(hours=1)).isoformat()
    made = service.post("/v1/keys", {"name": "desk", "scopes": ["orders:read"], "expires_at": end}).data
    assert service.asking("GET", "/v1/orders", key=made["token"]).status == 200
    monkeypatch.setattr(service.hub.clock.__class__, "now", lambda _: now + dt.timedelta(hours=2))
    problem_of(service.asking("GET", "/v1/orders", key=made["token"]), 401, "unauthorised")


@pytest.mark.parametrize(
    "changes",
    [{"expires_at": "2020-01-01T00:00:00Z"}, {"expires_at": "2027-02-31T00:00:00Z"}],
)
def test_a_key_that_would_never_open_anything_is_not_made(service: Service, changes: dict[str, str]) -> None:
    problem_of(service.post("/v1/keys", {"name": "desk", "scopes": ["admin"], **changes}), 409, "refused")


def test_who_did_it_is_in_the_audit(service: Service) -> None:
    key = service.key("orders:write")
    order = service.write()["order"]
    headers = {"authorization": f"Bearer {key}"}
    service.asking("POST", f"/v1/orders/{order}/hold", {"reason": "why"}, key=None, headers=headers)
    who = rows(service, "audit", action="orders.hold")[0]["who"]
    assert who.startswith("api:key ")
    assert key[:14] in who
    assert key not in who


def test_long_work_is_seen_with_how_far_it_is(service: Service) -> None:
    writes = WriteSet()
    now = service.hub.clock.now()
    job = {
        "id": "jb_1",
        "kind": "import.stock",
        "subject": "count.csv",
        "fingerprint": "f",
        "state": "running",
        "who": "test",
        "position": 40,
        "total": 100,
        "changed": 39,
        "refused": [{"row": 3, "field": "sku", "message": "is missing"}],
        "started_at": now,
        "updated_at": now,
    }
    writes.insert("jobs", job)
    service.hub.store.apply([writes])
    listed = service.get("/v1/jobs", state="running")["items"]
    assert [(one["id"], one["position"], one["total"], one["refused"]) for one in listed] == [("jb_1", 40, 100, 1)]
    assert service.get("/v1/jobs/jb_1")["problems"] == job["refused"]
    problem_of(service.asking("GET", "/v1/jobs/jb_2"), 404, "not-found")


# --- the work of locations ---


def collected(service: Service) -> dict[str, Any]:
    """The work of a store that an order is to be collected at."""
    items = service.site.write("items.json", [{"sku": "SKU-001"}])
    service.hub.act("import.items", {"who": "test", "file": str(items)})
    adjust(service, "50", location="store-14")
    service.write(an_order(method="pickup", pickup_location="store-14"))
    for _ in range(10):
        service.hub.engine.decide(50)
    (work,) = service.get("/v1/fulfilment-orders", location="store-14")["items"]
    return dict(work)


def say(service: Service, work: dict[str, Any], status: str, once: str = "", **said: object) -> Any:
    return service.post(f"/v1/fulfilment-orders/{work['id']}/reports", {"status": status, **said}, once=once)


def test_a_store_works_through_the_api_until_the_buyer_has_it(service: Service) -> None:
    work = collected(service)
    assert (work["method"], work["lines"][0]["quantities"]) == ("pickup", {"released": "2"})
    assert say(service, work, "picked", lines=[{"line": "SKU-001", "quantity": "2"}]).status == 200
    assert say(service, work, "ready_for_pickup").status == 200
    order = work["order_id"]
    assert service.post(f"/v1/orders/{order}/arrival", {"note": "blue car"}).status == 200
    assert service.get(f"/v1/fulfilment-orders/{work['id']}")["buyer_arrived_at"]
    first = say(service, work, "handed_over", once="hand-1", proof="code 7")
    again = say(service, work, "handed_over", once="hand-1", proof="code 7")
    assert (first.status, again.status, again.data) == (200, 200, first.data)
    refused = say(service, work, "handed_over", proof="code 8")
    problem_of(refused, 409, "refused")
    shown = service.get(f"/v1/orders/{order}")
    assert (shown["status"], shown["lines"][0]["quantities"]) == ("closed", {"handed_over": "2"})
    assert "blue car" not in json.dumps(shown)
    assert service.get("/v1/fulfilment-orders", location="store-14")["items"] == []
    assert {row["action"] for row in rows(service, "audit", subject=work["id"])} == {"work.report"}


def test_goods_move_between_locations_and_are_received_there(service: Service) -> None:
    adjust(service, "5")
    body = {"sku": "SKU-001", "from": PLACE, "to": "store-14", "quantity": "3", "reason": "refill"}
    assert service.post("/v1/inventory/transfers", body).status == 200
    (work,) = service.get("/v1/fulfilment-orders", location=PLACE)["items"]
    assert (work["method"], work["destination"]) == ("transfer", "store-14")
    assert say(service, work, "shipped").status == 200
    assert [one["id"] for one in service.get("/v1/fulfilment-orders", location="store-14")["items"]] == [work["id"]]
    assert say(service, work, "received").status == 200
    places = {one["location"]: one["on_hand"] for one in service.get("/v1/inventory/SKU-001")["locations"]}
    assert places == {PLACE: "2", "store-14": "3"}
    assert service.post("/v1/inventory/transfers", {**body, "quantity": "9"}).status == 409


def test_who_may_only_look_at_work_cannot_report_on_it(service: Service) -> None:
    work = collected(service)
    key = service.key("fulfilment:read")
    assert service.asking("GET", "/v1/fulfilment-orders", key=key).status == 200
    path = f"/v1/fulfilment-orders/{work['id']}/reports"
    answer = service.asking("POST", path, {"status": "picked"}, key=key, headers={"idempotency-key": "k-1"})
    assert answer.status == 403


def test_what_channels_may_sell_is_told_term_by_term(service: Service) -> None:
    assert adjust(service, "7").status == 200
    (told,) = [one for one in service.get("/v1/promises", sku="SKU-001")["promises"] if PLACE in one["locations"]][:1]
    assert sum((Decimal(term["amount"]) for term in told["terms"]), Decimal(0)) == Decimal(told["quantity"])
    assert service.asking("GET", "/v1/promises?sku=SKU-404").status == 404
    assert service.asking("GET", "/v1/promises?sku=SKU-001&channel=nobody").status == 404
    assert service.asking("GET", "/v1/promises?sku=SKU-001&at=2026-13-41T00:00:00Z").status == 422
    assert service.post("/v1/inventory/reconcile", {"connection": "nobody"}).status == 409
