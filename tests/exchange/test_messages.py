"""Inbound: nothing lost, nothing twice, every kind by its own rule."""

from __future__ import annotations

import json

import pytest

from hub.domain.decision import Decision, EventRequest, ExceptionRequest, TaskRequest, Verdict
from hub.domain.writeset import Applied
from hub.exchange.redrive import reparse_receipt
from hub.sdk.capabilities import SafetyMode
from hub.sdk.errors import DataError
from hub.sdk.records import RawRecord, Receipt
from tests.exchange.world import Crash, World, submit


@pytest.fixture
def world() -> World:
    return World()


# --- receipts ---


def test_a_page_becomes_a_message_for_each_record(world: World) -> None:
    world.change_stream("shop", "orders", codec_options={"items": "orders"})
    world.receive({"orders": [{"external_id": "1"}, {"external_id": "2"}]})
    world.settle()
    assert [incoming.external_id for incoming in world.applied] == ["1", "2"]
    assert [row["position"] for row in world.rows("messages")] == ["orders.0", "orders.1"]


def test_numbers_stay_exact_on_their_way_through_a_page(world: World) -> None:
    world.change_stream("shop", "orders", codec_options={"items": "orders"})
    world.receive(b'{"orders": [{"external_id": "1", "total": 10.10, "number": 820982911946154508}]}')
    world.settle()
    assert (str(world.applied[0].record["total"]), world.applied[0].record["number"]) == ("10.10", 820982911946154508)


@pytest.mark.parametrize("body", [b"not json", b"\xff\xfe", b'{"a":1,"a":2}', b"[" * 100_000, b'{"a":NaN}', b""])
def test_a_body_that_cannot_be_read_is_kept_with_an_exception(world: World, body: bytes) -> None:
    receipt = world.receive(body)
    world.settle()
    (row,) = world.rows("receipts", id=receipt)
    assert row["state"] == "unparsable"
    assert world.exceptions() == ["unparsable"]
    with world.store.read() as snapshot:
        assert snapshot.body(row["body_id"]) == body


def test_an_unparsable_receipt_is_read_again_when_the_codec_can(world: World) -> None:
    receipt = world.receive({"envelope": {"external_id": "1"}})
    world.change_stream("shop", "orders", codec_options={"items": "orders"})
    world.settle()
    world.change_stream("shop", "orders", codec_options={"items": "envelope"})
    assert world.commit(lambda writer: reparse_receipt(writer, receipt, "ann")) is Applied.APPLIED
    world.settle()
    assert world.states() == ["applied"]
    assert world.exceptions() == []


def test_a_record_without_an_id_parks_and_harms_no_other(world: World) -> None:
    world.change_stream("shop", "orders", codec_options={"items": "orders"})
    world.receive({"orders": [{"total": "1"}, {"external_id": "2"}]})
    world.settle()
    assert world.states() == ["parked", "applied"]
    assert world.exceptions() == ["no_external_id"]


class Envelope:
    """A connector that takes its vendor's envelope off."""

    def parse(self, receipt: Receipt) -> list[RawRecord]:
        tree = json.loads(receipt.body)
        if "notice" not in tree:
            raise DataError("no notice", position="line 1")
        return [RawRecord("orders", tree["notice"]["external_id"], tree["notice"], "")]


def test_a_connector_may_take_the_envelope_off(world: World) -> None:
    world.change("shop", connector=Envelope())
    world.receive({"notice": {"external_id": "1"}})
    world.receive({"something": "else"})
    world.settle()
    assert [incoming.record for incoming in world.applied] == [{"external_id": "1"}]
    assert sorted(row["state"] for row in world.rows("receipts")) == ["parsed", "unparsable"]


def test_an_id_only_webhook_triggers_fetch_and_only_the_fetched_counts(world: World) -> None:
    fetched: list[str] = []

    class Shop:
        def fetch(self, stream: str, external_id: str) -> Receipt:
            fetched.append(external_id)
            body = json.dumps({"external_id": external_id, "total": "5"}).encode()
            return Receipt("shop", stream, None, {}, body, "application/json", world.clock.now())

    world.change("shop", connector=Shop())
    world.change_stream("shop", "orders", fetch_only=True, can_fetch=True)
    world.receive({"external_id": "1"})
    world.settle()
    assert fetched == ["1"]
    assert world.states() == ["ignored", "applied"]
    assert world.applied[0].record["total"] == "5"


