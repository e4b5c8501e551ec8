"""Payouts: each line is matched to the capture, refund, payment or order it pays for; what is not stands in a list.

A payout says nothing about an order that would change it: it shows that what the ledgers hold has arrived. Its lines
come to its amount, or a person is told.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hub.domain.decision import Decision, EventRequest, ExceptionRequest, Incoming
from hub.domain.events import Fact
from hub.domain.ids import derived_id
from hub.domain.money import decimal_text, money_text
from hub.domain.payout import OF_NO_ORDER, Matched, PaidLine, paid_line
from hub.domain.snapshot import Snapshot
from hub.oms.desk.times import instant
from hub.oms.ports import Rules

ZERO = Decimal(0)
Found = tuple[Matched, str | None, str | None]
"""What it pays for, the order, our id of it."""


def handle_payout(rules: Rules) -> Callable[[Incoming, Snapshot, dt.datetime], Decision]:
    """The handler of the stream `payouts`."""
    del rules

    def apply_payout(incoming: Incoming, snapshot: Snapshot, now: dt.datetime) -> Decision:
        record, connection = incoming.record, incoming.connection
        external_id, currency = str(record["external_id"]), str(record["currency"])
        payout_id = derived_id("po", connection, external_id)
        amount = Decimal(str(record["amount"]))
        paid_at = instant(record.get("paid_at")) or now
        lines = [paid_line(number, said) for number, said in enumerate(record["lines"], start=1)]
        whole = sum((line.net for line in lines), ZERO)
        decision = Decision(subject=payout_id)
        decision.writes.insert(
            "payouts",
            {
                "id": payout_id,
                "connection": connection,
                "external_id": external_id,
                "currency": currency,
                "amount": amount,
                "lines_amount": whole,
                "paid_at": paid_at,
                "document": {"lines": len(lines)},
                "created_at": now,
            },
            ignore=True,
        )
        unmatched = 0
        for line, said in zip(lines, record["lines"], strict=True):
            matched, order_id, internal_id = _match(snapshot, connection, line)
            unmatched += matched is Matched.NOTHING
            decision.writes.insert(
                "payout_lines",
                {
                    "id": derived_id("pl", payout_id, str(line.number)),
                    "payout_id": payout_id,
                    "number": line.number,
                    "type": line.type,
                    "currency": str(said.get("currency", currency)),
                    "gross": line.gross,
                    "fee": line.fee,
                    "net": line.net,
                    "reference": line.reference or line.payment or None,
                    "order_reference": line.order or None,
                    "matched": matched.value,
                    "order_id": order_id,
                    "internal_id": internal_id,
                    "at": instant(said.get("at")) or paid_at,
                },
                ignore=True,
            )
        told = {"payout": payout_id, "amount": decimal_text(amount), "currency": currency, "lines": str(len(lines))}
        told["unmatched"] = str(unmatched)
        decision.events.append(EventRequest(Fact.PAYOUT_RECEIVED.value, payout_id, f"payout/{payout_id}", None, told))
        if whole != amount:
            decision.exceptions.append(_does_not_add_up(connection, payout_id, external_id, amount, whole, currency))
        if unmatched:
            decision.exceptions.append(_unmatched(connection, payout_id, external_id, unmatched))
        return decision

    return apply_payout


def _match(snapshot: Snapshot, connection: str, line: PaidLine) -> Found:
    """By what the provider calls it: its own id of a capture or refund, of the payment, else the order's number."""
    if line.reference:
        for table, matched in (("captures", Matched.CAPTURE), ("refunds", Matched.REFUND)):
            rows = snapshot.rows(table, {"external_id": line.reference}, limit=20)
            rows = [row for row in rows if _paid_by(snapshot, row) in (None, connection)]
            if len(rows) == 1:
                return matched, str(rows[0]["order_id"]), str(rows[0]["id"])
    for name in (line.payment, line.reference):
        rows = snapshot.rows("payments", {"external_id": name, "connection": connection}, limit=2) if name else []
        if len(rows) == 1:
            return Matched.PAYMENT, str(rows[0]["order_id"]), str(rows[0]["id"])
    if line.order:
        rows = snapshot.rows("orders", {"channel": connection, "external_id": line.order}, limit=2)
        rows = rows or snapshot.rows("orders", {"number": line.order}, limit=2)
        if len(rows) == 1:
            return Matched.ORDER, str(rows[0]["id"]), str(rows[0]["id"])
    return (Matched.NONE_NEEDED if line.type in OF_NO_ORDER else Matched.NOTHING), None, None


def _paid_by(snapshot: Snapshot, row: dict[str, Any]) -> str | None:
    """The connection that a capture or refund was made at: two providers count their ids alike."""
    payment = snapshot.row("payments", {"id": row["payment_id"]}) if row["payment_id"] else None
    return None if payment is None else str(payment["connection"])


def match_again(snapshot: Snapshot, limit: int) -> Decision:
    """Look once more for what unmatched lines pay for, the oldest first: orders may have come since."""
    decision = Decision()
    rows = snapshot.rows("payout_lines", {"matched": Matched.NOTHING.value}, order_by=("at", "id"), limit=limit)
    payouts = {str(row["payout_id"]) for row in rows}
    connections = {
        str(row["id"]): str(row["connection"])
        for row in (snapshot.rows("payouts", {"id": tuple(sorted(payouts))}) if payouts else [])
    }
    for row in rows:
        reference, order = str(row["reference"] or ""), str(row["order_reference"] or "")
        line = PaidLine(row["number"], row["type"], row["gross"], row["fee"], row["net"], reference, reference, order)
        matched, order_id, internal_id = _match(snapshot, connections[str(row["payout_id"])], line)
        if matched is not Matched.NOTHING:
            values = {"matched": matched.value, "order_id": order_id, "internal_id": internal_id}
            where = {"id": row["id"], "matched": Matched.NOTHING.value}
            decision.writes.update("payout_lines", where, values)
    return decision


def _does_not_add_up(
    connection: str, payout_id: str, external_id: str, amount: Decimal, whole: Decimal, currency: str
) -> ExceptionRequest:
    return ExceptionRequest(
        f"payout-difference/{payout_id}",
        "payout_difference",
        "A payout is not what its lines come to",
        f"{external_id} paid {money_text(amount, currency)}, its lines come to {money_text(whole, currency)}:"
        f" {money_text(amount - whole, currency)} is not explained.",
        "Ask the provider; or correct the mapping and read the payout again.",
        f"hub payments payouts {payout_id}",
        "payout",
        payout_id,
        connection=connection,
    )


def _unmatched(connection: str, payout_id: str, external_id: str, count: int) -> ExceptionRequest:
    return ExceptionRequest(
        f"payout-unmatched/{connection}",
        "payout_unmatched",
        "A payout has lines that no order is known for",
        f"{count} lines of {external_id}.",
        "Look at them; those of orders that came since are matched with --match.",
        "hub payments unmatched",
        "payout",
        payout_id,
        connection=connection,
    )
