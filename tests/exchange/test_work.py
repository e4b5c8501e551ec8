"""Tasks, polls, alerts, exceptions and webhooks."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from hub.domain.decision import Decision, DueTask, ExceptionClear, ExceptionRequest, TaskRequest, Verdict
from hub.domain.writeset import Applied
from hub.exchange import exceptions, ingress
from hub.exchange.alerts import Alerts
from hub.exchange.ports import NewReceipt
from hub.exchange.redrive import retry_subject, subjects
from hub.exchange.retention import Retention
from hub.exchange.schedules import Schedule
from hub.sdk.errors import CallFailed, Resolution, SignatureError
from hub.sdk.records import Batch, Cursor, HttpAnswer, RawRequest, Receipt
from tests.exchange.world import World, submit


@pytest.fixture
def world() -> World:
    return World()


# --- tasks ---


def task(world: World, kind: str = "allocate", **other: Any) -> TaskRequest:
    return TaskRequest(kind, "OR1", world.clock.now(), other.pop("dedupe_key", f"{kind}/OR1"), other)


def test_a_task_is_done_with_what_it_decided_in_one_commit(world: World) -> None:
    world.handlers.tasks["allocate"] = lambda due, snapshot, now: Decision(effects=[submit()])
    world.decide(tasks=[task(world)])
    seen: set[tuple[str, int]] = set()
    world.hooks.after_commit = lambda _: seen.add((world.rows("tasks")[0]["state"], len(world.rows("deliveries"))))
    world.settle()
    assert ("done", 0) not in seen
    assert ("done", 1) in seen


def test_a_task_with_the_same_dedupe_key_is_one_task_for_ever(world: World) -> None:
    ran: list[str] = []

    def allocate(due: DueTask, snapshot: object, now: object) -> Decision:
        ran.append(due.id)
        return Decision()

    world.handlers.tasks["allocate"] = allocate
    for _ in range(3):
        world.decide(tasks=[task(world)])
        world.settle()
    assert len(ran) == 1


def test_a_task_that_waits_comes_again(world: World) -> None:
    answers = [Decision(Verdict.WAITING), Decision()]
    world.handlers.tasks["allocate"] = lambda due, snapshot, now: answers.pop(0)
    world.decide(tasks=[task(world)])
    world.settle()
    assert world.rows("tasks")[0]["state"] == "pending"
    world.settle(61)
    assert world.rows("tasks")[0]["state"] == "done"


def test_a_task_that_always_fails_ends_with_an_exception_and_can_be_retried(world: World) -> None:
    def broken(due: DueTask, snapshot: object, now: object) -> Decision:
        raise ZeroDivisionError("no")

    world.handlers.tasks["allocate"] = broken
    world.decide(tasks=[task(world)])
    world.run_for(300)
    assert (world.rows("tasks")[0]["state"], world.exceptions()) == ("failed", ["task_failed"])
    world.handlers.tasks["allocate"] = lambda due, snapshot, now: Decision()
    (exception,) = world.rows("exceptions")
    with world.store.read() as snapshot:
        held = subjects(world.writer(snapshot), exception["id"])
    assert world.commit(lambda writer: retry_subject(writer, *held[0], "ann")) is Applied.APPLIED
    world.settle()
    assert (world.rows("tasks")[0]["state"], world.exceptions()) == ("done", [])


def test_a_task_nobody_knows_fails_at_once_and_says_so(world: World) -> None:
    world.decide(tasks=[task(world, "unheard_of")])
    world.settle()
    assert (world.rows("tasks")[0]["state"], world.exceptions()) == ("failed", ["task_failed"])


def test_a_task_nobody_knows_is_not_left_lying_by_the_threads_either(world: World) -> None:
    world.decide(tasks=[task(world, "unheard_of"), task(world, "alerts")])
    assert world.engine.decide() == 1
    assert world.exceptions() == ["task_failed"]
    assert world.engine.ask() == 1
    assert world.engine.decide() == 0


def test_what_is_raised_and_cleared_of_one_cause_in_one_decision_ends_as_raised(world: World) -> None:
    world.decide(exceptions=[trouble(1), trouble(2)])
    world.decide(exceptions=[trouble(2)], clears=[clear(1), clear(2)])
    left = world.rows("exception_subjects", cleared_at=None)
    assert ([row["subject_id"] for row in left], world.exceptions()) == (["OR2"], ["k"])


def test_clearing_one_cause_leaves_another_whose_key_begins_the_same(world: World) -> None:
    world.decide(exceptions=[trouble(1, "hold/sku/A"), trouble(1, "hold/sku/AB")])
    world.decide(clears=[clear(1, "hold/sku/A")])
    assert [row["cause_key"] for row in world.rows("exceptions", state="open")] == ["hold/sku/AB"]
    world.decide(clears=[clear(1, "hold/")])
    assert world.exceptions() == []


def test_schedules_make_tasks_once_a_slot(world: World) -> None:
    ran: list[dt.datetime] = []

    def tick(due: DueTask, snapshot: object, now: object) -> Decision:
        ran.append(due.due_at)
        return Decision()

    world.handlers.tasks["tick"] = tick
    world.schedules.append(Schedule("every-minute", "tick", every_seconds=60.0))
    world.restart()
    world.run_for(300, every=20)
    assert [at.minute for at in ran] == [0, 1, 2, 3, 4, 5]


def test_a_slot_whose_predecessor_still_runs_is_coalesced(world: World) -> None:
    world.handlers.tasks["tick"] = lambda due, snapshot, now: Decision(Verdict.WAITING)
    world.schedules.append(Schedule("every-10s", "tick", every_seconds=10.0))
    world.restart()
    world.run_for(60, every=10)
    assert [row["state"] for row in world.rows("schedule_slots")] == ["queued", *["coalesced"] * 5]
    assert len(world.rows("tasks")) == 1


# --- polls ---


@dataclass
class Shelf:
    """A source with pages of order ids; `fail_at` raises after so many pages."""

    world: World
    pages: list[list[str]]
    fail: list[CallFailed] = field(default_factory=list)
    fail_at: int = 0
    settled: int = 0
    read_from: list[str | None] = field(default_factory=list)
    takes_seconds: float = 0.0

    def read(self, stream: str, cursor: Cursor | None, limit: int) -> Iterator[Batch]:
        start = int(cursor.value) if cursor is not None else 0
        self.read_from.append(cursor.value if cursor is not None else None)
        for number in range(start, len(self.pages)):
            if self.fail and number == self.fail_at:
                raise self.fail.pop()
            if self.takes_seconds:
                self.world.clock.advance(self.takes_seconds)
            body = json.dumps([{"external_id": name} for name in self.pages[number]]).encode()
            receipt = Receipt("shop", stream, f"page-{number}", {}, body, "application/json", self.world.clock.now())
            yield Batch([receipt], Cursor(str(number + 1)))

    def settle(self, batch: Batch) -> None:
        self.settled += 1

    def parse(self, receipt: Receipt) -> Sequence[Any]:
        from hub.sdk.records import RawRecord

        tree = json.loads(receipt.body)
        return [RawRecord("orders", one["external_id"], one, str(place)) for place, one in enumerate(tree)]


def polling(world: World, **options: Any) -> Shelf:
    shelf = Shelf(world, [["1", "2"], ["3"], ["4"]], **options)
    world.change("shop", connector=shelf)
    ask(world, 1)
    return shelf


def ask(world: World, number: int) -> None:
    payload = {"connection": "shop", "stream": "orders"}
    world.decide(tasks=[TaskRequest("poll", "shop|orders", world.clock.now(), f"poll/{number}", payload)])


def test_a_poll_stores_pages_with_their_cursor_and_settles_them(world: World) -> None:
    shelf = polling(world)
    world.settle()
    assert [incoming.external_id for incoming in world.applied] == ["1", "2", "3", "4"]
    assert (shelf.settled, world.rows("cursors")[0]["value"]) == (3, "3")


def test_a_poll_that_takes_long_ends_before_its_lease_and_goes_on_as_the_next(world: World) -> None:
    shelf = polling(world, takes_seconds=40)
    world.run_for(60)
    assert [incoming.external_id for incoming in world.applied] == ["1", "2", "3", "4"]
    assert shelf.read_from == [None, "2"]


@pytest.mark.parametrize("page", [0, 1, 2])
def test_a_poll_that_fails_at_any_page_goes_on_there_and_loses_nothing(world: World, page: int) -> None:
    shelf = polling(world, fail=[CallFailed(Resolution.AMBIGUOUS, "502")], fail_at=page)
    world.run_for(60)
    assert sorted(incoming.external_id for incoming in world.applied) == ["1", "2", "3", "4"]
    assert shelf.read_from == [None, str(page) if page else None]


def test_a_poll_that_keeps_failing_tells_a_person_and_success_clears_it(world: World) -> None:
    shelf = polling(world, fail=[CallFailed(Resolution.RETRY, "down") for _ in range(6)])
    for _ in range(200):
        world.settle(1)
        if len(shelf.fail) == 2:
            break
    assert world.exceptions() == ["poll_failed"]
    world.run_for(600)
    assert (world.exceptions(), world.states()) == ([], ["applied"] * 4)


def test_a_poll_that_waits_says_until_when_and_why_and_says_it_no_more_when_it_has_read(world: World) -> None:
    slow = CallFailed(Resolution.RATE_LIMITED, "429 slow down", retry_after_seconds=90)
    polling(world, fail=[slow, CallFailed(Resolution.RETRY, "503 down")])
    world.settle(1)
    (poll,) = world.rows("tasks", kind="poll")
    assert (poll["state"], poll["error"]) == ("pending", "503 down")
    world.clock.advance(30)
    world.settle(1)
    (poll,) = world.rows("tasks", kind="poll")
    assert poll["error"] == "it asks us to wait: 429 slow down"
    assert poll["due_at"] >= world.clock.now() + dt.timedelta(seconds=90)
    world.run_for(600)
    (poll,) = world.rows("tasks", kind="poll")
    assert (poll["state"], poll["error"]) == ("done", None)


def test_a_cursor_that_is_gone_starts_over(world: World) -> None:
    shelf = polling(world)
    world.settle()
    shelf.fail, shelf.fail_at = [CallFailed(Resolution.GONE, "cursor expired")], 3
    shelf.pages.append(["5"])
    ask(world, 2)
    world.run_for(60)
    assert shelf.read_from == [None, "3", None]
    assert sorted(incoming.external_id for incoming in world.applied) == ["1", "2", "3", "4", "5"]


# --- exceptions and alerts ---


def trouble(number: int, cause: str = "c") -> ExceptionRequest:
    return ExceptionRequest(cause, "k", "Trouble", "detail", "next", "hint", "order", f"OR{number}", owner="operations")


def clear(number: int, cause: str = "c") -> ExceptionClear:
    return ExceptionClear(cause, "order", f"OR{number}", "done")


def test_an_exception_is_resolved_by_its_last_subject_and_opens_anew(world: World) -> None:
    world.decide(exceptions=[trouble(1)])
    world.clock.advance(1)
    world.decide(exceptions=[trouble(2)])
    assert [(row["count"], row["state"]) for row in world.rows("exceptions")] == [(2, "open")]
    world.decide(clears=[ExceptionClear("c", "order", "OR1", "done")])
    assert world.exceptions() == ["k"]
    world.decide(clears=[ExceptionClear("c", "order", "OR2", "done")])
    assert world.exceptions() == []
    world.clock.advance(1)
    world.decide(exceptions=[trouble(1)])
    assert len(world.rows("exceptions")) == 2


def test_a_subject_raised_while_the_last_one_is_cleared_is_not_lost(world: World) -> None:
    """Both are computed on the same snapshot, at the same instant; whoever comes second computes again."""
    world.decide(exceptions=[trouble(1)])
    with world.store.read() as snapshot:
        writer = world.writer(snapshot)
        from hub.exchange.decisions import decision_rows

        raising = decision_rows(Decision(exceptions=[trouble(2)]), writer)
        clearing = decision_rows(Decision(clears=[ExceptionClear("", "order", "OR1", "x")]), writer)
    assert [one.applied for one in world.store.apply([raising, clearing])] == [Applied.APPLIED, Applied.CONFLICT]
    world.decide(clears=[ExceptionClear("", "order", "OR1", "x")])
    assert world.exceptions() == ["k"]


def test_fifty_messages_with_one_cause_are_one_exception(world: World) -> None:
    for number in range(50):
        world.receive({"external_id": str(number), "bad": True})
    world.settle()
    (row,) = world.rows("exceptions")
    assert (row["count"], len(world.rows("exception_subjects"))) == (50, 50)


def test_a_person_assigns_and_resolves(world: World) -> None:
    world.decide(exceptions=[trouble(1)])
    identity = world.rows("exceptions")[0]["id"]
    now = world.clock.now()
    world.commit(lambda writer: exceptions.assign(writer.snapshot, identity, "warehouse", "ann", now))
    world.commit(lambda writer: exceptions.resolve(writer.snapshot, identity, "bob", "called them", now))
    (row,) = world.rows("exceptions")
    assert (row["owner"], row["state"], row["resolved_by"]) == ("warehouse", "resolved", "bob")
    assert sorted(row["action"] for row in world.rows("audit")) == ["exceptions.assign", "exceptions.resolve"]


@dataclass
class Mail:
    down: bool = False
    sent: list[str] = field(default_factory=list)

    def send(self, subject: str, text: str, exceptions: Sequence[dict[str, Any]]) -> None:
        if self.down:
            raise ConnectionError
        self.sent.append(subject)


def test_an_exception_that_nobody_took_care_of_is_told_once(world: World) -> None:
    mail = Mail()
    alerts = Alerts(world.store, world.clock, mail, after_seconds=300)
    due = DueTask("t", "alerts", "", {}, world.clock.now())
    world.decide(exceptions=[trouble(1)])
    alerts.run(due)
    assert mail.sent == []
    world.clock.advance(301)
    mail.down = True
    with pytest.raises(ConnectionError):
        alerts.run(due)
    mail.down = False
    alerts.run(due)
    alerts.run(due)
    assert mail.sent == ["Trouble"]


def test_retention_erases_in_chunks_until_nothing_is_left(world: World) -> None:
    left = {"receipt": 1200, "message": 3}

    class Eraser:
        def erase_bodies(self, owner_kind: str, before: dt.datetime, limit: int) -> int:
            assert before < world.clock.now()
            erased = min(limit, left.get(owner_kind, 0))
            left[owner_kind] = left.get(owner_kind, 0) - erased
            return erased

    retention = Retention(Eraser(), world.clock)
    runs = 0
    while retention.run(DueTask("t", "retention", "", {}, world.clock.now())) is not None:
        runs += 1
    assert (runs, sum(left.values())) == (2, 0)


# --- webhooks ---


class Door:
    """Takes what is signed `good`."""

    def verify(self, request: RawRequest) -> None:
        if request.headers.get("signature") == "explode":
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad")
        if request.headers.get("signature") != "good":
            raise SignatureError("signature does not match")

    def receipt(self, request: RawRequest, topic: str | None) -> Receipt:
        if topic == "broken":
            raise KeyError(topic)
        stream = "orders" if topic == "orders" else ""
        return Receipt("shop", stream, "d1", {"x": "y"}, request.body, "application/json", request.received_at, topic)


def knock(world: World, connection: str = "shop", topic: str | None = "orders", signature: str = "good") -> Any:
    world.change("shop", connector=Door())
    told: list[tuple[str, str, int]] = []
    signatures = ingress.Signatures(lambda *one: told.append(one))
    request = RawRequest("POST", "/", "", {"signature": signature}, b"{}", world.clock.now())
    from tests.exchange.world import _Port

    answers = [ingress.decide(_Port(world), signatures, connection, topic, request) for _ in range(101)]
    return answers[0], told


@pytest.mark.parametrize(
    ("connection", "signature", "status"),
    [("shop", "bad", 401), ("shop", "explode", 401), ("nobody", "good", 404), ("erp", "good", 405)],
)
def test_a_webhook_is_refused_with_the_right_status(world: World, connection: str, signature: str, status: int) -> None:
    answer, told = knock(world, connection, signature=signature)
    assert isinstance(answer, HttpAnswer)
    assert (answer.status, answer.content_type) == (status, "application/problem+json")
    assert [number for _, _, number in told] == ([1, 101] if status == 401 else [])


def test_a_good_webhook_is_a_receipt_of_its_raw_bytes(world: World) -> None:
    answer, _ = knock(world)
    assert isinstance(answer, NewReceipt)
    assert (answer.stream, answer.delivery_id, answer.body, answer.pending) == ("orders", "d1", b"{}", True)


def test_a_topic_nobody_subscribed_is_kept_and_never_parsed(world: World) -> None:
    answer, _ = knock(world, topic="carts")
    assert isinstance(answer, NewReceipt)
    assert not answer.pending


def test_a_connector_that_cannot_name_a_signed_request_keeps_its_bytes(world: World) -> None:
    answer, _ = knock(world, topic="broken")
    assert isinstance(answer, NewReceipt)
    world.store.accept([answer])
    world.settle()
    assert [row["state"] for row in world.rows("receipts")] == ["unparsable"]
