"""The orders of the demo: what is placed, what happens to each afterwards, and where it must end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hub.demo.goods import EAST, EVERYDAY, STORE, WEST, price_of
from hub.demo.seen import SeenOrder
from hub.demo.systems import MARKET, PARTNER, SHOP, WMS

When = Callable[[SeenOrder], bool]
Json = Mapping[str, Any]


HUB = "hub"
"""Where a person at the hub does something, by its name in hub/actions."""


@dataclass(frozen=True, slots=True)
class Step:
    """What somebody outside, or a person at the hub, does once `when` holds. "$order" in the payload stands for the
    channel's id (at the hub: the hub's), "$work" for the fulfilment order's, and "$name" for what an earlier step at
    the hub answered under that name."""

    system: str
    """The connection of the system it is done in, or HUB."""
    verb: str
    payload: Json
    when: When


@dataclass(frozen=True, slots=True)
class Tale:
    """One order. `ends` are its units by bucket when nothing more will happen by itself; `needs` the kinds of exception
    that a person then finds, `held` the holds."""

    name: str
    title: str
    wish: Json
    ends: Mapping[str, int]
    channel: str = SHOP
    steps: tuple[Step, ...] = ()
    needs: frozenset[str] = frozenset()
    held: int = 0
    worth_typing: bool = False
    locations: tuple[str, ...] = ()
    """Where it must have been shipped from, in any order; empty = not said."""
    effects: str = "on"
    refunded: str = "0"
    """What must have been given back to the buyer, in the order's currency."""
    returned: tuple[str, ...] = ()
    """The states its returns must have come to."""
    linked: tuple[str, ...] = ()
    """The status that orders made out of it must have come to."""
    placed_early: bool = field(default=False)
    """Placed with the first, because something has to happen to it while the others go on."""


def confirmed(order: SeenOrder) -> bool:
    return order.status == "confirmed"


def held(order: SeenOrder) -> bool:
    return order.holds > 0


def backordered(order: SeenOrder) -> bool:
    return order.units("backordered") > 0


def acknowledged(order: SeenOrder) -> bool:
    return order.works_in("acknowledged")


def packed(order: SeenOrder) -> bool:
    return order.works_in("packed")


def shipped(order: SeenOrder) -> bool:
    return order.units("shipped") > 0 and not order.open_calls()


def cancelled_here(order: SeenOrder) -> bool:
    return "cancel_at_channel" in order.exceptions and not order.open_calls()


def cancel_refused(order: SeenOrder) -> bool:
    return "cancel_refused" in order.exceptions


def _lines(*lines: tuple[str, int]) -> list[dict[str, Any]]:
    return [{"sku": sku, "quantity": quantity, "price": price_of(sku)} for sku, quantity in lines]


def placed(*lines: tuple[str, int], **more: Any) -> dict[str, Any]:
    return {"lines": _lines(*lines), "shipping": "4.90", **more}


def _digital(title: str, price: str) -> dict[str, Any]:
    return {"title": title, "quantity": 1, "price": price, "requires_shipping": False}


