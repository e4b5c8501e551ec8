"""Credit notes for refunds that no settlement stands for: goodwill, a channel's own, a provider's.

Goods that come back are credited when they are settled. A refund of its own is credited, once, as far as more stands
invoiced than is kept of the order's money: what was paid in advance and goes back uninvoiced needs no credit note, and
what is invoiced later than it was refunded is credited then.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hub.domain.money import decimal_text
from hub.domain.payment import CallState, Purpose, Refund
from hub.oms.desk.load import Case
from hub.oms.money.pay import manages_money, of_order, owed
from hub.oms.money.posting import post_credit_note
from hub.oms.money.whole import BEFORE, CREDITED

ZERO = Decimal(0)
EXCHANGED = "exchanged"
"""Fact: worth of goods that came back and were paid with other goods. Their order has that money now."""
BY_REFUND = "credited_refunds"
UNCREDITED = "uncredited"
"""Of a refund: what of it is for goods that never left, and so on no invoice."""
EXCHANGE = "exchange/"
"""Keys of what an exchange costs more, or gives back."""


def credit_what_went_back(case: Case) -> None:
    """Credit refunds as far as the order's invoices, less its credit notes, exceed what is kept of its money."""
    if "invoiced" not in case.order.facts or case.order.currency is None:
        return
    excess = invoiced(case) - Decimal(case.order.facts.get(CREDITED, "0")) - kept(case)
    known = {line.id: line for line in case.order.lines}
    for refund in case.refunds:
        posted: dict[str, Any] = case.order.facts.get(BY_REFUND, {})
        before = Decimal(posted.get(refund.id, "0"))
        part = min(excess, _creditable(case, refund) - before)
        if part <= 0:
            continue
        said = refund.facts.get("lines", ())
        lines = [(known[line_id], Decimal(units)) for line_id, units in said if line_id in known and not before]
        key = f"refund/{refund.id}" + (f"/{decimal_text(before)}" if before else "")
        case.order.facts = {**case.order.facts, BY_REFUND: {**posted, refund.id: decimal_text(before + part)}}
        post_credit_note(case, key, part, lines, str(refund.facts.get("reason", "")))
        excess -= part


def invoiced(case: Case) -> Decimal:
    """What all invoices of the order come to."""
    said = case.order.facts["invoiced"]
    parts = {name: Decimal(said[name]) for name in ("goods", "shipping", "tax", "discounts")}
    return parts["goods"] + parts["shipping"] + parts["tax"] - parts["discounts"]


def kept(case: Case) -> Decimal:
    """What was paid for the order, or is owed for what has left, less what went back; without what an exchange made of
    it moved to another order."""
    payments = of_order(case)
    if manages_money(case):
        exchanges = sum((amount for key, amount in owed(case).items() if key.startswith(EXCHANGE)), ZERO)
        taken = max(sum((one.captured for one in payments), ZERO), sum(owed(case).values(), ZERO)) - exchanges
    else:
        taken = sum((one.captured or one.authorised - one.voided for one in payments), ZERO)
        taken = max(taken, Decimal(case.order.facts.get(BEFORE, "0")))
    back = sum((one.amount for one in case.refunds if _went_back(case, one)), ZERO)
    return taken - back - Decimal(case.order.facts.get(EXCHANGED, "0"))


def _went_back(case: Case, refund: Refund) -> bool:
    paid = refund.state is CallState.SUCCEEDED and refund.currency == case.order.currency
    return paid and not refund.key.startswith(EXCHANGE)


def _creditable(case: Case, refund: Refund) -> Decimal:
    settled = refund.key.startswith(("return/", "undelivered/"))
    if settled or refund.purpose is Purpose.OVERPAID or not _went_back(case, refund):
        return ZERO
    return refund.amount - Decimal(refund.facts.get(UNCREDITED, "0"))
