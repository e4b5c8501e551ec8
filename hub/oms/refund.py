"""Refunds made at the channel: a money fact, and for lines taken back a cancellation.

A refund is never refused. One that exceeds what was charged is applied and raises an exception.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal

from hub.domain.decision import Decision, Incoming, Verdict
from hub.domain.events import Fact
from hub.domain.ids import derived_id
from hub.domain.money import decimal_text
from hub.domain.quantity import LEFT
from hub.domain.snapshot import Snapshot
from hub.oms.cancel import settle_cancel
from hub.oms.load import Case, find_case, order_key
from hub.oms.ports import Rules
from hub.oms.save import save, tell
from hub.oms.times import instant

ZERO = Decimal(0)


def handle_refund(rules: Rules) -> Callable[[Incoming, Snapshot, dt.datetime], Decision]:
    """The handler of the stream `refunds`."""

    def apply_refund(incoming: Incoming, snapshot: Snapshot, now: dt.datetime) -> Decision:
        record = incoming.record
        external_id, scope = str(record["order_external_id"]), str(record.get("scope", incoming.scope))
        case = find_case(snapshot, rules, now, incoming.id, incoming.connection, scope, external_id)
        waits_for = order_key(incoming.connection, scope, external_id)
        if case is None or not case.order.known:
            return Decision(Verdict.WAITING, waits_for=waits_for, message="the order is not known")
        for said in record.get("lines") or ():
            line = case.order.external_line(str(said["external_line_id"]))
            if line is None:
                message = f"the order has no line {said['external_line_id']} yet"
                return Decision(Verdict.WAITING, waits_for=waits_for, message=message)
            units = max(Decimal(str(said["quantity"])), ZERO)
            if said.get("restock") == "cancel":
                line.cancelled_by_facts += units
            elif said.get("restock") == "return":
                line.refunded_beside += units
            else:
                # It does not say whether the goods had left. Only what has can be refunded beside: of the rest, the
                # restate's lower quantity means that it must not leave any more.
                line.refunded_beside += min(units, max(line.ledger.sum(LEFT) - line.refunded_beside, ZERO))
        amount = Decimal(str(record.get("amount", "0")))
        if amount:
            _money(case, incoming, amount)
        settle_cancel(case, "refunded")
        tell(case, Fact.ORDER_REFUNDED, incoming.fact_key, amount=decimal_text(amount))
        return save(case)

    return apply_refund


def _money(case: Case, incoming: Incoming, amount: Decimal) -> None:
    order, record = case.order, incoming.record
    currency = str(record.get("currency", order.currency))
    known = case.snapshot.rows("payments", {"order_id": order.id, "kind": ("captured", "refunded")})
    of_currency = [row for row in known if row["currency"] == currency]
    refunded = sum((row["amount"] for row in of_currency if row["kind"] == "refunded"), amount)
    captures = [row["amount"] for row in of_currency if row["kind"] == "captured"]
    charged = sum(captures, ZERO) if captures else (order.total if currency == order.currency else None)
    case.decision.writes.insert(
        "payments",
        {
            "id": derived_id("py", order.id, "refund", incoming.fact_key),
            "order_id": order.id,
            "kind": "refunded",
            "currency": currency,
            "amount": amount,
            "external_id": str(record["external_id"]),
            "document": {"lines": len(record.get("lines") or ())},
            "at": instant(record.get("occurred_at")) or case.now,
        },
    )
    if charged is not None and refunded > charged:
        case.raise_exception(
            f"refund-too-high/{order.id}",
            "refund_too_high",
            "More was refunded than was charged",
            f"{decimal_text(refunded)} {currency} refunded, {decimal_text(charged)} charged.",
            "Check the refunds at the channel and at the payment provider.",
            f"hub orders show {order.id}",
        )
