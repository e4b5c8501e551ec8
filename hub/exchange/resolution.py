"""What a call came to and what that does to its delivery: one table (docs: outbox, resolutions)."""

from __future__ import annotations

import datetime as dt
import enum
import random
from dataclasses import dataclass

from hub.exchange.backoff import backoff_seconds, retry_after_delay
from hub.exchange.defaults import DEFAULTS, Defaults
from hub.sdk.capabilities import SafetyMode
from hub.sdk.errors import CallFailed, ConfigurationError, Resolution, TransportError
from hub.sdk.manifest import CapabilityInfo
from hub.sdk.records import Reply

MAX_WORDS = 2_000


class Counts(enum.StrEnum):
    """How the breaker counts a call. NOTHING: neither way (the other side answered, but not about the work)."""

    SUCCESS = "success"
    FAILURE = "failure"
    NOTHING = "nothing"


class Due(enum.StrEnum):
    """When the delivery is looked at again."""

    NEVER = "never"
    BACKOFF = "backoff"
    RETRY_AFTER = "retry_after"
    BY_MODE = "by_mode"


class Raises(enum.StrEnum):
    """When a person hears of it."""

    CLEARED = "cleared"
    WHEN_OLD = "when_old"
    NEVER = "never"
    AT_ONCE = "at_once"
    PER_CONNECTION = "per_connection"
    BY_MODE = "by_mode"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table. `gives_up`: the delivery's age counts, and beyond the horizon it parks as gave_up."""

    becomes: str
    due: Due
    breaker: Counts
    raises: Raises
    gives_up: bool = False
    pauses: bool = False


TABLE: dict[Resolution, Rule] = {
    Resolution.SUCCESS: Rule("acknowledged", Due.NEVER, Counts.SUCCESS, Raises.CLEARED),
    Resolution.DUPLICATE: Rule("acknowledged", Due.NEVER, Counts.SUCCESS, Raises.CLEARED),
    Resolution.RETRY: Rule("retry", Due.BACKOFF, Counts.FAILURE, Raises.WHEN_OLD, gives_up=True),
    Resolution.RATE_LIMITED: Rule("retry", Due.RETRY_AFTER, Counts.NOTHING, Raises.NEVER),
    Resolution.REJECTED: Rule("refused", Due.NEVER, Counts.NOTHING, Raises.AT_ONCE),
    Resolution.AUTH_FAILED: Rule("retry", Due.BACKOFF, Counts.NOTHING, Raises.PER_CONNECTION, pauses=True),
    Resolution.AMBIGUOUS: Rule("unknown", Due.BY_MODE, Counts.FAILURE, Raises.BY_MODE),
    Resolution.GONE: Rule("refused", Due.NEVER, Counts.NOTHING, Raises.AT_ONCE),
}
"""Resolution of a write -> what becomes of its delivery. A read that is gone resets its cursor instead (polls)."""


@dataclass(frozen=True, slots=True)
class CallResult:
    """How one call ended. `words` are the other side's, bounded; `raw` the answer's bytes."""

    resolution: Resolution
    words: str = ""
    status: int | None = None
    raw: bytes = b""
    content_type: str = ""
    external_id: str | None = None
    retry_after_seconds: float | None = None
    asynchronous: bool = False
    code: str = ""


def result_of_reply(reply: Reply, resolution: Resolution = Resolution.SUCCESS) -> CallResult:
    return CallResult(
        resolution,
        status=reply.status,
        raw=reply.raw,
        content_type=reply.content_type,
        external_id=reply.external_id,
        asynchronous=reply.asynchronous,
    )


def result_of_error(error: Exception) -> CallResult:
    """What a raised error says about the call. What proves nothing is ambiguous: the call may have happened."""
    if isinstance(error, CallFailed):
        return CallResult(
            error.resolution,
            words=error.words[:MAX_WORDS],
            status=error.status,
            raw=error.raw,
            content_type=error.content_type,
            retry_after_seconds=error.retry_after_seconds,
            code=error.code,
        )
    if isinstance(error, TransportError):
        resolution = Resolution.RETRY if error.before_first_byte else Resolution.AMBIGUOUS
        return CallResult(resolution, words=str(error)[:MAX_WORDS])
    if isinstance(error, ConfigurationError):
        return CallResult(Resolution.AMBIGUOUS, words=f"the connection is configured wrongly: {error}"[:MAX_WORDS])
    # A defect of the connector: its text could hold anything, so only its kind is kept.
    return CallResult(Resolution.AMBIGUOUS, words=f"the connector failed with {type(error).__name__}")


@dataclass(frozen=True, slots=True)
class Situation:
    """All that decides beside the result. `first_attempt_at` is the start of the oldest attempt of this delivery.

    `can_lookup`: the connector can be asked whether it happened, whatever its declared mode.
    """

    info: CapabilityInfo
    now: dt.datetime
    deadline: dt.datetime
    created_at: dt.datetime
    give_up_at: dt.datetime
    attempts: int
    first_attempt_at: dt.datetime
    can_lookup: bool = True


