"""Attempts stand before calls, tokens fence, orphans come back: what a crash or a long pause leaves."""

from __future__ import annotations

import datetime as dt

from hub.exchange.ports import ClaimedDelivery, NewAttempt
from hub.store.sql_store import SqlStore
from tests.conftest import START, Database, SettableClock
from tests.store.build import apply_one, change, delivery, inserts, message, must_apply, receipt, state_of, task

MINUTE = dt.timedelta(minutes=1)


def attempt(claimed: ClaimedDelivery, number: int = 1, *, deadline: dt.datetime = START + MINUTE) -> NewAttempt:
    return NewAttempt(claimed.id, number, "call", claimed.token, deadline)


def expire_leases(store: SqlStore) -> None:
    """As if 120 s had passed: the databases disagree on whose clock that is."""
    past = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)
    for table in ("receipts", "messages", "tasks", "deliveries"):
        must_apply(store, change(table, {}, {"lease_until": past}, expect=None))


def claim_one(store: SqlStore) -> ClaimedDelivery:
    (claimed,) = store.claim_deliveries("erp", 1)
    return claimed


def test_an_attempt_is_announced_before_its_call(store: SqlStore) -> None:
    must_apply(store, inserts("deliveries", delivery("d1")))
    claimed = claim_one(store)
    assert store.start_attempts([attempt(claimed)]) == [True]
    with store.read() as snapshot:
        (row,) = snapshot.rows("attempts", {})
    assert (row["id"], row["deadline"], row["resolution"]) == ("d1/1", START + MINUTE, None)
    with store.read() as snapshot:
        (row,) = snapshot.rows("deliveries", {})
    assert row["attempts"] == 1


def test_the_same_attempt_is_announced_once(store: SqlStore) -> None:
    must_apply(store, inserts("deliveries", delivery("d1")))
    claimed = claim_one(store)
    assert store.start_attempts([attempt(claimed), attempt(claimed), attempt(claimed, 2)]) == [True, False, True]


def test_an_attempt_is_refused_when_the_lease_ends_before_its_deadline(store: SqlStore) -> None:
    must_apply(store, inserts("deliveries", delivery("d1")))
    claimed = claim_one(store)
    assert store.start_attempts([attempt(claimed, deadline=START + 3 * MINUTE)]) == [False]
    with store.read() as snapshot:
        assert snapshot.rows("attempts", {}) == []


def test_a_renewed_lease_lasts_from_then(store: SqlStore, clock: SettableClock) -> None:
    must_apply(store, inserts("deliveries", delivery("d1")))
    claimed = claim_one(store)
    with store.read() as snapshot:
        before = snapshot.rows("deliveries", {})[0]["lease_until"]
    clock.advance(40)
    store.renew([(claimed.id, "somebody else's")])
    with store.read() as snapshot:
        assert snapshot.rows("deliveries", {})[0]["lease_until"] == before
    store.renew([(claimed.id, claimed.token)])
    with store.read() as snapshot:
        assert snapshot.rows("deliveries", {})[0]["lease_until"] > before


def test_a_lost_lease_is_not_renewed(store: SqlStore) -> None:
    must_apply(store, inserts("deliveries", delivery("d1")))
    claimed = claim_one(store)
    expire_leases(store)
    store.renew([(claimed.id, claimed.token)])
    assert store.start_attempts([attempt(claimed)]) == [False]


def test_a_stale_token_starts_nothing_and_settles_nothing(store: SqlStore) -> None:
    must_apply(store, inserts("deliveries", delivery("d1")))
    stale = claim_one(store)
    expire_leases(store)
    assert store.recover() == {"deliveries_pending": 1}
    fresh = claim_one(store)
    assert fresh.token != stale.token
    assert store.start_attempts([attempt(stale), attempt(fresh)]) == [False, True]
    late = change("deliveries", {"id": "d1", "lease_token": stale.token}, {"state": "acknowledged"})
    assert apply_one(store, late).failed
    must_apply(store, change("deliveries", {"id": "d1", "lease_token": fresh.token}, {"state": "acknowledged"}))