STORY: tuple[Tale, ...] = (
    Tale("plain", "one article, paid", placed(("MUG-BLUE", 1)), {"shipped": 1}),
    Tale(
        "several-lines",
        "three articles",
        placed(("TEE-M", 1), ("NOTE-A5", 2), ("BAG-CANVAS", 1)),
        {"shipped": 4},
    ),
    Tale("many-units", "twenty-four of one article", placed(("NOTE-A5", 24)), {"shipped": 24}),
    Tale(
        "split",
        "two articles that no location has both of",
        placed(("DESK-160", 1), ("RUG-GREY", 1), shipping="39.00"),
        {"shipped": 2},
        locations=(EAST, WEST),
        worth_typing=True,
    ),
    Tale(
        "split-line",
        "five of an article, three here and two there",
        placed(("BOTTLE-1L", 5)),
        {"shipped": 5},
        locations=(EAST, WEST),
    ),
    Tale(
        "from-store",
        "only the store has it; the hub buys the store's label, the carrier brings it",
        placed(("SCARF-WOOL", 2)),
        {"delivered": 2},
        locations=(STORE,),
        worth_typing=True,
    ),
    Tale(
        "discount",
        "a discount code over two lines, cents that do not divide",
        placed(("PEN-SET", 1), ("TEE-L", 2), discount_code="AUTUMN", discount="10.01"),
        {"shipped": 3},
    ),
    Tale(
        "tax-on-top",
        "sales tax on top of the prices",
        placed(("BAG-CANVAS", 2), tax_rate="0.0825"),
        {"shipped": 2},
    ),
    Tale(
        "tax-included",
        "euro prices with the tax inside",
        placed(("MUG-WHITE", 3), currency="EUR", taxes_included=True, tax_rate="0.19", country="DE"),
        {"shipped": 3},
    ),
    Tale(
        "yen",
        "yen have no cents",
        {
            "lines": [{"sku": "POSTER-A2", "quantity": 2, "price": "2300"}],
            "currency": "JPY",
            "country": "JP",
            "shipping_address": {"city": "Tokyo", "province": "Tokyo", "zip": "100-0001"},
        },
        {"shipped": 2},
    ),
    Tale(
        "discount-tax",
        "discount and tax inside together",
        placed(
            ("TEE-M", 3), currency="EUR", taxes_included=True, tax_rate="0.19", discount_code="KLEIN", discount="7.77"
        ),
        {"shipped": 3},
    ),
    Tale(
        "low-value",
        "below 30: goes in one parcel or not at all",
        placed(("NOTE-A5", 1), ("MUG-WHITE", 1)),
        {"shipped": 2},
    ),
    Tale(
        "several-parcels",
        "one order, three parcels",
        placed(("BOWL-SET", 1), ("MUG-BLUE", 2), ("TEE-L", 1)),
        {"shipped": 4},
    ),
    Tale(
        "digital-line",
        "a mug and a download",
        {"lines": [*_lines(("MUG-BLUE", 1)), _digital("Pattern book (PDF)", "9.00")], "shipping": "4.90"},
        {"shipped": 1, "delivered": 1},
    ),
    Tale(
        "digital-only",
        "nothing to ship",
        {"lines": [_digital("Pattern book (PDF)", "9.00")], "digital": True},
        {"delivered": 1},
    ),
    Tale(
        "test-order",
        "a test order of the shop: kept, nothing done",
        placed(("TEE-M", 1), test=True),
        {"open": 1},
        effects="none",
    ),
    Tale(
        "edited-before",
        "the address lacked a postal code: held, corrected and enlarged by the buyer, released by itself",
        placed(("TEE-L", 1), shipping_address={"zip": ""}),
        {"shipped": 2},
        steps=(
            Step(SHOP, "edit", {"id": "$order", "lines": {"TEE-L": 2}, "shipping_address": {"zip": "62701"}}, held),
        ),
        placed_early=True,
    ),
    Tale(
        "edited-after",
        "reduced from three to one while the warehouse had it",
        placed(("MAT-SLEEP", 3)),
        {"shipped": 1, "cancelled": 2},
        steps=(
            Step(SHOP, "edit", {"id": "$order", "lines": {"MAT-SLEEP": 1}}, acknowledged),
            Step(
                WMS,
                "act",
                {"client_order_id": "$work", "do": "ship"},
                lambda order: order.units("cancelled") == 2 and not order.open_calls(),
            ),
        ),
        worth_typing=True,
        placed_early=True,
    ),
    Tale(
        "line-added",
        "an article added after the first had gone to the warehouse",
        placed(("STOVE-GAS", 1)),
        {"shipped": 2},
        steps=(
            Step(
                SHOP,
                "edit",
                {"id": "$order", "add": [{"sku": "PEN-SET", "quantity": 1, "price": "18.00"}]},
                acknowledged,
            ),
            Step(
                WMS,
                "act",
                {"client_order_id": "$work", "do": "ship"},
                lambda order: order.units("shipped") == 1 and not order.open_calls(),
            ),
        ),
        placed_early=True,
    ),
    Tale(
        "cancelled-before",
        "cancelled while its payment was pending: nothing ever left",
        placed(("BAG-CANVAS", 1), financial_status="pending"),
        {"cancelled": 1},
        steps=(Step(SHOP, "cancel", {"id": "$order", "reason": "customer"}, held),),
    ),
    Tale(
        "cancelled-after",
        "cancelled while the warehouse had it; the warehouse agreed",
        placed(("TENT-2P", 1)),
        {"cancelled": 1},
        steps=(Step(SHOP, "cancel", {"id": "$order", "reason": "customer"}, acknowledged),),
        worth_typing=True,
        placed_early=True,
    ),
    Tale(
        "cancelled-too-late",
        "cancelled when it stood packed; the warehouse refused and shipped",
        placed(("ROPE-30M", 1)),
        {"shipped": 1},
        steps=(
            Step(WMS, "act", {"client_order_id": "$work", "do": "pack"}, acknowledged),
            Step(SHOP, "cancel", {"id": "$order", "reason": "customer"}, packed),
            Step(WMS, "act", {"client_order_id": "$work", "do": "ship"}, cancel_refused),
        ),
        needs=frozenset({"cancel_refused", "refused"}),
        worth_typing=True,
        placed_early=True,
    ),
    Tale(
        "refused-by-erp",
        "the ERP refuses it: an article it has blocked",
        placed(("LAMP-1999", 1)),
        {"shipped": 1},
        needs=frozenset({"refused"}),
        worth_typing=True,
    ),
    Tale(
        "short-pick",
        "not found on its shelf: sent from the other location",
        placed(("KETTLE-1L", 2)),
        {"shipped": 2},
        locations=(WEST,),
        worth_typing=True,
    ),
    Tale(
        "rejected-by-store",
        "the store could not do it: sent from elsewhere",
        placed(("CLOCK-WALL", 1)),
        {"shipped": 1},
    ),
    Tale(
        "out-of-stock",
        "nobody has it: waits for goods",
        placed(("CHAIR-OAK", 1)),
        {"backordered": 1},
        worth_typing=True,
    ),
    Tale(
        "restocked",
        "nobody had it, then goods came in",
        placed(("VASE-RED", 2)),
        {"shipped": 2},
        steps=(
            Step(WMS, "set_stock", {"rows": [{"warehouse": EAST, "sku": "VASE-RED", "quantity": "10"}]}, backordered),
            Step(WMS, "snapshot", {"warehouse": EAST}, backordered),
        ),
        placed_early=True,
    ),
    Tale(
        "unknown-sku",
        "an article nobody has told the hub of: waits, the other one reserved",
        placed(("MUG-BLUE", 1), ("SOCKS-42", 1)),
        {"allocated": 1, "open": 1},
        held=1,
        needs=frozenset({"hold"}),
        worth_typing=True,
    ),
    Tale(
        "refunded",
        "came back: refunded after shipping",
        placed(("TABLE-SIDE", 2)),
        {"shipped": 2},
        steps=(Step(SHOP, "refund", {"id": "$order", "lines": {"TABLE-SIDE": 1}, "restock": "return"}, shipped),),
    ),
    Tale(
        "payment-pending",
        "not paid yet: held until it is",
        placed(("MUG-WHITE", 2), financial_status="pending"),
        {"open": 2},
        held=1,
    ),
    Tale(
        "market",
        "bought at the marketplace",
        placed(("MUG-BLUE", 1), ("TEE-L", 1), currency="EUR"),
        {"shipped": 2},
        channel=MARKET,
        worth_typing=True,
    ),
    Tale(
        "market-pending",
        "the marketplace has not let it go yet: no money, no address; then it does",
        placed(("PEN-SET", 1), currency="EUR", pending=True),
        {"shipped": 1},
        channel=MARKET,
        steps=(Step(MARKET, "release", {"id": "$order"}, held),),
        placed_early=True,
    ),
    Tale(
        "market-fulfils",
        "the marketplace ships it from its own warehouse: kept, nothing done",
        placed(("NOTE-A5", 2), currency="EUR", by_channel=True),
        {"open": 2},
        channel=MARKET,
        effects="none",
    ),
    Tale(
        "market-regret",
        "the buyer asks to cancel while the warehouse has it; it does not go, a person cancels at the marketplace",
        placed(("HAMMOCK", 1), currency="EUR"),
        {"cancelled": 1},
        channel=MARKET,
        steps=(
            Step(MARKET, "request_cancel", {"id": "$order", "reason": "Changed mind"}, acknowledged),
            Step(MARKET, "cancel", {"id": "$order", "by": "SELLER"}, cancelled_here),
        ),
        placed_early=True,
    ),
    Tale(
        "chain-store",
        "a chain's purchase order: a file with an 850, answered by a 997, an 856 when it has left",
        placed(("MUG-BLUE", 12), ("NOTE-A5", 24)),
        {"shipped": 36},
        channel=PARTNER,
        worth_typing=True,
    ),
    Tale(
        "chain-store-again",
        "another one",
        placed(("TEE-M", 6)),
        {"shipped": 6},
        channel=PARTNER,
    ),
)

