"""What a person reads first: the state of an order in one sentence, facts of its timeline, ages."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hub.domain.money import amount_text

TELLS = {
    "order.captured": "Captured from the channel",
    "order.changed": "Changed",
    "order.confirmed": "Confirmed: its work may begin",
    "order.held": "Held",
    "order.released": "Released",
    "order.cancelled": "Cancelled",
    "order.closed": "Closed: nothing is left to do",
    "order.allocated": "Locations were chosen for it",
    "order.sold": "Sold over a counter",
    "order.linked": "Linked to another order",
    "change.requested": "A change was asked for: locations are to answer",
    "change.accepted": "A change was made",
    "change.declined": "A change could not be made",
    "order.backordered": "Not enough stock: waits for more",
    "order.promised": "Given a date",
    "order.promise_changed": "Its date has moved",
    "order.posted": "Taken by the ERP",
    "order.refunded": "Money went back",
    "order.at_risk": "Must leave soon",
    "fulfilment_order.planned": "Work was planned at a location",
    "fulfilment_order.sent": "Its location was asked",
    "fulfilment_order.reported": "Its location told how far it is",
    "fulfilment_order.short": "Its location is short of it",
    "fulfilment_order.rejected": "Its location gave it back",
    "fulfilment_order.ready": "Stands ready for its buyer",
    "fulfilment_order.buyer_arrived": "Its buyer waits outside",
    "fulfilment_order.handed_over": "Handed over to its buyer",
    "fulfilment_order.not_collected": "Nobody came for it",
    "fulfilment_order.substituted": "Something else was taken instead",
    "fulfilment_order.cancel_asked": "Its location was asked to give it back",
    "fulfilment_order.cancel_answered": "Its location answered",
    "shipment.shipped": "Shipped",
    "payment.authorised": "Payment authorised",
    "payment.capture_asked": "Payment is being captured",
    "payment.captured": "Payment captured",
    "payment.capture_failed": "Payment could not be captured",
    "payment.voided": "Authorisation let go of",
    "payment.expired": "Authorisation ended",
    "payment.failed": "Payment refused",
    "refund.asked": "A refund is under way",
    "refund.succeeded": "Refund paid",
    "refund.failed": "Refund refused",
    "return.requested": "A return was asked for",
    "return.approved": "The return may come back",
    "return.refused": "The return was refused",
    "return.expired": "The return did not come in time",
    "return.cancelled": "The return was called off",
    "return.labelled": "The return's label was bought",
    "return.moved": "The return is on its way",
    "return.received": "Goods of the return arrived",
    "return.inspected": "Goods of the return were inspected",
    "return.settled": "The return's buyer has what it is worth",
    "return.closed": "The return is done",
}
"""Facts in words; others are shown by their own name."""


DONE = " Nothing is left to do."


def number(value: Decimal | int | str | None) -> str:
    if value is None:
        return "–"
    found = Decimal(value)
    return format(found.normalize(), "f") if found else "0"


def money(amount: Decimal | str | None, currency: str | None) -> str:
    """With all digits of its currency, and more only where it has more: 14.90 USD, 1500 JPY."""
    if amount is None:
        return "–"
    found = Decimal(amount)
    if not currency:
        return number(found)
    return f"{Decimal(amount_text(found, currency)):,f} {currency}"


def fact(event_type: str) -> str:
    name = event_type.removeprefix("hub.").removesuffix(".v1")
    return TELLS.get(name) or name.replace(".", ": ", 1).replace("_", " ").capitalize()


def sentence(order: Mapping[str, Any]) -> str:
    """Where the order stands and what happens next."""
    blocked = next((one for one in order["exceptions"] if one["state"] == "open"), None)
    kept = order["document"].get("no_effects")
    status = order["status"]
    if kept:
        what = f"Kept only, because it is {kept}; the hub sends nothing for it."
    elif status == "held":
        rules = sorted({hold["rule"].replace("_", " ") for hold in order["holds"] if not hold["released_at"]})
        what = f"Held by {', '.join(rules) or 'a hold'}: nothing more is sent until"
        what += " every hold is released."
    else:
        what = _going(order, status)
    if not blocked:
        return what
    return f"{what.removesuffix(DONE)} It needs a person: {blocked['title']}."


def _going(order: Mapping[str, Any], status: str) -> str:
    sums: dict[str, Decimal] = {}
    for line in order["lines"]:
        for bucket, value in line["quantities"].items():
            sums[bucket] = sums.get(bucket, Decimal(0)) + value
    where = ", ".join(f"{number(value)} {bucket.replace('_', ' ')}" for bucket, value in sums.items())
    calls = [one for one in order["deliveries"] if one["state"] in ("pending", "retry", "in_flight", "sent")]
    waits = f" {_waiting(calls)}" if calls else ""
    if status == "draft":
        return "Known only by something that speaks of it; the order itself has not come yet."
    if status == "received":
        return f"Captured, not confirmed yet ({where})." + waits
    if status == "cancelled":
        return "Cancelled: all of it." + waits
    if status == "closed":
        return f"Done: {where}." + (waits or DONE)
    return f"Under way: {where}." + waits


def _waiting(calls: list[Mapping[str, Any]]) -> str:
    to = sorted({one["destination"] for one in calls})
    number_of = "One call" if len(calls) == 1 else f"{len(calls)} calls"
    return f"{number_of} to {', '.join(to)} {'is' if len(calls) == 1 else 'are'} under way."