# --- state ---


def test_a_b_a_are_three_states(world: World) -> None:
    for note in ("a", "b", "a"):
        world.order("1", note=note)
        world.clock.advance(1)
    assert world.states() == ["applied", "applied", "applied"]
    assert [incoming.record["note"] for incoming in world.applied] == ["a", "b", "a"]


def test_the_last_applied_state_again_is_a_duplicate(world: World) -> None:
    world.order("1", note="a")
    world.order("1", note="a")
    assert world.states() == ["applied", "duplicate"]


def test_an_older_version_fills_only_what_no_newer_one_said(world: World) -> None:
    world.order("1", version="2", note="new")
    world.order("1", version="1", note="old", email="a@example.com")
    world.order("1", version="0", note="oldest")
    assert world.states() == ["applied", "applied", "superseded"]
    assert world.applied[1].record == {
        "external_id": "1",
        "source_version": "2",
        "note": "new",
        "email": "a@example.com",
    }
    assert (world.applied[1].newest, world.applied[1].previous) == (False, world.applied[0].record)


def test_the_newest_state_again_after_an_older_one_is_still_a_duplicate(world: World) -> None:
    world.order("1", version="2", note="new")
    world.order("1", version="1", extra="x")
    world.order("1", version="2", note="new")
    assert world.states() == ["applied", "applied", "duplicate"]


def test_equal_versions_with_other_content_are_counted_and_the_source_decides(world: World) -> None:
    class Shop:
        def fetch(self, stream: str, external_id: str) -> Receipt:
            body = json.dumps({"external_id": "1", "source_version": "1", "note": "true"}).encode()
            return Receipt("shop", stream, None, {}, body, "application/json", world.clock.now())

    world.change("shop", connector=Shop())
    world.change_stream("shop", "orders", can_fetch=True)
    world.order("1", version="1", note="a")
    world.clock.advance(1)
    world.order("1", version="1", note="b")
    assert world.applied[-1].record["note"] == "true"
    assert world.rows("sources")[0]["conflicts"] == 2
    assert [row["kind"] for row in world.rows("tasks")] == ["fetch"]


def test_a_newer_state_supersedes_the_parked_and_clears_its_exception(world: World) -> None:
    world.order("1", version="1", bad=True)
    assert (world.states(), world.exceptions()) == (["parked"], ["mapping"])
    world.order("1", version="2", note="good")
    assert world.states() == ["superseded", "applied"]
    assert (world.exceptions(), world.exceptions("resolved")) == ([], ["mapping"])


def test_a_parked_newer_state_is_tried_again_on_top_of_an_older_one(world: World) -> None:
    world.mappings["orders"].broken = True
    world.order("1", version="2", note="new")
    world.mappings["orders"].broken = False
    world.order("1", version="1", note="old", email="a@example.com")
    assert world.states() == ["applied", "applied"]
    assert world.applied[-1].record["note"] == "new"
    assert world.applied[-1].record["email"] == "a@example.com"
    assert world.exceptions() == []


def test_an_id_that_comes_again_for_another_order_parks(world: World) -> None:
    world.order("1", placed_at="2026-01-01T00:00:00Z", currency="EUR")
    world.order("1", placed_at="2026-02-01T00:00:00Z", currency="EUR")
    assert world.states() == ["applied", "parked"]
    assert world.exceptions() == ["identity_reused"]


def test_scopes_keep_reused_ids_apart(world: World) -> None:
    world.order("1", scope="store-1/2026-03-01", placed_at="2026-03-01T00:00:00Z")
    world.order("1", scope="store-1/2026-03-02", placed_at="2026-03-02T00:00:00Z")
    assert world.states() == ["applied", "applied"]
    assert len(world.rows("sources")) == 2


