"""Single stories to look at: `hub demo --scenario NAME`, one order each, its timeline printed when it has settled."""

from __future__ import annotations

from collections.abc import Sequence

from hub.demo.story import STORY, Tale

_TOLD: dict[str, str] = {
    "split": "split",
    "ship-from-store": "from-store",
    "backorder": "restocked",
    "cancel-too-late": "cancelled-too-late",
    "short-pick": "short-pick",
}
"""Scenarios that the story of the demo tells already: their names there."""

SCENARIOS: dict[str, tuple[Tale, ...]] = {
    name: tuple(tale for tale in STORY if tale.name == told) for name, told in _TOLD.items()
}
"""The tales of a scenario by its name, in the order they are shown."""


def scenario_tales(names: Sequence[str]) -> list[Tale]:
    """The tales of these scenarios, each once; `all` names every one of them."""
    wanted = SCENARIOS if "all" in names else {name: SCENARIOS[name] for name in names}
    return list({tale.name: tale for tales in wanted.values() for tale in tales}.values())
