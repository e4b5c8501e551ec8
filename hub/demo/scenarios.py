"""Single stories to look at: `hub demo --scenario NAME`, one order each, its timeline printed when it has settled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hub.demo.goods import EAST, SHOP_LOCATIONS, STORE
from hub.demo.seen import SeenOrder
from hub.demo.story import HUB, STORY, Json, Step, Tale, acknowledged, placed, shipped
from hub.demo.systems import CALL_CENTRE, PARTNER, WMS

_TOLD: dict[str, str] = {
    "split": "split",
    "ship-from-store": "from-store",
    "backorder": "restocked",
    "cancel-too-late": "cancelled-too-late",
    "short-pick": "short-pick",
}
"""Scenarios that the story of the demo tells already: their names there."""


def ready(order: SeenOrder) -> bool:
    return order.units("ready_for_pickup") > 0


def preordered(order: SeenOrder) -> bool:
    return order.units("preordered") > 0


def at_once(order: SeenOrder) -> bool:
    """Right after the step before."""
    return True


def captured(order: SeenOrder) -> bool:
    """It has left, and its payment has been taken."""
    return shipped(order) and order.captured > 0


def back(sku: str, units: int, **more: str) -> list[Json]:
    return [{"sku": sku, "quantity": str(units), **more}]


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
    "edit-in-grace": Tale(
        "edit-in-grace",
        "taken by telephone; the caller rings again within its grace: one more, to another street",
        {
            "external_id": "TEL-1001",
            "placed_at": "2026-11-20T09:30:00Z",
            "currency": "USD",
            "payment_state": "paid",
            "totals": {"total": "24.00"},
            "ship_to": {
                "name": "Alex Example",
                "lines": ["5 Station Road"],
                "locality": "Springfield",
                "admin_area_code": "US-IL",
                "postal_code": "62701",
                "country": "US",
            },
            "lines": [{"external_line_id": "1", "sku": "MUG-BLUE", "quantity": "2", "unit_price": "12.00"}],
        },
        {"shipped": 3},
        channel=CALL_CENTRE,
        steps=(
            Step(
                HUB,
                "orders.edit",
                {
                    "reference": "$order",
                    "version": "$version",
                    "lines": [{"line": "1", "quantity": "3"}],
                    "ship_to": {"lines": ["9 Station Road"]},
                    "reason": "the caller rang again",
                },
                lambda order: order.units("allocated") > 0,
            ),
        ),
        worth_typing=True,
    ),
    "buyer-change": Tale(
        "buyer-change",
        "a chain's purchase order, made smaller by an 860 while the warehouse has it; an 865 answers it",
        placed(("HAMMOCK", 3)),
        {"shipped": 1, "cancelled": 2},
        channel=PARTNER,
        steps=(
            Step(
                PARTNER,
                "change",
                {"po": "$order", "lines": [{"line": "1", "code": "QD", "quantity": "1"}]},
                acknowledged,
            ),
            Step(
                WMS,
                "act",
                {"client_order_id": "$work", "do": "ship"},
                lambda order: order.units("cancelled") == 2 and not order.open_calls(),
            ),
        ),
    ),
    "kit": Tale(
        "kit",
        "a picnic set is sold; a basket and four cups are sourced, sent and invoiced to the cent",
        placed(("PICNIC-SET", 2)),
        {"shipped": 12},
        worth_typing=True,
    ),
    "boris": Tale(
        "boris",
        "bought online, brought back to the store, whole: on its shelf again, paid back",
        placed(("JUMPER-M", 2)),
        {"shipped": 2},
        steps=(
            Step(
                HUB,
                "returns.request",
                {"reference": "$order", "lines": back("JUMPER-M", 1), "reason": "too small"},
                shipped,
            ),
            Step(
                HUB,
                "returns.receive",
                {
                    "reference": "$return",
                    "location": STORE,
                    "lines": back("JUMPER-M", 1, grade="A", disposition="restock"),
                },
                at_once,
            ),
            # The store's own system, which the hub's stock follows, counts what lies on its shelf.
            Step(WMS, "set_stock", {"rows": [{"warehouse": STORE, "sku": "JUMPER-M", "quantity": "1"}]}, at_once),
        ),
        refunded="79.00",
        returned=("closed",),
        worth_typing=True,
    ),
    "exchange": Tale(
        "exchange",
        "too small: the larger one goes out as an order of its own, the difference is charged once",
        placed(("JUMPER-M", 1)),
        {"shipped": 1},
        steps=(
            Step(
                HUB,
                "returns.request",
                {
                    "reference": "$order",
                    "lines": back("JUMPER-M", 1),
                    "reason": "too small",
                    "wants": "exchange",
                },
                captured,
            ),
            Step(
                HUB,
                "returns.receive",
                {
                    "reference": "$return",
                    "location": EAST,
                    "lines": back("JUMPER-M", 1, grade="A", disposition="restock"),
                },
                at_once,
            ),
            Step(
                HUB,
                "returns.exchange",
                {
                    "reference": "$return",
                    "wanted": back("JUMPER-L", 1, price="84.00"),
                    "reason": "one size up",
                },
                at_once,
            ),
        ),
        returned=("closed",),
        linked=("closed",),
        worth_typing=True,
    ),
    "partial-refund": Tale(
        "partial-refund",
        "a scratch: five dollars are given back, the goods stay",
        placed(("BOWL-SET", 1)),
        {"shipped": 1},
        steps=(
            Step(
                HUB,
                "orders.refund",
                {"reference": "$order", "amount": "5.00", "reason": "a scratch on the largest bowl"},
                captured,
            ),
        ),
        refunded="5.00",
        worth_typing=True,
    ),
}

SCENARIOS: dict[str, tuple[Tale, ...]] = {
    **{name: tuple(replace(tale, name=name) for tale in STORY if tale.name == told) for name, told in _TOLD.items()},
    **{name: (tale,) for name, tale in _OWN.items()},
}
"""The tales of a scenario by its name, in the order they are shown."""


def scenario_tales(names: Sequence[str]) -> list[Tale]:
    """The tales of these scenarios, each once; `all` names every one of them."""
    wanted = SCENARIOS if "all" in names else {name: SCENARIOS[name] for name in names}
    return list({tale.name: tale for tales in wanted.values() for tale in tales}.values())
