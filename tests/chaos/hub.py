"""`hub` with shorter figures, and spoiled where a run asks for it: `python -m tests.chaos.hub run ...`.

Figures like a lease of two minutes are right for work and too long for a run of one. They are changed here, before
anything reads them, so that the code under test has no hook for tests.
"""

from __future__ import annotations

import functools
import os
import sys
from dataclasses import replace

SABOTAGE = "CHAOS_SABOTAGE"

LEASE_SECONDS = 5.0
BREAKER_OPEN_SECONDS = 3.0


def shorten() -> None:
    """Must run before the modules that copy these figures are imported."""
    import hub.exchange.defaults as defaults
    import hub.store.transaction as transaction
    import hub.transport.breaker as breaker

    defaults.DEFAULTS = replace(defaults.DEFAULTS, lease=LEASE_SECONDS)
    transaction.LEASE_MICROSECONDS = int(LEASE_SECONDS * 1_000_000)
    breaker.BreakerSettings = functools.partial(  # type: ignore[assignment,misc]
        breaker.BreakerSettings, open_seconds=BREAKER_OPEN_SECONDS, probe_seconds=BREAKER_OPEN_SECONDS
    )


def main() -> int:
    shorten()
    name = os.environ.get(SABOTAGE)
    if name:
        from tests.chaos.sabotage import spoil

        spoil(name)
    from hub.cli.main import main as hub

    return hub(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
