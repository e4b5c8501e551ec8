"""What a chaos run does to the hub: faults of the emulated systems, the customers' habits, kills and stops.

The figures are rates in [0, 1] and seconds. A sabotage that only shows under a special mix (webhooks that are given
up, warehouses that say nothing, stopped processes) names it here; a healthy hub passes every one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

AMBIGUOUS = ("error_before", "error_after", "drop_after", "late_commit")
"""Faults after which the caller cannot know whether the work was done: a 500 says nothing either way."""

LATE_COMMIT_SECONDS = 1.2
LOOKUP_LAG_SECONDS = 1.0
SETTLE_SECONDS = 4
"""What the connections declare: above late commit plus lookup lag, or no lookup could ever be believed."""

LOCATIONS = ("east", "west", "north")
STORE = LOCATIONS[-1]
"""Where buyers of the shop collect, in runs with a payment provider."""
SPINE = ("shop", "wms", "erp")
EVERYTHING = ("shop", "market", "edi", "wms", "erp", "crm", "carrier", "payment", "mail")

CALL_FAULTS: Mapping[str, float] = {
    "error_before": 0.02,
    "error_after": 0.03,
    "throttle": 0.03,
    "retry_after_seconds": 1.0,
    "drop_after": 0.03,
    "late_commit": 0.02,
    "late_commit_seconds": LATE_COMMIT_SECONDS,
    "delay": 0.05,
    "delay_seconds": 0.1,
    "lookup_lag_seconds": LOOKUP_LAG_SECONDS,
}
WEBHOOK_FAULTS: Mapping[str, float] = {
    "duplicate_webhook": 0.10,
    "reorder_webhook": 0.15,
    "lose_webhook": 0.05,
    "redeliver_seconds": 0.5,
    "echo_first": 0.30,
}


@dataclass(frozen=True, slots=True)
class Habits:
    """What customers and their shop do, as shares of the orders."""

    edits: float = 0.08
    cancels: float = 0.06
    """Buyers of a marketplace only ask for it."""
    pending: float = 0.05
    """Orders of a marketplace that it lets go only a moment later."""
    refunds: float = 0.03
    returns: float = 0.08
    """Goods that come back unannounced, where the hub handles the money."""
    pickups: float = 0.12
    """Orders of the shop that are collected at the store, where the hub handles the money."""
    no_shows: float = 0.3
    """Of those, whose buyers never come."""
    desk: float = 0.15
    """Orders of the shop about which people here do something, where the hub handles the money."""
    copies: float = 0.05
    """The order's present state again under a new delivery id."""
    bad_signatures: float = 0.03
    corrupt_bodies: float = 0.02
    oversize: float = 0.02
    """Orders placed without looking at what the shop shows, beyond what is there: they wait as backorders."""


@dataclass(frozen=True, slots=True)
class Monkey:
    """`calm_seconds` and `patience_seconds` bound the time between a hub that answers ready and its end."""

    kills: bool = True
    calm_seconds: float = 1.0
    patience_seconds: float = 3.0
    stops: float = 0.0
    """Share of the blows that stop a worker (SIGSTOP) instead of killing it; several processes only."""
    stop_seconds: float = 7.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """One named mix. `note` says what is special about it, for whoever reads the report."""

    name: str
    note: str
    systems: tuple[str, ...] = EVERYTHING
    """Names of rows of the table of systems; the channels among them take orders."""
    calls: Mapping[str, float] = field(default_factory=lambda: dict(CALL_FAULTS))
    webhooks: Mapping[str, float] = field(default_factory=lambda: dict(WEBHOOK_FAULTS))
    habits: Habits = field(default_factory=Habits)
    monkey: Monkey = field(default_factory=Monkey)
    warehouse: Mapping[str, str] = field(default_factory=dict)
    silent_share: float = 0.0
    """Share of the SKUs whose requests the warehouse ignores until the customer cancels or it is told to go on."""
    deaf: bool = False
    """The shop's webhooks never arrive: only polls find orders, and they reach back to nothing."""
    slow: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """System -> its faults beside the others."""
    needs_postgresql: bool = False
    processes: int = 1
    settle_seconds: float = 300.0
    """How long everything may take to settle when the storm is over."""


SLOW_ERP: Mapping[str, Mapping[str, float]] = {"erp": {"delay": 0.7, "delay_seconds": 0.3}}
USUAL = Scenario("usual", "all systems, the whole mix of faults")

SCENARIOS: Mapping[str, Scenario] = {
    "usual": USUAL,
    "spine": replace(
        USUAL, name="spine", note="shop, warehouse and ERP alone, the whole mix", systems=SPINE, settle_seconds=120.0
    ),
    "given-up-webhooks": replace(
        USUAL,
        name="given-up-webhooks",
        note="the shop's webhooks never arrive, only polls find orders",
        deaf=True,
    ),
    "silent-warehouse": replace(
        USUAL,
        name="silent-warehouse",
        note="the warehouse says nothing about a tenth of the articles until the end",
        silent_share=0.1,
    ),
    "slow-answers": replace(
        USUAL,
        name="slow-answers",
        note="the ERP has done its work long before it answers, so that kills come in between",
        slow=SLOW_ERP,
    ),
    "stopped-workers": replace(
        USUAL,
        name="stopped-workers",
        note="workers are stopped for longer than their leases, then go on; the ERP is slow, so that they hold much",
        slow=SLOW_ERP,
        monkey=Monkey(stops=0.8, calm_seconds=0.5, patience_seconds=1.5),
        needs_postgresql=True,
        processes=3,
    ),
}

FOR_SABOTAGE: Mapping[str, str] = {
    "cursor-first": "given-up-webhooks",
    "free-on-silence": "silent-warehouse",
    "skip-attempt": "slow-answers",
    "no-fencing": "stopped-workers",
}
"""Every other sabotage must show under the usual mix."""


def scenario_for(sabotage: str | None, name: str | None) -> Scenario:
    """The named scenario, else the one a sabotage needs, else the usual."""
    return SCENARIOS[name or FOR_SABOTAGE.get(sabotage or "", "usual")]