def test_an_order_older_than_start_from_comes_without_effects(world: World) -> None:
    world.change_stream("shop", "orders", start_from=world.clock.now())
    world.order("1", placed_at="2026-01-01T00:00:00Z")
    world.order("2", placed_at="2026-12-01T00:00:00Z")
    assert [incoming.effects for incoming in world.applied] == [False, True]


# --- facts ---


def fact(key: str = "f1", **other: object) -> dict[str, object]:
    return {"external_id": key, "fact_key": key, "order_external_id": "1", **other}


def test_a_fact_is_applied_once_for_ever(world: World) -> None:
    world.receive(fact(), "refunds")
    world.settle()
    world.clock.advance(40 * 86400)
    world.receive(fact(note="said differently"), "refunds")
    world.settle()
    assert world.states("refunds") == ["applied", "duplicate"]


def test_the_same_fact_twice_in_one_batch_is_applied_once(world: World) -> None:
    for number in range(5):
        world.receive(fact(external_id=str(number), fact_key="same"), "refunds")
    world.settle()
    assert sorted(world.states("refunds")) == ["applied", *["duplicate"] * 4]
    assert len(world.applied) == 1 or len(world.rows("fact_keys")) == 1


def test_a_fact_without_a_key_parks(world: World) -> None:
    world.receive({"external_id": "r1"}, "refunds")
    world.settle()
    assert (world.states("refunds"), world.exceptions()) == (["parked"], ["no_fact_key"])


def test_a_fact_waits_for_its_order_and_is_woken_by_it(world: World) -> None:
    world.decisions["refunds"] = Decision(Verdict.WAITING, waits_for="order|shop||1")
    world.receive(fact(), "refunds")
    world.settle()
    assert world.states("refunds") == ["waiting"]
    del world.decisions["refunds"]
    world.decisions["1"] = Decision(subject="OR1", wakes=["order|shop||1"])
    world.order("1")
    assert world.states("refunds") == ["applied"]


def test_a_fact_and_its_order_in_one_batch_do_not_miss_each_other(world: World) -> None:
    """Both are computed on a snapshot that has neither; the wake must reach the one that begins to wait beside it."""
    known: list[bool] = []

    def refund(incoming: object, snapshot: object, now: object) -> Decision:
        known.append(bool(world.rows("events", type="captured")))
        return Decision() if known[-1] else Decision(Verdict.WAITING, waits_for="order|shop||1")

    world.handlers.messages["refunds"] = refund
    world.decisions["1"] = Decision(events=[EventRequest("captured", "1", "1")], wakes=["order|shop||1"])
    world.receive(fact(), "refunds")
    world.receive({"external_id": "1"})
    world.settle()
    assert known == [False, True]
    assert world.states("refunds") == ["applied"]


def test_a_wake_that_nobody_saw_is_made_good_by_the_messages_own_timer(world: World) -> None:
    world.decisions["refunds"] = Decision(Verdict.WAITING, waits_for="order|shop||1")
    world.receive(fact(), "refunds")
    world.settle()
    del world.decisions["refunds"]
    world.settle(3)
    assert world.states("refunds") == ["applied"]


def test_a_fact_that_nothing_matches_is_unmatched_after_a_day(world: World) -> None:
    world.decisions["refunds"] = Decision(Verdict.WAITING, waits_for="order|shop||1")
    world.receive(fact(), "refunds")
    world.run_for(86_000, every=3600)
    assert (world.states("refunds"), world.exceptions()) == (["waiting"], [])
    world.run_for(4000, every=3600)
    assert (world.states("refunds"), world.exceptions()) == (["parked"], ["unmatched"])


def test_an_old_fact_that_nobody_woke_is_looked_at_again_within_half_its_age(world: World) -> None:
    """The process that made what it waits for did not see it wait, and it did not see what that one made."""
    world.receive(fact(), "refunds")
    world.clock.advance(100)
    world.decisions["refunds"] = Decision(Verdict.WAITING, waits_for="order|shop||1")
    world.settle()
    assert world.states("refunds") == ["waiting"]
    del world.decisions["refunds"]
    world.run_for(60)
    assert world.states("refunds") == ["applied"]


