"""Queries: asked outside any transaction, answered or given up, and never a row in the outbox."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from hub.domain.decision import Answer, Decision, DueTask, QueryHandler, Question, TaskRequest
from hub.domain.snapshot import Snapshot
from hub.domain.writeset import WriteSet
from hub.exchange.connections import ConnectionView
from hub.sdk.errors import CallFailed, Resolution, TransportError
from hub.sdk.records import Ask, Reply
from tests.exchange.world import PlainReply, World, manifest


@dataclass
class Oracle:
    """Answers as its script says, one word a question, then well."""

    script: list[Exception] = field(default_factory=list)
    asked: list[Ask] = field(default_factory=list)

    def rate(self, ask: Ask) -> Reply:
        self.asked.append(ask)
        if self.script:
            raise self.script.pop(0)
        return Reply(json.dumps({"rates": []}).encode(), "application/json", 200)


class Asking(World):
    """One task asks the oracle; what was decided is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.oracle = Oracle()
        self.answers: list[Answer] = []
        self.wanted = True
        self.views["oracle"] = ConnectionView("oracle", manifest("oracle"), self.oracle, replies={"rate": PlainReply()})
        self.handlers.queries["rate"] = QueryHandler(self._question, self._decide)
        self.restart()

    def _question(self, task: DueTask, snapshot: Snapshot, now: dt.datetime) -> Question | None:
        return Question(str(task.payload.get("at", "oracle")), "rate", dict(task.payload)) if self.wanted else None

    def _decide(self, task: DueTask, answer: Answer, snapshot: Snapshot, now: dt.datetime) -> Decision:
        self.answers.append(answer)
        done = Decision()
        done.tasks.append(TaskRequest("recheck_message", task.subject, now, f"decided/{len(self.answers)}"))
        return done

    def ask(self, **payload: Any) -> None:
        self.decide(tasks=[TaskRequest("rate", "p1", self.clock.now(), f"rate/{len(self.rows('tasks'))}", payload)])
        self.settle()

    def state(self) -> str:
        (row,) = [row for row in self.rows("tasks") if row["kind"] == "rate"]
        return str(row["state"])


@pytest.fixture
def world() -> Asking:
    return Asking()


def test_an_answer_is_decided_on_and_leaves_no_delivery(world: Asking) -> None:
    world.ask()
    assert world.answers == [Answer({"rates": []})]
    assert (world.rows("deliveries"), world.state()) == ([], "done")


def test_what_need_not_be_known_any_more_is_not_asked(world: Asking) -> None:
    world.wanted = False
    world.ask()
    assert (world.oracle.asked, world.answers, world.state()) == ([], [], "done")


@pytest.mark.parametrize(
    "failure",
    [
        TransportError("connection refused", before_first_byte=True),
        TransportError("read timed out", before_first_byte=False),
        CallFailed(Resolution.AMBIGUOUS, "internal", status=500),
        CallFailed(Resolution.RATE_LIMITED, "slow down", status=429, retry_after_seconds=5.0),
    ],
)
def test_what_may_pass_is_asked_again_within_the_minute(world: Asking, failure: Exception) -> None:
    world.oracle.script = [failure, failure]
    world.ask()
    world.run_for(30, every=5)
    assert len(world.oracle.asked) == 3
    assert world.answers == [Answer({"rates": []})]


def test_after_a_minute_the_decision_is_made_without_an_answer(world: Asking) -> None:
    world.oracle.script = [CallFailed(Resolution.AMBIGUOUS, "internal", status=500)] * 100
    world.ask()
    world.run_for(50, every=5)
    assert world.answers == []
    world.run_for(20, every=5)
    assert [(answer.record, answer.words) for answer in world.answers] == [(None, "internal")]
    assert world.state() == "done"


def test_a_refusal_is_an_answer_in_the_other_sides_words(world: Asking) -> None:
    world.oracle.script = [CallFailed(Resolution.REJECTED, "we do not deliver there", status=422)]
    world.ask()
    assert world.answers == [Answer(None, "we do not deliver there", refused=True)]


def test_a_hub_that_was_down_asks_before_it_gives_up(world: Asking) -> None:
    world.ask(until=(world.clock.now() - dt.timedelta(hours=1)).isoformat())
    assert world.answers == [Answer({"rates": []})]


def test_a_paused_connection_is_not_asked(world: Asking) -> None:
    state = {"connection": "oracle", "paused": True, "updated_at": world.clock.now()}
    world.commit(lambda writer: _insert(state))
    world.engine.gates.refresh()
    world.ask()
    world.run_for(80, every=10)
    assert world.oracle.asked == []
    assert [answer.words for answer in world.answers] == ["oracle is paused"]


def test_a_question_that_cannot_be_put_is_told(world: Asking) -> None:
    world.ask(unwritable=True)
    assert world.answers[0].refused
    assert "ship_to" in world.answers[0].words
    assert world.oracle.asked == []


def test_a_connection_that_is_not_there_fails_the_task_for_people_to_see(world: Asking) -> None:
    world.ask(at="nobody")
    assert (world.state(), world.exceptions()) == ("failed", ["task_failed"])


def test_an_answer_without_a_mapping_fails_the_task(world: Asking) -> None:
    world.views["oracle"] = replace(world.views["oracle"], replies={})
    world.ask()
    assert (world.state(), world.exceptions()) == ("failed", ["task_failed"])


def _insert(row: dict[str, Any]) -> WriteSet:
    writes = WriteSet()
    writes.insert("connection_states", row)
    return writes