BEHAVIOUR: tuple[Json, ...] = (
    {"match": {"sku": "MAT-SLEEP"}, "mode": "hold"},
    {"match": {"sku": "STOVE-GAS"}, "mode": "hold"},
    {"match": {"sku": "TENT-2P"}, "mode": "hold"},
    {"match": {"sku": "HAMMOCK"}, "mode": "hold"},
    {"match": {"sku": "ROPE-30M"}, "mode": "hold", "cancels": "refuse"},
    {"match": {"sku": "CLOCK-WALL", "warehouse": STORE}, "mode": "reject", "reason": "the last one is broken"},
    {"match": {"sku": "BOWL-SET"}, "packages": 3},
    {"match": {"warehouse": STORE}, "labels": "hub"},
    {"match": {"sku": "KETTLE-1L", "warehouse": EAST}, "short": {"KETTLE-1L": "all"}},
)
"""How the warehouse's people treat single articles."""

BLOCKED_IN_ERP: Json = {
    "by": "sku",
    "value": "LAMP-1999",
    "code": "ITEM_BLOCKED",
    "message": "Item LAMP-1999 is blocked for sales",
}


def tales(count: int) -> list[Tale]:
    """The story, filled up with ordinary orders to `count`; never less than the story."""
    more = [_ordinary(number) for number in range(max(0, count - len(STORY)))]
    return [*STORY, *more]


