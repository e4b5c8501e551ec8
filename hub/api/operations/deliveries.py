"""Outgoing calls, and a person's word on them."""

from __future__ import annotations

from typing import Any

from hub.actions.once import Answered
from hub.api.answers import Answer
from hub.api.call import Call
from hub.api.operations.intake import body_of
from hub.api.operations.orders import same
from hub.api.paging import after, page
from hub.api.problems import Problem
from hub.views.work import list_deliveries, show_delivery

PATH = "/v1/deliveries"


def list_(
    call: Call,
    limit: int = 50,
    cursor: str | None = None,
    state: str | None = None,
    destination: str | None = None,
    order: str | None = None,
    business_key: str | None = None,
) -> Answer:
    filters = {"state": state, "destination": destination, "order": order, "business_key": business_key}
    last = after(cursor, PATH, filters, 1)
    with call.reading() as connection:
        found = list_deliveries(
            connection,
            state=state,
            destination=destination,
            order_id=order,
            business_key=business_key,
            after=last[0] if last else None,
            limit=limit + 1,
        )
    return Answer(page(found, limit, PATH, filters, lambda row: [row["id"]]))


def get(call: Call, delivery: str) -> Answer:
    with call.reading() as connection:
        found = show_delivery(connection, delivery)
    if found is None:
        raise _none(delivery)
    return Answer(found)


def body(call: Call, delivery: str) -> Answer:
    return body_of(call, "delivery", delivery)


def retry(call: Call, delivery: str) -> Answer:
    return _say(call, "deliveries.retry", delivery)


def happened(call: Call, delivery: str) -> Answer:
    said = {"external_id": call.body["external_id"], "reason": call.body.get("reason", "")}
    return _say(call, "deliveries.happened", delivery, **said)


def did_not_happen(call: Call, delivery: str) -> Answer:
    return _say(call, "deliveries.did_not_happen", delivery, reason=call.body["reason"])


def abandon(call: Call, delivery: str) -> Answer:
    return _say(call, "deliveries.abandon", delivery, reason=call.body["reason"])


def done(call: Call, delivery: str) -> Answer:
    said = {"external_id": call.body["external_id"], "reason": call.body["reason"]}
    return _say(call, "deliveries.done", delivery, **said)


def resend(call: Call, delivery: str) -> Answer:
    with call.once() as once:
        try:
            return _say(call, "deliveries.resend", delivery, reason=call.body["reason"], once=once)
        except Answered as before:
            return Answer(same(before))


def _say(call: Call, action: str, delivery: str, **said: Any) -> Answer:
    with call.hub.store.read() as snapshot:
        if snapshot.row("deliveries", {"id": delivery}) is None:
            raise _none(delivery)
    return Answer(call.act(action, delivery=delivery, **said))


def _none(delivery: str) -> Problem:
    return Problem("not-found", f"There is no delivery {delivery}; {PATH}?business_key= finds one by its key")
