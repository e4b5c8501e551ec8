"""Token buckets: how often a connection may call, by operation."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from hub.sdk.ports import Clock


@dataclass(frozen=True, slots=True)
class Limit:
    """`rate` tokens a second up to `burst`. Both above 0."""

    rate: float
    burst: float

    def __post_init__(self) -> None:
        if not (self.rate > 0 and self.burst >= 1):
            raise ValueError("a limit needs a rate above 0 and a burst of at least 1")


class TokenBucket:
    """In any span of s seconds at most `burst + rate * s` tokens are taken.

    Buckets start empty: a hub that is killed and restarted in a loop must not send a full burst each time (docs:
    outbox). `restore` gives back what was saved, without credit for the time in between, for buckets so slow that
    starting empty would cost minutes.
    """

    def __init__(self, limit: Limit, clock: Clock, *, start_empty: bool = True) -> None:
        self._limit = limit
        self._clock = clock
        self._tokens = 0.0 if start_empty else limit.burst
        self._at = clock.monotonic()
        self._lock = threading.Lock()

    def take(self, tokens: float = 1.0) -> float:
        """Take `tokens` and return 0.0, or take none and return the seconds until they will be there.

        Raises ValueError for more than the burst, which would never be there.
        """
        if tokens > self._limit.burst:
            raise ValueError(f"{tokens} tokens are more than the burst of {self._limit.burst}")
        with self._lock:
            self._refill()
            if self._tokens >= tokens:
                self._tokens -= tokens
                return 0.0
            held = max(0.0, self._at - self._clock.monotonic())
            # Waking a hair early by rounding would only make the caller ask again.
            return held + (tokens - self._tokens) / self._limit.rate + 1e-6

    def hold(self, seconds: float) -> None:
        """The other side said to wait: no token before `seconds` from now."""
        with self._lock:
            self._refill()
            self._tokens = min(self._tokens, 0.0)
            self._at = max(self._at, self._clock.monotonic() + max(0.0, seconds))

    def save(self) -> float:
        """The tokens there are now, to be kept and given to `restore` after a restart."""
        with self._lock:
            self._refill()
            return self._tokens

    def restore(self, tokens: float) -> None:
        with self._lock:
            self._tokens = max(0.0, min(tokens, self._limit.burst))
            self._at = self._clock.monotonic()

    def _refill(self) -> None:
        now = self._clock.monotonic()
        if now > self._at:
            self._tokens = min(self._limit.burst, self._tokens + (now - self._at) * self._limit.rate)
            self._at = now


class Limits:
    """The buckets of one connection; an operation without a limit of its own shares `default`."""

    def __init__(self, limits: Mapping[str, Limit], clock: Clock, *, start_empty: bool = True) -> None:
        self._buckets = {name: TokenBucket(limit, clock, start_empty=start_empty) for name, limit in limits.items()}

    def take(self, operation: str) -> float:
        """0.0 if the call may go now, else the seconds to wait; always 0.0 where nothing is limited."""
        bucket = self._bucket(operation)
        return bucket.take() if bucket else 0.0

    def hold(self, operation: str, seconds: float) -> None:
        bucket = self._bucket(operation)
        if bucket:
            bucket.hold(seconds)

    def save(self) -> dict[str, float]:
        return {name: bucket.save() for name, bucket in self._buckets.items()}

    def restore(self, saved: Mapping[str, float]) -> None:
        """Buckets that are configured no longer are left out."""
        for name, tokens in saved.items():
            if name in self._buckets:
                self._buckets[name].restore(tokens)

    def _bucket(self, operation: str) -> TokenBucket | None:
        return self._buckets.get(operation) or self._buckets.get("default")