def _ordinary(number: int) -> Tale:
    first, second = EVERYDAY[number % len(EVERYDAY)], EVERYDAY[(number // 2 + 3) % len(EVERYDAY)]
    quantity = 1 + number % 3
    lines = [(first, quantity)] if first == second or number % 4 == 0 else [(first, quantity), (second, 1)]
    units = sum(line[1] for line in lines)
    return Tale(f"ordinary-{number + 1}", "an ordinary order", placed(*lines), {"shipped": units})


def missing(tale: Tale, order: SeenOrder | None) -> str:
    """What still has to happen until the order stands where its tale ends; empty when it does."""
    if order is None:
        return "has not arrived"
    wanted = {bucket: Decimal(units) for bucket, units in tale.ends.items()}
    if order.quantities != wanted:
        return f"units are {_units(order.quantities)}, expected {_units(wanted)}"
    if order.effects != tale.effects:
        return f"effects are {order.effects}, expected {tale.effects}"
    if order.holds != tale.held:
        return f"{order.holds} holds, expected {tale.held}"
    if lacking := tale.needs - set(order.exceptions):
        return f"expected an exception {', '.join(sorted(lacking))}, found {', '.join(order.exceptions) or 'none'}"
    if tale.locations and sorted(order.shipped_from) != sorted(tale.locations):
        return f"shipped from {', '.join(order.shipped_from) or 'nowhere'}, expected {', '.join(tale.locations)}"
    if tale.returned and order.returns != tale.returned:
        return f"returns are {', '.join(order.returns) or 'none'}, expected {', '.join(tale.returned)}"
    if Decimal(tale.refunded) and order.refunded != Decimal(tale.refunded):
        return f"{order.refunded:f} were refunded, expected {tale.refunded}"
    if tale.linked and order.links != tale.linked:
        return f"orders made of it are {', '.join(order.links) or 'none'}, expected {', '.join(tale.linked)}"
    calls = order.open_calls()
    return f"waits for {', '.join(calls)}" if calls else ""


def _units(quantities: Mapping[str, Decimal]) -> str:
    return ", ".join(f"{units:f} {bucket}" for bucket, units in quantities.items()) or "none"
