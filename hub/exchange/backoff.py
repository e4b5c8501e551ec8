"""When a call is tried again. Randomness is passed in, so that a simulation repeats itself."""

from __future__ import annotations

import random

from hub.exchange.defaults import DEFAULTS, Defaults


def backoff_seconds(attempt: int, source: random.Random, defaults: Defaults = DEFAULTS) -> float:
    """Full jitter: anything from 0 to `base * factor ** (attempt - 1)`, at most the cap. `attempt` counts from 1."""
    exponent = min(max(attempt, 1) - 1, 40)  # beyond the cap anyway, and no overflow
    ceiling = min(defaults.backoff_cap, defaults.backoff_base * defaults.backoff_factor**exponent)
    return source.uniform(0.0, ceiling)


def retry_after_delay(asked_seconds: float, source: random.Random, defaults: Defaults = DEFAULTS) -> float:
    """Seconds to wait when the other side said how long: never earlier, up to a tenth later, at most six hours.

    What makes no sense (negative, not a number) counts as at once.
    """
    asked = asked_seconds if asked_seconds > 0 else 0.0
    bounded = min(asked, defaults.retry_after_cap)
    return bounded * (1.0 + source.uniform(0.0, defaults.retry_after_spread))
