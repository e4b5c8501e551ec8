"""Orders that belong together: made here out of another (replacement, exchange, transfer), or linked to it.

An order made here is an order like any other: it is allocated, released, shipped and posted by the same rules, only
its channel does not know it and is not told of it. It is saved with the order it was made from, in one write set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hub.domain.decision import EventRequest
from hub.domain.events import Fact
from hub.domain.ids import derived_id
from hub.domain.link import LETTERS, LinkRole, link_of, role_of
from hub.domain.money import decimal_text, round_to_minor
from hub.domain.order import MADE_HERE, FulfilledBy, Order, OrderLine
from hub.domain.quantity import Ledger
from hub.domain.totals import line_value
from hub.oms.desk.load import Case, open_case
from hub.oms.desk.save import tell
from hub.oms.intake.kits import explode, keep_in_step

ZERO = Decimal(0)
_PEOPLE = ("buyer", "bill_to", "ship_to")


@dataclass(frozen=True, slots=True)
class NewLine:
    """A line of an order made here. `details` are those of an order line (title, unit, unit_price ...)."""

    sku: str
    quantity: Decimal
    details: Mapping[str, Any] = field(default_factory=dict)


def same_goods(line: OrderLine, quantity: Decimal, **details: str) -> NewLine:
    """The same goods again. They cost what they cost before unless `unit_price` says otherwise ("0": nothing)."""
    assert line.sku, "only goods with a SKU are sent"
    kept = {name: value for name, value in line.details.items() if name in ("title", "unit", "unit_price", "method")}
    return NewLine(line.sku, quantity, {**kept, **details})


def linked_order(case: Case, order_type: str, role: LinkRole, lines: Sequence[NewLine], **facts: Any) -> Case:
    """Make a second order in the same decision, linked to `case`'s in both directions, and ask for its allocation.

    `role` is what the new order is to the old one (exchange_for ...). `facts` overrule those of the old order (method,
    service_level). Its people and addresses are the old one's; change `contacts` of the returned case for others.
    Saving `case` saves both.
    """
    old = case.order
    number = 1 + len(case.linked) + len(case.snapshot.rows("order_links", {"other_order_id": old.id}))
    external_id = f"{old.external_id}/{role}/{number}"
    order = Order(
        id=derived_id("or", old.id, role, str(number)),
        channel=old.channel,
        scope=old.scope,
        external_id=external_id,
        seller_entity=old.seller_entity,
        order_type=order_type,
        number=f"{old.number or old.external_id}-{LETTERS[role]}{number}",
        currency=old.currency,
        placed_at=case.now,
        effects=old.effects,
        created_at=case.now,
    )
    kept: dict[str, Any] = {
        name: old.facts[name] for name in ("method", "service_level", "customer") if name in old.facts
    }
    order.facts = {**kept, "payment_state": "paid", **facts, MADE_HERE: role.value}
    for position, wanted in enumerate(lines, 1):
        order.lines.append(_line(order, position, wanted))
    total = sum((line_value({**line.details, "quantity": str(line.wanted)}) for line in order.lines), ZERO)
    order.total = round_to_minor(total, order.currency) if order.currency else total
    order.facts["totals"] = {"lines": decimal_text(order.total), "total": decimal_text(order.total)}
    other = Case(
        order, case.rules, case.snapshot, case.now, case.cause, new=True, decision=case.decision, part=order.id
    )
    explode(other)
    keep_in_step(other)
    other.contacts.update({role: case.contacts[role] for role in _PEOPLE if role in case.contacts})
    case.linked.append(other)
    tell(other, Fact.ORDER_CAPTURED)
    _write(case, order.id, role, old.id)
    if other.acts:
        other.task("allocate", order.id, case.now)
    return other


def link(case: Case, other_order_id: str, role: LinkRole) -> None:
    """Keep that this order is `role` to another; said twice it is kept once."""
    _write(case, case.order.id, role, other_order_id)


def also_open(case: Case, order_id: str) -> Case | None:
    """Another order for the same decision, or None; saving `case` saves both, each under its own version."""
    found = open_case(case.snapshot, case.rules, case.now, case.cause, order_id)
    if found is not None:
        found.decision, found.part = case.decision, order_id
        case.linked.append(found)
    return found


def _write(case: Case, order_id: str, role: LinkRole, other_order_id: str) -> None:
    made = link_of(order_id, role, other_order_id)
    if case.snapshot.row("order_links", {"id": made.id}) is not None:
        return
    case.decision.writes.insert(
        "order_links",
        {
            "id": made.id,
            "order_id": made.order_id,
            "other_order_id": made.other_order_id,
            "role": made.role.value,
            "at": case.now,
        },
        claim=True,
    )
    for one, other in ((made.order_id, made.other_order_id), (made.other_order_id, made.order_id)):
        data = {"other": other, "role": role_of(one, made).value}
        key = f"{Fact.ORDER_LINKED}/{one}/{made.id}"
        case.decision.events.append(EventRequest(Fact.ORDER_LINKED.value, one, key, one, data))


def _line(order: Order, position: int, wanted: NewLine) -> OrderLine:
    external_id = str(position)
    line = OrderLine(
        id=derived_id("ln", order.id, external_id),
        order_id=order.id,
        number=position,
        external_line_id=external_id,
        sku=wanted.sku,
        ledger=Ledger(),
        fulfilled_by=FulfilledBy.US,
        wanted=wanted.quantity,
        details=dict(wanted.details),
    )
    line.ledger.grow(wanted.quantity)
    return line
