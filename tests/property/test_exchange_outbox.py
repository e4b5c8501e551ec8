"""Whatever the other side and the process do: one document for each fact, and every delivery settles."""

from __future__ import annotations

import itertools
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.domain.decision import Decision
from hub.sdk.capabilities import SafetyMode
from tests.exchange.world import Crash, World, submit

FAULTS = [
    "ok",
    "lose_answer",
    "fail_before",
    "unreachable",
    "throttle",
    "crash_before",
    "crash_after",
    "late",
    "bug",
]
MODES = [SafetyMode.IDEMPOTENCY_KEY, SafetyMode.UNIQUE_REFERENCE, SafetyMode.LOOKUP]
QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def work(world: World, seconds: float) -> None:
    """Work while the clock runs, starting again whenever the process ends."""
    end = world.clock.monotonic() + seconds
    while world.clock.monotonic() < end:
        try:
            world.settle(20.0)
        except Crash:
            world.restart()


@QUICK
@given(script=st.lists(st.sampled_from(FAULTS), max_size=8), mode=st.sampled_from(MODES), orders=st.integers(1, 3))
def test_any_faults_make_one_document_for_each_order(script: list[str], mode: SafetyMode, orders: int) -> None:
    world = World()
    world.erp_with(mode, settle_seconds=20.0)
    world.erp.lag_seconds = 10.0 if mode is SafetyMode.LOOKUP else 0.0
    world.erp.deduplicates = mode is SafetyMode.IDEMPOTENCY_KEY
    world.erp.refuses_second = mode is SafetyMode.UNIQUE_REFERENCE
    # A late commit of a target that refuses a second reference is refused there, as any second one is.
    world.erp.script = [word for word in script if not (word == "late" and mode is SafetyMode.UNIQUE_REFERENCE)]
    for number in range(orders):
        world.decide(submit(str(number)))
    work(world, 3600)
    for number in range(orders):
        key = f"erp/submit_order/order/{number}"
        assert world.erp.count(key) == 1
        assert world.delivery(key)["state"] == "acknowledged"
    replies = world.rows("messages", stream="replies", state="applied")
    reported = [json.loads(body)["resolution"] for body in bodies(world, replies)]
    assert reported.count("success") + reported.count("duplicate") == orders
    assert world.exceptions() == []


def bodies(world: World, rows: list[dict[str, Any]]) -> list[bytes]:
    with world.store.read() as snapshot:
        found = [snapshot.body(row["body_id"]) for row in rows]
    return [body for body in found if body is not None]


@QUICK
@given(script=st.lists(st.sampled_from(FAULTS), max_size=6))
def test_without_any_safety_no_call_is_made_again_that_may_have_happened(script: list[str]) -> None:
    world = World()
    world.erp_with(SafetyMode.NONE)
    world.erp.script = list(script)
    world.decide(submit())
    work(world, 3600)
    assert world.erp.count("erp/submit_order/order/1") <= 1
    state = world.delivery()["state"]
    assert state in ("acknowledged", "unknown")
    assert (state == "unknown") == (world.exceptions() == ["unknown"])


versions = st.lists(
    st.tuples(
        st.integers(1, 4), st.fixed_dictionaries({}, optional={"note": st.sampled_from("ab"), "email": st.just("x")})
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda one: one[0],
)


@QUICK
@given(restates=versions, repeats=st.lists(st.integers(0, 3), max_size=3))
def test_restates_in_any_order_and_number_come_to_the_same_view(
    restates: list[tuple[int, dict[str, str]]], repeats: list[int]
) -> None:
    views = []
    for order in itertools.permutations(restates):
        world = World()
        fed = [*order, *(order[number % len(order)] for number in repeats)]
        for version, fields in fed:
            world.order("1", version=str(version), **fields)
        assert set(world.states()) <= {"applied", "duplicate", "superseded"}
        views.append(world.applied[-1].record if world.applied else None)
        if len(views) == 6:
            break
    assert all(view == views[0] for view in views)


@QUICK
@given(keys=st.lists(st.sampled_from("abc"), min_size=1, max_size=8), crash=st.integers(0, 12))
def test_facts_count_once_whatever_arrives_and_wherever_it_crashes(keys: list[str], crash: int) -> None:
    world = World()

    def refund(incoming: Any, snapshot: Any, now: Any) -> Decision:
        decision = Decision()
        row = {"name": f"{incoming.fact_key}", "value": "1", "updated_at": now}
        decision.writes.insert("settings", row, claim=True)
        return decision

    world.handlers.messages["refunds"] = refund
    commits = itertools.count()

    def maybe(_: int) -> None:
        if next(commits) == crash:
            raise Crash

    for number, key in enumerate(keys):
        world.receive({"external_id": f"{number}", "fact_key": key}, "refunds")
    world.hooks.before_commit = maybe
    work(world, 200)
    world.hooks.before_commit = lambda _: None
    assert sorted(world.states("refunds")).count("applied") == len(set(keys))
    assert set(world.states("refunds")) <= {"applied", "duplicate"}
    assert {row["name"] for row in world.rows("settings")} >= set(keys)
