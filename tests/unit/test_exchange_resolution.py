"""The one table that decides what a call's end does to its delivery, row by row."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import pytest

from hub.exchange.backoff import backoff_seconds, retry_after_delay
from hub.exchange.resolution import (
    FINAL,
    NEVER,
    OPEN,
    TABLE,
    CallResult,
    Counts,
    Situation,
    decide,
    effective_mode,
    result_of_error,
)
from hub.sdk.capabilities import Capability, SafetyMode
from hub.sdk.classify import retry_after_seconds
from hub.sdk.errors import CallFailed, ConfigurationError, DataError, Resolution, TransportError
from hub.sdk.manifest import CapabilityInfo

NOW = dt.datetime(2026, 3, 2, 9, 0, tzinfo=dt.UTC)
ALL_MODES = list(SafetyMode)
CAREFUL = [SafetyMode.LOOKUP, SafetyMode.NONE]
DEDUPLICATING = [SafetyMode.IDEMPOTENCY_KEY, SafetyMode.UNIQUE_REFERENCE]


def situation(mode: SafetyMode, *, age: float = 0.0, horizon: float = 7 * 86400, **other: Any) -> Situation:
    info = {name: other.pop(name) for name in ("asynchronous", "settle_seconds", "key_ttl_seconds") if name in other}
    created = NOW - dt.timedelta(seconds=age)
    values: dict[str, Any] = {
        "info": CapabilityInfo(Capability.SUBMIT_ORDER, mode, **info),
        "now": NOW,
        "deadline": NOW + dt.timedelta(seconds=30),
        "created_at": created,
        "give_up_at": created + dt.timedelta(seconds=horizon),
        "attempts": 1,
        "first_attempt_at": created,
    }
    return Situation(**{**values, **other})


def come_to(resolution: Resolution, mode: SafetyMode = SafetyMode.LOOKUP, **other: Any) -> Any:
    result = CallResult(resolution, words="said", retry_after_seconds=other.pop("retry_after", None))
    return decide(result, situation(mode, **other), random.Random(1))


def test_every_resolution_has_a_row() -> None:
    assert set(TABLE) == set(Resolution)


@pytest.mark.parametrize("mode", ALL_MODES)
@pytest.mark.parametrize("resolution", [Resolution.SUCCESS, Resolution.DUPLICATE])
def test_success_and_duplicate_acknowledge_and_clear(resolution: Resolution, mode: SafetyMode) -> None:
    _, coming = come_to(resolution, mode)
    assert (coming.state, coming.clears, coming.breaker, coming.raises) == ("acknowledged", True, Counts.SUCCESS, "")


def test_success_where_acceptance_is_asynchronous_is_sent_with_a_due_answer() -> None:
    _, coming = come_to(Resolution.SUCCESS, asynchronous=True)
    assert (coming.state, coming.due_at) == ("sent", NEVER)
    assert coming.reply_due_at == NOW + dt.timedelta(hours=1)


@pytest.mark.parametrize("mode", ALL_MODES)
def test_retry_comes_again_by_backoff_and_counts_for_the_breaker(mode: SafetyMode) -> None:
    _, coming = come_to(Resolution.RETRY, mode)
    assert (coming.state, coming.breaker, coming.raises) == ("retry", Counts.FAILURE, "")
    assert NOW <= coming.due_at <= NOW + dt.timedelta(seconds=2)


def test_a_retry_older_than_the_alert_age_tells_a_person() -> None:
    assert come_to(Resolution.RETRY, age=299)[1].raises == ""
    assert come_to(Resolution.RETRY, age=301)[1].raises == "retrying"


def test_a_retry_beyond_its_horizon_is_given_up() -> None:
    _, coming = come_to(Resolution.RETRY, age=100, horizon=100)
    assert (coming.state, coming.park_reason, coming.raises) == ("parked", "gave_up", "gave_up")


@pytest.mark.parametrize("resolution", [Resolution.RATE_LIMITED, Resolution.AUTH_FAILED])
def test_rate_limits_and_refused_credentials_consume_nothing(resolution: Resolution) -> None:
    _, coming = come_to(resolution, age=10**7, horizon=100)
    assert (coming.state, coming.breaker) == ("retry", Counts.NOTHING)


def test_rate_limited_waits_as_long_as_it_was_told() -> None:
    _, coming = come_to(Resolution.RATE_LIMITED, retry_after=1000.0)
    assert NOW + dt.timedelta(seconds=1000) <= coming.due_at <= NOW + dt.timedelta(seconds=1100)
    assert coming.raises == ""


def test_refused_credentials_pause_the_connection() -> None:
    _, coming = come_to(Resolution.AUTH_FAILED)
    assert (coming.state, coming.pauses) == ("retry", True)


@pytest.mark.parametrize("mode", ALL_MODES)
@pytest.mark.parametrize("resolution", [Resolution.REJECTED, Resolution.GONE])
def test_a_refusal_is_final_and_told_at_once(resolution: Resolution, mode: SafetyMode) -> None:
    _, coming = come_to(resolution, mode)
    assert (coming.state, coming.raises, coming.breaker) == ("refused", "refused", Counts.NOTHING)
    assert coming.final


@pytest.mark.parametrize("mode", DEDUPLICATING)
def test_ambiguous_is_a_retry_where_the_target_deduplicates(mode: SafetyMode) -> None:
    resolution, coming = come_to(Resolution.AMBIGUOUS, mode)
    assert (resolution, coming.state) == (Resolution.RETRY, "retry")


def test_ambiguous_with_lookup_is_unknown_until_deadline_and_settle_time_are_over() -> None:
    resolution, coming = come_to(Resolution.AMBIGUOUS, SafetyMode.LOOKUP, settle_seconds=20.0)
    assert (resolution, coming.state, coming.raises) == (Resolution.AMBIGUOUS, "unknown", "")
    assert coming.probe_after == NOW + dt.timedelta(seconds=30 + 20)


def test_ambiguous_with_no_safety_is_a_persons_at_once() -> None:
    _, coming = come_to(Resolution.AMBIGUOUS, SafetyMode.NONE)
    assert (coming.state, coming.raises, coming.due_at, coming.probe_after) == ("unknown", "unknown", NEVER, None)


def test_a_forgotten_idempotency_key_falls_back_to_lookup_or_a_person() -> None:
    info = CapabilityInfo(Capability.CAPTURE, SafetyMode.IDEMPOTENCY_KEY, key_ttl_seconds=100.0)
    young, old = NOW - dt.timedelta(seconds=99), NOW - dt.timedelta(seconds=100)
    assert effective_mode(info, young, NOW, True) is SafetyMode.IDEMPOTENCY_KEY
    assert effective_mode(info, old, NOW, True) is SafetyMode.LOOKUP
    assert effective_mode(info, old, NOW, False) is SafetyMode.NONE


@pytest.mark.parametrize(
    ("error", "resolution"),
    [
        (TransportError("no such host", before_first_byte=True), Resolution.RETRY),
        (TransportError("reset while reading", before_first_byte=False), Resolution.AMBIGUOUS),
        (TimeoutError(), Resolution.AMBIGUOUS),
        (DataError("the answer is no XML"), Resolution.AMBIGUOUS),
        (ConfigurationError("no endpoint"), Resolution.AMBIGUOUS),
        (KeyError("a defect"), Resolution.AMBIGUOUS),
        (MemoryError(), Resolution.AMBIGUOUS),
        (CallFailed(Resolution.REJECTED, "blocked"), Resolution.REJECTED),
    ],
)
def test_an_error_proves_only_what_it_proves(error: Exception, resolution: Resolution) -> None:
    assert result_of_error(error).resolution is resolution


def test_a_defects_text_is_not_kept() -> None:
    assert "4111111111111111" not in result_of_error(ValueError("4111111111111111")).words


def test_vendor_words_are_verbatim_and_bounded() -> None:
    assert result_of_error(CallFailed(Resolution.REJECTED, "Ünknown customer 7")).words == "Ünknown customer 7"
    assert len(result_of_error(CallFailed(Resolution.REJECTED, "x" * 10_000)).words) == 2_000


def test_final_and_open_states_do_not_meet() -> None:
    assert not FINAL & OPEN
    assert {rule.becomes for rule in TABLE.values()} <= FINAL | OPEN


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ("120", 120, 132),
        ("Mon, 02 Mar 2026 09:10:00 GMT", 600, 660),
        ("0", 0, 2),
        ("1000000000", 6 * 3600, 6 * 3600 * 1.1),
    ],
)
def test_retry_after_in_every_form_is_never_early(header: str, low: float, high: float) -> None:
    asked = retry_after_seconds(header, NOW)
    assert asked is not None
    for seed in range(50):
        assert low <= retry_after_delay(asked, random.Random(seed)) <= high


@pytest.mark.parametrize("header", ["-1", "soon", "", "1e9", "²"])
def test_a_retry_after_that_makes_no_sense_falls_back_to_backoff(header: str) -> None:
    assert retry_after_seconds(header, NOW) is None
    _, coming = come_to(Resolution.RATE_LIMITED, retry_after=None)
    assert NOW <= coming.due_at <= NOW + dt.timedelta(seconds=2)


@pytest.mark.parametrize("asked", [-1.0, 0.0, float("nan"), float("-inf")])
def test_a_wait_below_zero_is_none(asked: float) -> None:
    assert retry_after_delay(asked, random.Random(1)) == 0.0


def test_backoff_spreads_over_the_whole_window_and_never_beyond_the_cap() -> None:
    source = random.Random(7)
    for attempt, ceiling in [(1, 2.0), (2, 4.0), (5, 32.0), (9, 512.0), (10, 900.0), (10_000, 900.0)]:
        drawn = sorted(backoff_seconds(attempt, source) for _ in range(500))
        assert 0.0 <= drawn[0] < ceiling * 0.05
        assert ceiling * 0.95 < drawn[-1] <= ceiling
