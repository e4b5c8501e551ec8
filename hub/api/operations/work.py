"""The work of locations: look at it, report on it, say that a buyer has come, move goods between locations."""

from __future__ import annotations

from typing import Any

from hub.actions.once import Answered
from hub.api.answers import Answer
from hub.api.call import Call
from hub.api.operations.orders import same
from hub.api.paging import after, page
from hub.api.problems import Problem
from hub.views.fulfilment import list_work, show_work
from hub.views.papers import packing_slip, pick_list

PATH = "/v1/fulfilment-orders"


def list_(
    call: Call,
    limit: int = 50,
    cursor: str | None = None,
    location: str | None = None,
    state: str | None = None,
    method: str | None = None,
    order: str | None = None,
) -> Answer:
    filters = {"location": location, "state": state, "method": method, "order": order}
    last = after(cursor, PATH, filters, 1)
    with call.reading() as connection:
        found = list_work(connection, **filters, after=last[0] if last else None, limit=limit + 1)
    return Answer(page(found, limit, PATH, filters, lambda row: [row["id"]]))


def get(call: Call, fulfilment_order: str) -> Answer:
    with call.reading() as connection:
        found = show_work(connection, fulfilment_order)
    if found is None:
        raise Problem("not-found", f"There is no fulfilment order {fulfilment_order}")
    return Answer(found)


def slip(call: Call, fulfilment_order: str, package: str | None = None) -> Answer:
    with call.reading() as connection:
        found = packing_slip(connection, fulfilment_order, package)
    if found is None:
        what = f"{fulfilment_order} has no package {package}" if package else f"There is no {fulfilment_order}"
        raise Problem("not-found", what)
    return Answer({name: value for name, value in found.items() if value is not None})


def to_pick(call: Call, location: str, order: str | None = None) -> Answer:
    if location not in call.hub.rules.locations:
        raise Problem("not-found", f"There is no location {location}")
    with call.reading() as connection:
        return Answer(pick_list(connection, location, order))


def report(call: Call, fulfilment_order: str) -> Answer:
    get(call, fulfilment_order)
    return _once(call, "work.report", fulfilment_order=fulfilment_order, **call.body)


def arrived(call: Call, order: str) -> Answer:
    _known(call, order)
    return _once(call, "orders.arrived", reference=order, note=call.body.get("note", ""))


def elsewhere(call: Call, order: str) -> Answer:
    _known(call, order)
    return _once(call, "orders.collect_elsewhere", reference=order, **call.body)


def transfer(call: Call) -> Answer:
    body = dict(call.body)
    body["source"], body["destination"] = body.pop("from"), body.pop("to")
    return _once(call, "inventory.transfer", **body)


def _once(call: Call, action: str, **arguments: Any) -> Answer:
    with call.once() as once:
        try:
            return Answer(call.act(action, **arguments, once=once))
        except Answered as before:
            return Answer(same(before))


def _known(call: Call, order: str) -> None:
    with call.hub.store.read() as snapshot:
        if snapshot.row("orders", {"id": order}) is None:
            raise Problem("not-found", f"There is no order {order}")
