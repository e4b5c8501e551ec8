"""Moving stock between two locations of ours: an order of type transfer, with one line and one fulfilment order."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from hub.domain.decision import Decision, Verdict
from hub.domain.events import Fact
from hub.domain.fulfilment import Method
from hub.domain.ids import derived_id
from hub.domain.money import decimal_text
from hub.domain.order import MADE_HERE, Order, OrderLine
from hub.domain.quantity import Bucket, Ledger
from hub.domain.snapshot import Snapshot
from hub.oms.desk.load import Case
from hub.oms.desk.save import save, tell
from hub.oms.fulfilment.confirm import plan_work
from hub.oms.intake.groups import TRANSFER_TO
from hub.oms.ports import Rules
from hub.oms.stock.reserve import reserve

ZERO = Decimal(0)
CHANNEL = "hub"
"""Whom such an order comes from: no channel knows it."""


def transfer_stock(
    snapshot: Snapshot,
    rules: Rules,
    now: dt.datetime,
    cause: str,
    sku: str,
    source: str,
    destination: str,
    quantity: Decimal,
    reason: str,
) -> Decision:
    """Ask a location to send units of a SKU to another; they are reserved there at once, as for any order."""
    why_not = _why_not(snapshot, rules, sku, source, destination, quantity)
    if why_not:
        return Decision(Verdict.IGNORED, message=why_not)
    entities = [rules.channels[name].seller_entity for name in sorted(rules.channels)]
    order = Order(
        id=derived_id("or", CHANNEL, cause),
        channel=CHANNEL,
        scope="",
        external_id=cause,
        seller_entity=entities[0] if entities else "",
        order_type=Method.TRANSFER,
        number=f"T-{cause[-8:].upper()}",
        placed_at=now,
        confirmed_at=now,
        created_at=now,
        facts={TRANSFER_TO: destination, "transfer_from": source, "reason": reason, MADE_HERE: Method.TRANSFER.value},
    )
    line = OrderLine(
        id=derived_id("ln", order.id, "1"),
        order_id=order.id,
        number=1,
        external_line_id="1",
        sku=sku,
        ledger=Ledger(),
        wanted=quantity,
    )
    order.lines.append(line)
    line.ledger.grow(quantity)
    case = Case(order, rules, snapshot, now, cause, new=True)
    tell(case, Fact.ORDER_CAPTURED)
    line.ledger.move(Bucket.OPEN, Bucket.ALLOCATED, quantity)
    reserve(case, line, source, quantity)
    plan_work(case)
    decision = save(case)
    decision.message = f"{decimal_text(quantity)} of {sku} from {source} to {destination}: order {order.id}"
    return decision


def _why_not(snapshot: Snapshot, rules: Rules, sku: str, source: str, destination: str, quantity: Decimal) -> str:
    for name in (source, destination):
        if name not in rules.locations:
            return f"there is no location {name}"
    if source == destination:
        return "goods do not move to where they are"
    if quantity <= 0:
        return "a transfer moves more than nothing"
    row = snapshot.row("stock", {"sku": sku, "location": source})
    safety = rules.locations[source].safety(sku)
    free = row["on_hand"] - row["soft"] - row["firm"] - safety if row else ZERO
    if free < quantity:
        kept = f" ({decimal_text(safety)} are safety stock)" if safety else ""
        return f"{source} has {decimal_text(max(free, ZERO))} of {sku} free{kept}, not {decimal_text(quantity)}"
    return ""
