"""Money: payments of orders, refunds, payouts and what they pay for."""

from __future__ import annotations

from hub.actions.once import Answered
from hub.api.answers import Answer
from hub.api.call import Call
from hub.api.operations.orders import same
from hub.api.paging import after, page
from hub.api.problems import Problem
from hub.domain.payment import ORIGINAL
from hub.store.values import instant_to_database
from hub.views.money import list_payments, list_payouts, show_payout, unmatched_lines

PAYMENTS, PAYOUTS = "/v1/payments", "/v1/payouts"


def list_(
    call: Call, limit: int = 50, cursor: str | None = None, order: str | None = None, state: str | None = None
) -> Answer:
    filters = {"order": order, "state": state}
    last = after(cursor, PAYMENTS, filters, 1)
    with call.reading() as connection:
        found = list_payments(connection, order_id=order, state=state, after=last[0] if last else None, limit=limit + 1)
    return Answer(page(found, limit, PAYMENTS, filters, lambda row: [row["id"]]))


def refund(call: Call, order: str) -> Answer:
    _must_exist(call, order)
    said = {"amount": call.body.get("amount"), "lines": call.body.get("lines")}
    said["tender"] = call.body.get("tender", ORIGINAL)
    with call.once() as once:
        try:
            done = call.act(
                "orders.refund", reference=order, reason=call.body["reason"], version=_version(call), once=once, **said
            )
        except Answered as before:
            done = same(before)
    return Answer(done)


def capture(call: Call, order: str) -> Answer:
    _must_exist(call, order)
    return Answer(call.act("payments.capture", reference=order, reason=call.body["reason"], version=_version(call)))


def refunded(call: Call, order: str) -> Answer:
    _must_exist(call, order)
    return Answer(call.act("payments.refunded", reference=order, version=_version(call), **call.body))


def match(call: Call) -> Answer:
    return Answer(call.act("payments.match"))


def payouts(call: Call, limit: int = 50, cursor: str | None = None) -> Answer:
    last = after(cursor, PAYOUTS, {}, 2)
    with call.reading() as connection:
        found = list_payouts(connection, before=(int(last[0]), last[1]) if last else None, limit=limit + 1)
    return Answer(
        page(found, limit, PAYOUTS, {}, lambda row: [str(instant_to_database(row["paid_at"])), str(row["id"])])
    )


def payout(call: Call, payout: str) -> Answer:
    with call.reading() as connection:
        found = show_payout(connection, payout)
    if found is None:
        raise Problem("not-found", f"There is no payout {payout}")
    return Answer(found)


def unmatched(call: Call, limit: int = 50) -> Answer:
    with call.reading() as connection:
        return Answer({"items": unmatched_lines(connection, call.hub.clock.now(), limit=limit)})


def _version(call: Call) -> int | None:
    looked_at = call.headers.get("if-match")
    return int(looked_at.strip('"')) if looked_at else None


def _must_exist(call: Call, order: str) -> None:
    with call.hub.store.read() as snapshot:
        if snapshot.row("orders", {"id": order}) is None:
            raise Problem("not-found", f"There is no order {order}; /v1/orders?reference= finds one by other names")