def test_what_a_waiting_fact_decided_is_not_committed(world: World) -> None:
    world.decisions["refunds"] = Decision(
        Verdict.WAITING, waits_for="x", effects=[submit()], events=[EventRequest("t", "s", "k")]
    )
    world.receive(fact(), "refunds")
    world.settle()
    assert (world.rows("deliveries"), world.rows("events")) == ([], [])


def test_a_snapshot_is_a_duplicate_only_with_its_time(world: World) -> None:
    for as_of in ("1", "1", "2"):
        world.receive({"location": "dc", "as_of": as_of, "rows": []}, "stock")
        world.settle()
    assert world.states("stock") == ["applied", "duplicate", "applied"]


# --- deciding and writing ---


def test_everything_a_decision_wants_is_committed_together(world: World) -> None:
    exception = ExceptionRequest("c", "k", "t", "d", "n", "h", "order", "OR1")
    world.decisions["1"] = Decision(
        subject="OR1",
        held=True,
        effects=[submit()],
        tasks=[TaskRequest("nothing", "OR1", world.clock.now().replace(year=2027), "t1")],
        events=[EventRequest("hub.order.captured.v1", "OR1", "OR1", "OR1")],
        exceptions=[exception],
    )
    commits: list[tuple[int, ...]] = []
    world.hooks.after_commit = lambda _: commits.append(
        tuple(len(world.rows(table)) for table in ("deliveries", "tasks", "events", "exceptions"))
    )
    world.order("1")
    assert set(commits) == {(0, 0, 0, 0), (1, 1, 1, 1)}
    (row,) = world.rows("messages", stream="orders")
    assert (row["subject"], row["held"], row["revision"]) == ("OR1", True, "r1")
    assert world.rows("sources")[0]["subject"] == "OR1"


def test_a_crash_at_any_commit_loses_nothing_and_doubles_nothing(world: World) -> None:
    for number in range(60):
        world = World(seed=number)
        world.erp_with(SafetyMode.LOOKUP, settle_seconds=5.0)
        world.decisions["1"] = Decision(
            subject="OR1", effects=[submit()], tasks=[TaskRequest("note", "OR1", world.clock.now(), "once")]
        )
        world.handlers.tasks["note"] = lambda task, snapshot, now: Decision(
            events=[EventRequest("noted", "OR1", task.id)]
        )
        world.receive({"external_id": "1"})
        crashed = crash_at(world, number // 2, after=number % 2 == 0)
        world.run_for(400)
        assert world.erp.count("erp/submit_order/order/1") == 1, number
        assert world.delivery()["state"] == "acknowledged"
        assert [row["state"] for row in world.rows("messages", stream="replies")] == ["applied"]
        assert [row["type"] for row in world.rows("events")] == ["noted"]
        if not crashed:
            assert number > 10
            return
    raise AssertionError("no run went through without a crash")


def crash_at(world: World, number: int, *, after: bool) -> bool:
    seen = 0

    def crash(_: int) -> None:
        nonlocal seen
        seen += 1
        if seen == number + 1:
            raise Crash

    if after:
        world.hooks.after_commit = crash
    else:
        world.hooks.before_commit = crash
    try:
        world.engine.run_until_idle()
    except Crash:
        world.hooks.before_commit = world.hooks.after_commit = lambda _: None
        world.restart()
        return True
    world.hooks.before_commit = world.hooks.after_commit = lambda _: None
    return False


def test_a_conflicting_decision_is_computed_again_on_what_stands_now(world: World) -> None:
    tries = 0

    def handler(incoming: object, snapshot: object, now: object) -> Decision:
        nonlocal tries
        tries += 1
        decision = Decision()
        decision.writes.update("settings", {"name": "x", "value": "1" if tries < 4 else "0"}, {"value": "2"})
        return decision

    world.commit(lambda writer: _setting(world))
    world.handlers.messages["orders"] = handler
    world.order("1")
    assert (tries, world.states()) == (4, ["applied"])


def _setting(world: World) -> object:
    from hub.domain.writeset import WriteSet

    writes = WriteSet()
    writes.insert("settings", {"name": "x", "value": "0", "updated_at": world.clock.now()})
    return writes