def test_an_expired_lease_with_an_open_attempt_is_unknown_until_its_deadline_is_over(
    store: SqlStore, clock: SettableClock
) -> None:
    must_apply(store, inserts("deliveries", delivery("d1")))
    store.start_attempts([attempt(claim_one(store))])
    expire_leases(store)
    assert store.recover() == {"deliveries_unknown": 1}
    assert store.claim_deliveries("erp", 1) == []
    clock.advance(61)
    again = claim_one(store)
    assert (again.state, again.attempts, again.open_attempt_started_at) == ("unknown", 1, START)


def test_an_expired_lease_with_an_open_attempt_is_retried_where_the_target_deduplicates(store: SqlStore) -> None:
    safe = [delivery("d1", safety="idempotency_key"), delivery("d2", safety="unique_reference")]
    must_apply(store, inserts("deliveries", *safe))
    store.start_attempts([attempt(claimed) for claimed in store.claim_deliveries("erp", 2)])
    expire_leases(store)
    assert store.recover() == {"deliveries_retry": 2}
    assert claim_one(store).open_attempt_started_at == START


def test_a_resolved_attempt_is_not_open(store: SqlStore) -> None:
    must_apply(store, inserts("deliveries", delivery("d1")))
    store.start_attempts([attempt(claim_one(store))])
    must_apply(store, change("attempts", {"id": "d1/1"}, {"resolution": "retry", "finished_at": START}))
    expire_leases(store)
    assert store.recover() == {"deliveries_pending": 1}
    assert claim_one(store).open_attempt_started_at is None


def test_a_probe_that_was_cut_off_is_probed_again(store: SqlStore, clock: SettableClock) -> None:
    must_apply(store, inserts("deliveries", delivery("d1", state="unknown", probe_after=START)))
    claim_one(store)
    expire_leases(store)
    assert store.recover() == {"deliveries_unknown": 1}
    assert claim_one(store).state == "unknown"


def test_an_unknown_that_only_a_person_can_settle_is_shown_once_to_the_exchange(
    store: SqlStore, clock: SettableClock
) -> None:
    must_apply(store, inserts("deliveries", delivery("d1", safety="none")))
    store.start_attempts([attempt(claim_one(store))])
    expire_leases(store)
    store.recover()
    clock.advance(61)
    shown = claim_one(store)
    must_apply(
        store,
        change("deliveries", {"id": "d1", "lease_token": shown.token}, {"state": "unknown", "probe_after": None}),
    )
    assert store.claim_deliveries("erp", 1) == []


def test_work_of_a_live_run_is_no_orphan(store: SqlStore) -> None:
    store.accept([receipt()])
    must_apply(store, inserts("messages", message("m1")), inserts("tasks", task("t1")))
    must_apply(store, inserts("deliveries", delivery("d1")))
    store.claim_receipts(1)
    store.claim_messages(1)
    store.claim_tasks(1)
    claim_one(store)
    assert store.recover() == {}


def test_what_an_ended_run_held_comes_back_at_once(database: Database, clock: SettableClock) -> None:
    first = database.open(clock)
    first.accept([receipt()])
    must_apply(first, inserts("messages", message("m1"), message("m2")), inserts("tasks", task("t1")))
    must_apply(first, inserts("deliveries", delivery("d1"), delivery("d2")))
    first.claim_receipts(1)
    first.claim_messages(2)
    first.claim_tasks(1)
    claimed = first.claim_deliveries("erp", 2)
    first.start_attempts([attempt(claimed[1])])
    database.close(first)

    second = database.open(clock)
    assert second.epoch == first.epoch + 1
    assert second.recover() == {
        "receipts": 1,
        "messages": 2,
        "tasks": 1,
        "deliveries_unknown": 1,
        "deliveries_pending": 1,
    }
    assert [one.claims for one in second.claim_messages(2)] == [2, 2]
    assert [one.claims for one in second.claim_receipts(1)] == [2]
    assert state_of(second, "deliveries", "d2") == "unknown"
    assert state_of(second, "deliveries", "d1") == "pending"


def test_a_message_settled_under_a_lost_claim_conflicts(store: SqlStore) -> None:
    must_apply(store, inserts("messages", message("m1")))
    (stale,) = store.claim_messages(1)
    expire_leases(store)
    store.recover()
    (fresh,) = store.claim_messages(1)
    assert apply_one(store, change("messages", {"id": "m1", "lease_token": stale.token}, {"state": "applied"})).failed
    must_apply(store, change("messages", {"id": "m1", "lease_token": fresh.token}, {"state": "applied"}))
