"""Token buckets and the breaker, on a clock that moves when told."""

from __future__ import annotations

import datetime as dt
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hub.transport.breaker import Breaker, BreakerSettings, Permit, State
from hub.transport.limits import Limit, Limits, TokenBucket

START = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> dt.datetime:
        return START + dt.timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


# -- buckets -------------------------------------------------------------------------------------------------------


@given(
    rate=st.floats(0.01, 100),
    burst=st.integers(1, 50),
    pauses=st.lists(st.floats(0, 20), min_size=1, max_size=80),
)
def test_no_span_of_time_sees_more_than_the_burst_and_the_rate_allow(
    rate: float, burst: int, pauses: list[float]
) -> None:
    clock = Clock()
    bucket = TokenBucket(Limit(rate, burst), clock, start_empty=False)
    taken: list[float] = []
    for pause in pauses:
        clock.seconds += pause
        while bucket.take() == 0.0:
            taken.append(clock.seconds)
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            span = taken[last] - taken[first]
            assert last - first + 1 <= burst + rate * span + 1e-6


@given(rate=st.floats(0.01, 100), burst=st.integers(1, 50), spent=st.integers(0, 50))
def test_the_wait_it_names_is_enough_and_not_more(rate: float, burst: int, spent: int) -> None:
    clock = Clock()
    bucket = TokenBucket(Limit(rate, burst), clock, start_empty=False)
    for _ in range(min(spent, burst)):
        bucket.take()
    wait = bucket.take()
    if wait:
        clock.seconds += wait * 0.99
        early = bucket.take()
        assert early > 0
        clock.seconds += early
        assert bucket.take() == 0.0


def test_a_bucket_starts_empty_so_that_a_restart_loop_sends_no_bursts() -> None:
    clock = Clock()
    bucket = TokenBucket(Limit(rate=2, burst=40), clock)
    assert bucket.take() == pytest.approx(0.5, abs=1e-5)
    clock.seconds += 100
    assert sum(bucket.take() == 0.0 for _ in range(50)) == 40


def test_what_was_saved_comes_back_without_credit_for_the_time_between() -> None:
    clock = Clock()
    limits = Limits({"default": Limit(0.01, 20), "orders": Limit(0.01, 5)}, clock, start_empty=False)
    for _ in range(3):
        assert limits.take("orders") == 0.0
    saved = limits.save()
    assert saved == {"default": 20, "orders": 2}
    clock.seconds += 86_400
    again = Limits({"orders": Limit(0.01, 5)}, clock)
    again.restore(saved | {"gone": 3.0})
    assert again.save() == {"orders": 2}


def test_the_other_sides_wait_is_kept() -> None:
    clock = Clock()
    limits = Limits({"default": Limit(10, 10)}, clock, start_empty=False)
    limits.hold("anything", 30)
    assert limits.take("anything") >= 30
    clock.seconds += 31
    assert limits.take("anything") == 0.0


def test_an_operation_without_a_limit_is_not_held_up() -> None:
    assert Limits({}, Clock()).take("anything") == 0.0


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (1, 0.5), (math.nan, 1)])
def test_a_limit_that_never_lets_anything_through_is_refused(rate: float, burst: float) -> None:
    with pytest.raises(ValueError, match="a rate above 0"):
        Limit(rate, burst)


# -- breaker -------------------------------------------------------------------------------------------------------


def call(breaker: Breaker, *, success: bool) -> None:
    permit = breaker.permit()
    assert permit is not None
    breaker.record(permit, success=success)


def opened(clock: Clock) -> Breaker:
    breaker = Breaker(clock)
    for _ in range(20):
        call(breaker, success=False)
    assert breaker.state is State.OPEN
    return breaker


def test_it_opens_at_thirty_five_percent_of_twenty_calls_and_not_before() -> None:
    breaker = Breaker(Clock())
    for index in range(19):
        call(breaker, success=index >= 6)
    assert breaker.permit() is not None
    call(breaker, success=False)
    assert breaker.state is State.OPEN
    assert breaker.permit() is None


