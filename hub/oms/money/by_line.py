"""Refunds by line: what units of a line were charged, and what was given back for them already."""

from __future__ import annotations

from decimal import Decimal

from hub.domain.money import apportion, decimal_text, round_to_minor, smallest_amount
from hub.domain.order import OrderLine
from hub.domain.payment import CallState
from hub.domain.totals import line_value
from hub.oms.desk.load import Case

ZERO = Decimal(0)
FOR_LINES = "for_lines"
"""Of a refund that others made: what of it was for its lines."""
OF_GOODS = ("return/", "undelivered/", "exchange/")
"""Keys of refunds that settle goods themselves."""


def refund_value(case: Case, line: OrderLine, units: Decimal) -> Decimal:
    """What units of a line were charged: price less the line's discounts plus its tax, where that is not inside."""
    ordered = line.ledger.ordered
    if ordered <= 0:
        return ZERO
    details = line.details
    whole = line_value({**details, "quantity": decimal_text(ordered)})
    whole += sum(
        (Decimal(str(one["amount"])) for one in details.get("adjustments", ()) if one.get("type") == "discount"), ZERO
    )
    if not case.order.facts.get("taxes_included"):
        whole += sum((Decimal(str(one["amount"])) for one in details.get("taxes", ())), ZERO)
    return round_to_minor(whole * units / ordered, case.order.currency or "")


def refunded_units(case: Case) -> dict[str, Decimal]:
    """Line -> units for which money was given back, or is being."""
    found: dict[str, Decimal] = {}
    for refund in case.refunds:
        if refund.state is not CallState.FAILED:
            for line_id, units in refund.facts.get("lines", ()):
                found[line_id] = found.get(line_id, ZERO) + Decimal(units)
    return found


def given_without_goods(case: Case) -> dict[str, tuple[Decimal, Decimal]]:
    """Line -> (units, amount) that were paid back by line before any goods were settled: by a person, by the channel.
    Whoever sends such units back has their money already."""
    amounts: dict[str, Decimal] = {}
    lines: dict[str, list[tuple[OrderLine, Decimal]]] = {}
    known = {line.id: line for line in case.order.lines}
    for refund in case.refunds:
        gone = refund.state is CallState.FAILED or refund.currency != case.order.currency
        if gone or refund.key.startswith(OF_GOODS):
            continue
        named = [(known.get(line_id), Decimal(units)) for line_id, units in refund.facts.get("lines", ())]
        if said := [(line, units) for line, units in named if line is not None]:
            lines[refund.key] = said
        paid = Decimal(refund.facts.get(FOR_LINES, refund.amount))
        amounts[refund.key] = amounts.get(refund.key, ZERO) + min(paid, refund.amount)
    found: dict[str, tuple[Decimal, Decimal]] = {}
    for key, of_key in lines.items():
        weights = [max(refund_value(case, line, units), ZERO) for line, units in of_key]
        parts = apportion(amounts[key], weights, smallest_amount(case.order.currency or ""))
        for (line, units), part in zip(of_key, parts, strict=True):
            before = found.get(line.id, (ZERO, ZERO))
            found[line.id] = (before[0] + units, before[1] + part)
    return found
