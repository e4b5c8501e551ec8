"""Every figure the exchange goes by, in one table (docs: outbox, defaults). Seconds unless the name says otherwise."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Defaults:
    """`lease` is renewed at a third; it is longer than any call's deadline."""

    backoff_base: float = 2.0
    backoff_factor: float = 2.0
    backoff_cap: float = 900.0
    retry_after_cap: float = 6 * 3600.0
    retry_after_spread: float = 0.1
    lease: float = 120.0
    claim_limit: int = 50
    ask_limit: int = 4
    batch: int = 50
    connect_timeout: float = 5.0
    read_timeout: float = 30.0
    call_deadline: float = 60.0
    alert_age: float = 300.0
    give_up_after: float = 7 * 86400.0
    give_up_after_notify: float = 86400.0
    correlate_within: float = 86400.0
    conflict_rounds: int = 5
    poison_alone_from: int = 3
    poison_parks_at: int = 5
    poison_cpu: float = 20.0
    poison_wall: float = 30.0
    poison_memory_bytes: int = 1_073_741_824
    task_parks_at: int = 5
    gate_save_every: float = 5.0
    group: int = 8
    """Calls whose attempts are committed together, where the safety mode allows several."""


DEFAULTS = Defaults()
