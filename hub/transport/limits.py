"""Token buckets: how often a connection may call, by operation."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace

from hub.sdk.ports import Clock

MAX_LEARNED_RATE = 10_000.0
"""Calls a second; an answer that tells more is not believed."""

_RATE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")

Saved = float | Mapping[str, float]
"""Tokens, or tokens and a rate that was learned."""


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

    @property
    def rate(self) -> float:
        return self._limit.rate

    def adopt(self, rate: float) -> None:
        """From now on this many tokens a second; what has been gathered so far stays."""
        with self._lock:
            self._refill()
            self._limit = replace(self._limit, rate=rate)

    def _refill(self) -> None:
        now = self._clock.monotonic()
        if now > self._at:
            self._tokens = min(self._limit.burst, self._tokens + (now - self._at) * self._limit.rate)
            self._at = now


class Limits:
    """The buckets of one connection; an operation without a limit of its own shares `default`.

    `learn_from` names, by bucket, the answer header in which the other side tells the present rate in calls a second;
    a rate that was told replaces the configured one, and is saved with the tokens.
    """

    def __init__(
        self,
        limits: Mapping[str, Limit],
        clock: Clock,
        *,
        start_empty: bool = True,
        learn_from: Mapping[str, str] | None = None,
    ) -> None:
        self._buckets = {name: TokenBucket(limit, clock, start_empty=start_empty) for name, limit in limits.items()}
        self._learn_from = {name: header.lower() for name, header in (learn_from or {}).items()}
        self._learned: set[str] = set()

    def take(self, operation: str) -> float:
        """0.0 if the call may go now, else the seconds to wait; always 0.0 where nothing is limited."""
        bucket = self._bucket(operation)
        return bucket.take() if bucket else 0.0

    def hold(self, operation: str, seconds: float) -> None:
        bucket = self._bucket(operation)
        if bucket:
            bucket.hold(seconds)

    def learn(self, operation: str, headers: Mapping[str, str]) -> None:
        """Adopt the rate that an answer tells, where its bucket learns and the header holds a usable figure."""
        name = operation if operation in self._buckets else "default"
        told = headers.get(self._learn_from.get(name, ""), "").strip()
        if name not in self._buckets or not _RATE.fullmatch(told) or not 0 < float(told) <= MAX_LEARNED_RATE:
            return
        self._buckets[name].adopt(float(told))
        self._learned.add(name)

    def save(self) -> dict[str, Saved]:
        """Tokens by bucket; with the rate where it was learned."""
        return {
            name: {"tokens": bucket.save(), "rate": bucket.rate} if name in self._learned else bucket.save()
            for name, bucket in self._buckets.items()
        }

    def restore(self, saved: Mapping[str, Saved]) -> None:
        """Buckets that are configured no longer are left out, and rates of those that learn no longer."""
        for name, kept in saved.items():
            if name not in self._buckets:
                continue
            if isinstance(kept, Mapping):
                if name in self._learn_from:
                    self._buckets[name].adopt(float(kept["rate"]))
                    self._learned.add(name)
                kept = kept["tokens"]
            self._buckets[name].restore(float(kept))

    def _bucket(self, operation: str) -> TokenBucket | None:
        return self._buckets.get(operation) or self._buckets.get("default")
