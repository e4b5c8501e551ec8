"""An order that its channel edited by placing another one: another id, perhaps another currency.

The old order is cancelled by its replacement, whichever of the two arrives first; what had left of it counts as left of
the new one, and what was invoiced of it as invoiced. While a location may still ship the old one the new one is held,
so that goods leave once.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from hub.domain.decision import Decision, DueTask, Verdict
from hub.domain.events import Fact
from hub.domain.link import LinkRole
from hub.domain.money import decimal_text
from hub.domain.order import Effects, OrderLine
from hub.domain.quantity import LEFT
from hub.domain.snapshot import Snapshot
from hub.domain.totals import line_value
from hub.domain.validation import HoldKind, Rule
from hub.oms.change.cancel import cancel_whole, settle_cancel
from hub.oms.change.reconcile import HEIR, reconcile
from hub.oms.desk.load import Case, new_case, new_hold, open_case
from hub.oms.desk.save import save, tell
from hub.oms.desk.times import instant_text
from hub.oms.intake.holds import HUB, release
from hub.oms.intake.linked import also_open, link
from hub.oms.ports import Rules
from hub.oms.stock.reserve import count_unassigned

ZERO = Decimal(0)
CARRIED = "carried"


def meet_replacement(case: Case, record: Mapping[str, Any]) -> None:
    """What an order says of the one that it replaces, or that replaces it."""
    order = case.order
    if record.get("replaced_by"):
        cancel_whole(case, "channel", f"replaced by {record['replaced_by']}", _now(case))
        heir = _known(case, str(record["replaced_by"]))
        if heir is not None:
            order.facts = {**order.facts, HEIR: heir}
            link(case, heir, LinkRole.REPLACED_BY)
    replaces = record.get("replaces")
    if not replaces or replaces == order.external_id or _linked(case):
        return
    known = _known(case, str(replaces))
    old = _placeholder(case, str(replaces)) if known is None else also_open(case, known)
    assert old is not None
    old.order.facts = {**old.order.facts, HEIR: order.id}
    cancel_whole(old, "channel", f"replaced by {order.number or order.external_id}", _now(case))
    link(case, old.order.id, LinkRole.REPLACES)
    if not old.order.known:
        return
    settle_cancel(old, f"replaced by {order.number or order.external_id}")
    tell(old, Fact.ORDER_CHANGED)
    _carry(case, old)
    if case.acts and not _over(old):
        hint = f"{old.order.number or old.order.external_id} is being taken back; it goes on when that has ended"
        order.holds.append(new_hold(case, HoldKind.VALIDATION, Rule.REPLACES, "replaces", hint, None, "replaces"))


def handle_carry_over(rules: Rules) -> Callable[[DueTask, Snapshot, dt.datetime], Decision]:
    """The task `carry_over`: subject is an order that replaces others; something may have become of those."""

    def carry_over(task: DueTask, snapshot: Snapshot, now: dt.datetime) -> Decision:
        case = open_case(snapshot, rules, now, task.id, task.subject)
        if case is None or not case.order.known:
            return Decision(Verdict.IGNORED, message="there is no such order any more")
        links = snapshot.rows("order_links", {"order_id": task.subject, "role": LinkRole.REPLACES.value})
        old = [found for row in links if (found := open_case(snapshot, rules, now, task.id, row["other_order_id"]))]
        for one in old:
            _carry(case, one)
        if all(_over(one) for one in old):
            for hold in case.order.holds:
                if hold.open and hold.rule == Rule.REPLACES:
                    release(case, hold, HUB)
        reconcile(case)
        count_unassigned(case)
        if case.acts and not case.order.open_holds():
            case.task("allocate", case.order.id, now)
        return save(case)

    return carry_over


def _carry(case: Case, old: Case) -> None:
    """What has left of the old order, and was not counted yet, has left of the new one by another's hand."""
    order = case.order
    carried = {sku: Decimal(units) for sku, units in order.facts.get(CARRIED, {}).items()}
    gone: dict[str, Decimal] = {}
    for line in old.order.lines:
        if line.sku and line.kit is None:
            gone[line.sku] = gone.get(line.sku, ZERO) + line.ledger.sum(LEFT) + line.ledger.over_shipped
    value = ZERO
    for line in sorted(order.lines, key=lambda line: line.number):
        sku = line.sku or ""
        units = min(gone.get(sku, ZERO) - carried.get(sku, ZERO), line.live - line.channel_shipped)
        if line.kit is not None or units <= 0:
            continue
        line.channel_shipped += units
        carried[sku] = carried.get(sku, ZERO) + units
        value += _value(line, units)
    if not value and not carried:
        return
    facts = {**order.facts, CARRIED: {sku: decimal_text(units) for sku, units in carried.items()}}
    invoiced = old.order.facts.get("invoiced")
    if invoiced is not None and old.order.currency == order.currency:
        facts["invoiced"] = invoiced
    elif invoiced is not None and value:
        # Charged in another money: what has left is not charged again, whatever a rate would make of it.
        before = Decimal(facts.get("invoiced", {}).get("goods", "0"))
        zeros = dict.fromkeys(("shipping", "tax", "discounts"), "0")
        facts["invoiced"] = {**zeros, "goods": decimal_text(before + value)}
    order.facts = facts


def _value(line: OrderLine, units: Decimal) -> Decimal:
    return line_value({**line.details, "quantity": decimal_text(line.ledger.ordered)}, units)


def _over(old: Case) -> bool:
    """No location has anything of the old order any more."""
    return not any(part.at_location for work in old.work for part in work.lines)


def _known(case: Case, external_id: str) -> str | None:
    order = case.order
    where = {"channel": order.channel, "scope": order.scope, "external_id": external_id}
    row = case.snapshot.row("orders", where)
    return None if row is None else str(row["id"])


def _linked(case: Case) -> bool:
    where = {"order_id": case.order.id, "role": LinkRole.REPLACES.value}
    return not case.new and bool(case.snapshot.rows("order_links", where, limit=1))


def _placeholder(case: Case, external_id: str) -> Case:
    """The old order was not seen yet: it will land cancelled."""
    channel = case.channel
    assert channel is not None, "an order comes from a channel"
    old = new_case(case.snapshot, case.rules, case.now, case.cause, channel, case.order.scope, external_id)
    old.order.effects = Effects.NONE
    old.order.facts = {"tombstone": True}
    old.decision, old.part = case.decision, old.order.id
    case.linked.append(old)
    return old


def _now(case: Case) -> str:
    return instant_text(case.now)
