"""Claims count, are fair, and take nothing that must wait for something earlier."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hub.domain.writeset import WriteSet
from hub.store.sql_store import SqlStore
from tests.conftest import START, SettableClock
from tests.store.build import body, change, delivery, inserts, message, must_apply, receipt, state_of, task

DAY = dt.timedelta(days=1)


def claimed_messages(store: SqlStore, limit: int = 50) -> list[str]:
    return [one.id for one in store.claim_messages(limit)]


def claimed_deliveries(store: SqlStore, destination: str = "erp", limit: int = 50) -> list[str]:
    return [one.id for one in store.claim_deliveries(destination, limit)]


def settle(store: SqlStore, delivery_id: str, state: str) -> None:
    must_apply(store, change("deliveries", {"id": delivery_id}, {"state": state, "settled_at": START}))


# --- receipts and messages ---


def test_a_receipt_is_claimed_once_with_its_bytes(store: SqlStore) -> None:
    accepted = store.accept([receipt()])
    (claimed,) = store.claim_receipts(10)
    assert (claimed.id, claimed.body, claimed.claims) == (accepted[0].id, b'{"id":1}', 1)
    assert claimed.headers == {"content-type": "application/json"}
    assert claimed.received_at == START
    assert store.claim_receipts(10) == []


def test_a_receipt_that_is_only_evidence_is_not_claimed(store: SqlStore) -> None:
    store.accept([receipt(pending=False)])
    assert store.claim_receipts(10) == []


def test_a_message_without_bytes_of_its_own_carries_its_receipts(store: SqlStore) -> None:
    accepted = store.accept([receipt()])
    must_apply(store, inserts("messages", message("m1", receipt_id=accepted[0].id, position="")))
    (claimed,) = store.claim_messages(10)
    assert (claimed.body, claimed.source, claimed.content_type) == (b'{"id":1}', "webhook", "application/json")


def test_a_reply_carries_its_own_bytes_and_has_no_receipt(store: SqlStore) -> None:
    must_apply(store, inserts("bodies", body("bd-m1", b"<ok/>", content_type="text/xml")))
    must_apply(store, inserts("messages", message("m1", stream="replies", receipt_id="dl-1/1", body_id="bd-m1")))
    (claimed,) = store.claim_messages(10)
    assert (claimed.body, claimed.source, claimed.received_at) == (b"<ok/>", "reply", START)


def test_every_claim_of_a_message_counts(store: SqlStore, clock: SettableClock) -> None:
    must_apply(store, inserts("messages", message("m1")))
    tokens = set()
    for count in (1, 2, 3):
        (claimed,) = store.claim_messages(10)
        assert claimed.claims == count
        tokens.add(claimed.token)
        must_apply(store, change("messages", {"id": "m1", "lease_token": claimed.token}, {"state": "retry"}))
    assert len(tokens) == 3


def test_a_message_is_not_due_before_its_time(store: SqlStore, clock: SettableClock) -> None:
    must_apply(store, inserts("messages", message("m1", state="retry", due_at=START + DAY)))
    assert claimed_messages(store) == []
    clock.set(START + DAY)
    assert claimed_messages(store) == ["m1"]


def of_one_entity(store: SqlStore, *messages: dict[str, Any]) -> None:
    for one in messages:
        must_apply(store, inserts("messages", {**one, "entity_key": "shop|orders||4507"}))


def test_a_message_waits_for_the_earlier_one_of_its_entity_whatever_their_ids(store: SqlStore) -> None:
    of_one_entity(store, message("m9"), message("m1"))
    (first,) = store.claim_messages(10)
    assert first.id == "m9"
    assert claimed_messages(store) == []
    must_apply(store, change("messages", {"id": "m9"}, {"state": "retry", "due_at": START + DAY}))
    assert claimed_messages(store) == []
    must_apply(store, change("messages", {"id": "m9"}, {"state": "applied"}))
    assert claimed_messages(store) == ["m1"]


def test_waiting_and_parked_messages_hold_nobody(store: SqlStore) -> None:
    of_one_entity(
        store, message("m1", state="parked"), message("m2", state="waiting", kind="fact"), message("m3", kind="fact")
    )
    assert claimed_messages(store) == ["m3"]


def test_a_parked_or_waiting_delta_holds_what_comes_after_it(store: SqlStore) -> None:
    of_one_entity(store, message("m1", state="parked", kind="delta"), message("m2", kind="delta"), message("m3"))
    assert claimed_messages(store) == []
    must_apply(store, change("messages", {"id": "m1"}, {"state": "waiting"}))
    assert claimed_messages(store) == []
    must_apply(store, change("messages", {"id": "m1"}, {"state": "applied"}))
    assert claimed_messages(store) == ["m2"]


def test_a_flood_of_one_connection_starves_no_other(store: SqlStore) -> None:
    flood = inserts("messages", *[message(f"f{number:03}", connection="flood") for number in range(200)])
    must_apply(store, flood, inserts("messages", message("a1", connection="quiet"), message("b1", connection="calm")))
    claimed = claimed_messages(store, limit=10)
    assert {"a1", "b1"} <= set(claimed)
    assert len(claimed) == 10


def test_with_a_limit_of_one_connections_take_turns(store: SqlStore) -> None:
    for connection in ("a", "b", "c"):
        names = [f"{connection}{number}" for number in range(4)]
        must_apply(store, inserts("messages", *[message(name, connection=connection) for name in names]))
    taken = [store.claim_messages(1)[0].connection for _ in range(6)]
    assert sorted(taken) == ["a", "a", "b", "b", "c", "c"]


# --- tasks ---


def test_tasks_are_claimed_when_due_earliest_first(store: SqlStore, clock: SettableClock) -> None:
    must_apply(
        store,
        inserts("tasks", task("t1", due_at=START + DAY), task("t2"), task("t3", due_at=START - DAY, kind="poll")),
    )
    claimed = store.claim_tasks(10)
    assert [(one.id, one.claims, dict(one.payload)) for one in claimed] == [
        ("t3", 1, {"order": "or-1"}),
        ("t2", 1, {"order": "or-1"}),
    ]
    clock.set(START + DAY)
    assert store.claim_tasks(10, ["poll"]) == []
    assert store.claim_tasks(10, []) == []
    assert [one.id for one in store.claim_tasks(10, ["poll", "allocate"])] == ["t1"]


def test_a_task_is_enqueued_once_for_ever(store: SqlStore) -> None:
    writes = WriteSet()
    writes.insert("tasks", task("t1", dedupe_key="allocate|or-1|1"), ignore=True)
    again = WriteSet()
    again.insert("tasks", task("t2", dedupe_key="allocate|or-1|1"), ignore=True)
    must_apply(store, writes, again)
    must_apply(store, again)
    assert [one.id for one in store.claim_tasks(10)] == ["t1"]


# --- deliveries ---


def test_a_delivery_is_claimed_with_its_frozen_bytes(store: SqlStore, clock: SettableClock) -> None:
    must_apply(
        store, inserts("bodies", body("bd-d1", b'{"a":1}')), inserts("deliveries", delivery("d1", order_id="or-1"))
    )
    (claimed,) = store.claim_deliveries("erp", 10)
    assert (claimed.id, claimed.payload, claimed.state, claimed.attempts) == ("d1", b'{"a":1}', "pending", 0)
    assert claimed.refs == {"order": "d1"}
    assert claimed.lease_until == START + dt.timedelta(seconds=120)
    assert claimed.give_up_at == START + dt.timedelta(days=7)
    assert claimed.open_attempt_started_at is None
    assert store.claim_deliveries("erp", 10) == []
    assert state_of(store, "deliveries", "d1") == "in_flight"


def test_only_the_first_unsettled_of_a_lane_is_claimed(store: SqlStore) -> None:
    for name in ("d9", "d1"):
        must_apply(store, inserts("deliveries", delivery(name, aggregate="or-1")))
    must_apply(store, inserts("deliveries", delivery("other", aggregate="or-1", lane="shipment")))
    assert claimed_deliveries(store) == ["d9", "other"]
    must_apply(store, change("deliveries", {"id": "d9"}, {"state": "unknown", "probe_after": START + DAY}))
    assert claimed_deliveries(store) == []
    settle(store, "d9", "acknowledged")
    assert claimed_deliveries(store) == ["d1"]


def test_rows_of_one_lane_written_together_keep_their_order(store: SqlStore) -> None:
    rows = [delivery(name, aggregate="or-1") for name in ("d5", "d3", "d4")]
    must_apply(store, inserts("deliveries", *rows))
    for name in ("d5", "d3", "d4"):
        assert claimed_deliveries(store) == [name]
        settle(store, name, "acknowledged")


def test_a_delivery_waits_until_all_it_requires_is_acknowledged_at_any_destination(store: SqlStore) -> None:
    must_apply(
        store,
        inserts(
            "deliveries",
            delivery("d1"),
            delivery("d2", destination="crm"),
            delivery("d3", requires=["erp/submit_order/d1", "erp/submit_order/d2"]),
            delivery("d4", requires=["erp/submit_order/never-made"]),
        ),
    )
    assert claimed_deliveries(store) == ["d1"]
    settle(store, "d1", "acknowledged")
    assert claimed_deliveries(store) == []
    settle(store, "d2", "refused")
    assert claimed_deliveries(store) == []
    settle(store, "d2", "acknowledged")
    assert claimed_deliveries(store) == ["d3"]


def test_refused_requirements_are_found_with_those_that_wait_for_them(store: SqlStore) -> None:
    waits = delivery("d2", requires=["erp/submit_order/d1", "erp/submit_order/d0"])
    must_apply(store, inserts("deliveries", delivery("d0"), delivery("d1"), waits))
    assert store.blocked_deliveries(10) == []
    settle(store, "d1", "refused")
    assert store.blocked_deliveries(10) == [("d2", "erp/submit_order/d1", "refused")]


def test_a_paused_connection_gets_nothing(store: SqlStore) -> None:
    must_apply(
        store,
        inserts("deliveries", delivery("d1")),
        inserts("connection_states", {"connection": "erp", "paused": True, "updated_at": START}),
    )
    assert claimed_deliveries(store) == []
    assert store.destinations_due() == []
    must_apply(store, change("connection_states", {"connection": "erp"}, {"paused": False}))
    assert store.destinations_due() == ["erp"]
    assert claimed_deliveries(store) == ["d1"]


def test_unknown_outcomes_are_claimed_to_be_probed_when_their_time_has_come(
    store: SqlStore, clock: SettableClock
) -> None:
    must_apply(
        store,
        inserts(
            "deliveries",
            delivery("d1", state="unknown", probe_after=START + DAY),
            delivery("d2", state="unknown", safety="none"),
        ),
    )
    assert claimed_deliveries(store) == []
    clock.set(START + DAY)
    (claimed,) = store.claim_deliveries("erp", 10)
    assert (claimed.id, claimed.state) == ("d1", "unknown")
    assert state_of(store, "deliveries", "d1") == "probing"


def test_destinations_are_due_only_when_a_claim_would_take_something(store: SqlStore, clock: SettableClock) -> None:
    must_apply(
        store,
        inserts(
            "deliveries",
            delivery("d1", destination="wms", due_at=START + DAY),
            delivery("d2", destination="crm", requires=["nothing"]),
            delivery("d3", destination="erp"),
            delivery("d4", destination="shop", state="acknowledged"),
        ),
    )
    assert store.destinations_due() == ["erp"]
    assert claimed_deliveries(store) == ["d3"]
    assert store.destinations_due() == []
    clock.set(START + DAY)
    assert store.destinations_due() == ["wms"]