def test_fewer_failures_leave_it_closed() -> None:
    breaker = Breaker(Clock())
    for index in range(300):
        call(breaker, success=index % 3 != 2)
    assert breaker.state is State.CLOSED


def test_failures_older_than_five_minutes_are_forgotten() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(19):
        call(breaker, success=False)
    clock.seconds += 301
    for _ in range(19):
        call(breaker, success=False)
    assert breaker.state is State.CLOSED


def test_after_two_minutes_one_probe_at_a_time_decides() -> None:
    clock = Clock()
    breaker = opened(clock)
    assert breaker.wait_seconds() == 120
    clock.seconds += 119
    assert breaker.permit() is None
    clock.seconds += 1
    probe = breaker.permit()
    assert probe is not None
    assert breaker.permit() is None
    breaker.record(probe, success=False)
    assert (breaker.state, breaker.permit()) == (State.OPEN, None)
    clock.seconds += 120
    call(breaker, success=True)
    assert breaker.state is State.CLOSED


def test_a_late_result_of_a_call_begun_before_it_opened_decides_nothing() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    slow = breaker.permit()
    assert slow is not None
    for _ in range(20):
        call(breaker, success=False)
    clock.seconds += 120
    breaker.record(slow, success=True)
    assert breaker.state is State.HALF_OPEN


def test_a_probe_whose_caller_died_makes_way_for_the_next() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.seconds += 120
    lost = breaker.permit()
    clock.seconds += 120
    assert lost is not None
    probe = breaker.permit()
    assert probe is not None
    breaker.record(lost, success=True)
    assert breaker.permit() is None
    breaker.record(probe, success=True)
    assert breaker.state is State.CLOSED


def test_a_probe_that_never_called_closes_nothing_and_makes_way_for_the_next() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.seconds += 120
    probe = breaker.permit()
    assert probe is not None
    breaker.give_back(probe)
    states = [breaker.state]
    call(breaker, success=False)
    states.append(breaker.state)
    assert states == [State.HALF_OPEN, State.OPEN]


def test_what_counts_neither_way_does_not_keep_a_breaker_closed() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(100):
        permit = breaker.permit()
        assert permit is not None
        breaker.give_back(permit)
    for _ in range(20):
        call(breaker, success=False)
    assert breaker.state is State.OPEN


def test_an_open_breaker_stays_open_over_a_restart_for_the_rest_of_its_time() -> None:
    clock = Clock()
    kept = opened(clock).snapshot()
    clock.seconds += 100
    again = Breaker(clock)
    again.restore(kept)
    assert again.permit() is None
    assert again.wait_seconds() == 20
    clock.seconds += 20
    assert again.permit() is not None


class BreakerRules(RuleBasedStateMachine):
    """Whatever the calls do: with an open breaker none starts, half open one at most."""

    @initialize()
    def start(self) -> None:
        self.clock = Clock()
        self.breaker = Breaker(self.clock, BreakerSettings(minimum_calls=4))
        self.running: list[tuple[Permit, State]] = []

    @rule()
    def begin(self) -> None:
        state = self.breaker.state
        permit = self.breaker.permit()
        if permit is not None:
            assert state is not State.OPEN
            self.running.append((permit, state))

    @rule(success=st.booleans(), which=st.integers(0, 50))
    def end(self, success: bool, which: int) -> None:
        if self.running:
            permit, _ = self.running.pop(which % len(self.running))
            self.breaker.record(permit, success=success)

    @rule(seconds=st.sampled_from([0.5, 30, 119, 120, 400]))
    def pass_time(self, seconds: float) -> None:
        self.clock.seconds += seconds

    @rule()
    def restart(self) -> None:
        kept = self.breaker.snapshot()
        self.breaker = Breaker(self.clock, BreakerSettings(minimum_calls=4))
        self.breaker.restore(kept)
        self.running.clear()

    @invariant()
    def what_it_says_of_waiting_agrees_with_what_it_permits(self) -> None:
        if hasattr(self, "breaker") and self.breaker.state is State.OPEN:
            assert 0 < self.breaker.wait_seconds() <= 120


TestBreakerRules = BreakerRules.TestCase
