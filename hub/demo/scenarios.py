"""Single stories to look at: `hub demo --scenario NAME`, one order each, its timeline printed when it has settled."""

from __future__ import annotations

from collections.abc import Sequence

from hub.demo.goods import EAST, SHOP_LOCATIONS, STORE
from hub.demo.seen import SeenOrder
from hub.demo.story import STORY, Step, Tale, placed
from hub.demo.systems import WMS

_TOLD: dict[str, str] = {
    "split": "split",
    "ship-from-store": "from-store",
    "backorder": "restocked",
    "cancel-too-late": "cancelled-too-late",
    "short-pick": "short-pick",
}
"""Scenarios that the story of the demo tells already: their names there."""


def ready(order: SeenOrder) -> bool:
    return order.units("ready_for_pickup") > 0 and not order.open_calls()


def preordered(order: SeenOrder) -> bool:
    return order.units("preordered") > 0


def _pickup(location: str) -> str:
    return f"gid://shopify/Location/{SHOP_LOCATIONS[location]}"


_OWN: dict[str, Tale] = {
    "bopis": Tale(
        "bopis",
        "bought online, collected at the store: put ready, then handed over to its buyer",
        placed(("LANTERN", 2), shipping="0", pickup=_pickup(STORE)),
        {"handed_over": 2},
        steps=(Step(WMS, "act", {"client_order_id": "$work", "do": "hand_over"}, ready),),
        worth_typing=True,
    ),
    "preorder": Tale(
        "preorder",
        "sold before it is there, dated by a purchase order; it comes and is sent",
        placed(("GAME-BOARD", 1)),
        {"shipped": 1},
        steps=(
            Step(WMS, "set_stock", {"rows": [{"warehouse": EAST, "sku": "GAME-BOARD", "quantity": "40"}]}, preordered),
            Step(WMS, "snapshot", {"warehouse": EAST}, preordered),
        ),
        worth_typing=True,
    ),
}

SCENARIOS: dict[str, tuple[Tale, ...]] = {
    **{name: tuple(tale for tale in STORY if tale.name == told) for name, told in _TOLD.items()},
    **{name: (tale,) for name, tale in _OWN.items()},
}
"""The tales of a scenario by its name, in the order they are shown."""


def scenario_tales(names: Sequence[str]) -> list[Tale]:
    """The tales of these scenarios, each once; `all` names every one of them."""
    wanted = SCENARIOS if "all" in names else {name: SCENARIOS[name] for name in names}
    return list({tale.name: tale for tales in wanted.values() for tale in tales}.values())