@dataclass(frozen=True, slots=True)
class Next:
    """The delivery's next state. `final` states never move again by themselves. `raises`: "" or the kind of exception:
    refused | retrying | gave_up | unknown."""

    state: str
    due_at: dt.datetime | None = None
    probe_after: dt.datetime | None = None
    reply_due_at: dt.datetime | None = None
    park_reason: str | None = None
    raises: str = ""
    clears: bool = False
    pauses: bool = False
    breaker: Counts = Counts.NOTHING

    @property
    def final(self) -> bool:
        return self.state in FINAL


FINAL = frozenset({"acknowledged", "refused", "withdrawn", "coalesced", "abandoned"})
OPEN = frozenset(
    {"pending", "retry", "in_flight", "sent", "unknown", "probing", "conflict", "overdue", "parked", "suppressed"}
)
NEVER = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)
"""Due time of what only a person or an answer can move."""


def effective_mode(
    info: CapabilityInfo, first_attempt_at: dt.datetime, now: dt.datetime, can_lookup: bool
) -> SafetyMode:
    """The declared mode, or what it falls back to once the target has forgotten our idempotency key."""
    if info.safety is not SafetyMode.IDEMPOTENCY_KEY or info.key_ttl_seconds is None:
        return info.safety
    if (now - first_attempt_at).total_seconds() < info.key_ttl_seconds:
        return info.safety
    return SafetyMode.LOOKUP if can_lookup else SafetyMode.NONE


def deduplicates(mode: SafetyMode) -> bool:
    """The target itself makes a repeated call harmless."""
    return mode in (SafetyMode.IDEMPOTENCY_KEY, SafetyMode.UNIQUE_REFERENCE)


def effective_resolution(resolution: Resolution, mode: SafetyMode) -> Resolution:
    """Ambiguous is only a retry where the target deduplicates."""
    return Resolution.RETRY if resolution is Resolution.AMBIGUOUS and deduplicates(mode) else resolution


def decide(
    result: CallResult, situation: Situation, source: random.Random, defaults: Defaults = DEFAULTS
) -> tuple[Resolution, Next]:
    """What the result does to the delivery: the resolution as it is recorded, and the next state."""
    now = situation.now
    mode = effective_mode(situation.info, situation.first_attempt_at, now, situation.can_lookup)
    resolution = effective_resolution(result.resolution, mode)
    rule = TABLE[resolution]
    if rule.becomes == "acknowledged":
        return resolution, _accepted(result, situation, rule)
    if resolution is Resolution.AMBIGUOUS:
        return resolution, unknown(mode, situation, rule.breaker)
    if rule.gives_up and now >= situation.give_up_at:
        return resolution, Next("parked", due_at=NEVER, park_reason="gave_up", raises="gave_up", breaker=rule.breaker)
    if rule.becomes == "refused":
        return resolution, Next("refused", raises="refused", breaker=rule.breaker)
    if rule.due is Due.RETRY_AFTER and result.retry_after_seconds is not None:
        delay = retry_after_delay(result.retry_after_seconds, source, defaults)
    else:
        delay = backoff_seconds(situation.attempts, source, defaults)
    old = rule.raises is Raises.WHEN_OLD and (now - situation.created_at).total_seconds() > defaults.alert_age
    return resolution, Next(
        rule.becomes,
        due_at=now + dt.timedelta(seconds=delay),
        raises="retrying" if old else "",
        pauses=rule.pauses,
        breaker=rule.breaker,
    )


def _accepted(result: CallResult, situation: Situation, rule: Rule) -> Next:
    if result.asynchronous or situation.info.asynchronous:
        overdue = situation.now + dt.timedelta(seconds=situation.info.overdue_after_seconds)
        return Next("sent", due_at=NEVER, reply_due_at=overdue, clears=True, breaker=rule.breaker)
    return Next("acknowledged", clears=True, breaker=rule.breaker)


def unknown(mode: SafetyMode, situation: Situation, breaker: Counts = Counts.NOTHING) -> Next:
    """UNKNOWN: looked up once the call can no longer take effect and the target's reads have caught up, or a person.

    The call's deadline bounds its effect; the lease matters only where the caller may still be alive elsewhere
    (expired leases, which the store turns to unknown itself).
    """
    if mode is SafetyMode.NONE or not situation.can_lookup:
        return Next("unknown", due_at=NEVER, raises="unknown", breaker=breaker)
    probe = max(situation.deadline, situation.now) + dt.timedelta(seconds=situation.info.settle_seconds)
    return Next("unknown", due_at=probe, probe_after=probe, breaker=breaker)
