"""Orders: look, write, hold, release, cancel."""

from __future__ import annotations

from typing import Any

from hub.actions.once import Answered
from hub.api.answers import Answer
from hub.api.call import Call
from hub.api.paging import after, page
from hub.api.problems import Problem
from hub.exchange.written import NotTaken
from hub.oms.sourcing.reroute import what_if
from hub.views.orders import find_order, list_orders, show_order
from hub.views.risk import list_at_risk

PATH = "/v1/orders"


def list_(
    call: Call,
    limit: int = 50,
    cursor: str | None = None,
    status: str | None = None,
    channel: str | None = None,
    reference: str | None = None,
) -> Answer:
    filters = {"status": status, "channel": channel, "reference": reference}
    before = after(cursor, PATH, filters, 1)
    with call.reading() as connection:
        ids = find_order(connection, reference) if reference is not None else None
        found = list_orders(
            connection, status=status, channel=channel, ids=ids, before=before[0] if before else None, limit=limit + 1
        )
    return Answer(page(found, limit, PATH, filters, lambda row: [row["id"]]))


def at_risk(call: Call, limit: int = 50) -> Answer:
    with call.reading() as connection:
        found = list_at_risk(connection, call.hub.clock.now(), limit)
    return Answer({"items": found})


def get(call: Call, order: str) -> Answer:
    with call.reading() as connection:
        found = show_order(connection, order)
    if found is None:
        raise _none(order)
    return Answer(found, headers={"ETag": f'"{found["version"]}"'})


def create(call: Call, channel: str | None = None) -> Answer:
    headers = {
        "x-request-id": call.request_id,
        "idempotency-key": call.headers["idempotency-key"],
        "x-api-key": call.caller.prefix,
    }
    with call.once() as once:
        try:
            done = call.act("orders.create", channel=channel, body=call.raw, headers=headers, once=once)
        except Answered as before:
            done = same(before)
        except NotTaken as error:
            pointer = "".join(f"/{step}" for step in error.field.split(".") if step)
            errors = [{"pointer": pointer, "code": error.code, "detail": error.message}]
            raise Problem("not-taken", error.message, errors=errors) from error
    if done["outcome"] != "created":
        return Answer(done)
    return Answer(done, 201, {"Location": f"{PATH}/{done['order']}"})


def same(before: Answered) -> dict[str, Any]:
    """The answer of the same request, done before. Raises Problem where it was another."""
    if not before.fits:
        raise Problem("idempotency-key-reused", "Another request was done under this Idempotency-Key")
    return dict(before.answer)


def hold(call: Call, order: str) -> Answer:
    said = {name: call.body[name] for name in ("kind", "until", "then") if name in call.body}
    return _do(call, "orders.hold", order, **said)


def reroute(call: Call, order: str) -> Answer:
    more = {"more_shipments": call.body["more_shipments"]} if "more_shipments" in call.body else {}
    return _do(call, "orders.reroute", order, leaving=call.body.get("from", ""), **more)


def where_else(call: Call, order: str, leaving: str = "") -> Answer:
    with call.hub.store.read() as snapshot:
        found = what_if(snapshot, call.hub.rules, call.hub.clock.now(), order, leaving)
    if found is None:
        raise _none(order)
    return Answer(found)


def release(call: Call, order: str) -> Answer:
    return _do(call, "orders.release", order, kind=call.body.get("kind"))


def edit(call: Call, order: str) -> Answer:
    said = {name: value for name, value in call.body.items() if name != "reason"}
    return _do(call, "orders.edit", order, **said)


def cancel(call: Call, order: str) -> Answer:
    return _do(call, "orders.cancel", order, lines=call.body.get("lines"))


def _do(call: Call, action: str, order: str, **said: Any) -> Answer:
    with call.hub.store.read() as snapshot:
        if snapshot.row("orders", {"id": order}) is None:
            raise _none(order)
    looked_at = call.headers.get("if-match")
    version = int(looked_at.strip('"')) if looked_at else None
    return Answer(call.act(action, reference=order, reason=call.body["reason"], version=version, **said))


def _none(order: str) -> Problem:
    return Problem("not-found", f"There is no order {order}; {PATH}?reference= finds one by other names")
