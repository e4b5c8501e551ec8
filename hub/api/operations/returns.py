"""Returns: look, ask, decide, receive, inspect, settle."""

from __future__ import annotations

from hub.actions.once import Answered
from hub.api.answers import Answer
from hub.api.call import Call
from hub.api.operations.orders import same
from hub.api.paging import after, page
from hub.api.problems import Problem
from hub.views.returns import list_returns, show_return

PATH = "/v1/returns"


def list_(
    call: Call,
    limit: int = 50,
    cursor: str | None = None,
    state: str | None = None,
    order: str | None = None,
    reference: str | None = None,
) -> Answer:
    filters = {"state": state, "order": order, "reference": reference}
    last = after(cursor, PATH, filters, 1)
    with call.reading() as connection:
        found = list_returns(
            connection,
            state=state,
            order_id=order,
            reference=reference,
            after=last[0] if last else None,
            limit=limit + 1,
        )
    return Answer(page(found, limit, PATH, filters, lambda row: [row["id"]]))


def get(call: Call, one: str) -> Answer:
    with call.reading() as connection:
        found = show_return(connection, one)
    if found is None:
        raise _none(one)
    return Answer(found)


def request(call: Call, order: str) -> Answer:
    with call.hub.store.read() as snapshot:
        if snapshot.row("orders", {"id": order}) is None:
            raise Problem("not-found", f"There is no order {order}")
    with call.once() as once:
        try:
            done = call.act("returns.request", reference=order, origin="api", once=once, **call.body)
        except Answered as before:
            return Answer(same(before), 201)
    return Answer(done, 201, {"Location": f"{PATH}/{done['return']}"})


def approve(call: Call, one: str) -> Answer:
    return _do(call, "approve", one)


def refuse(call: Call, one: str) -> Answer:
    return _do(call, "refuse", one)


def cancel(call: Call, one: str) -> Answer:
    return _do(call, "cancel", one)


def close(call: Call, one: str) -> Answer:
    return _do(call, "close", one)


def receive(call: Call, one: str) -> Answer:
    return _once(call, "receive", one)


def inspect(call: Call, one: str) -> Answer:
    return _once(call, "inspect", one)


def settle(call: Call, one: str) -> Answer:
    return _once(call, "settle", one)


def exchange(call: Call, one: str) -> Answer:
    return _once(call, "exchange", one)


def replace(call: Call, order: str) -> Answer:
    return _of_order(call, "replace", order)


def ship_again(call: Call, order: str) -> Answer:
    return _of_order(call, "ship_again", order)


def give_up(call: Call, order: str) -> Answer:
    return _of_order(call, "give_up", order)


def _of_order(call: Call, verb: str, order: str) -> Answer:
    with call.hub.store.read() as snapshot:
        if snapshot.row("orders", {"id": order}) is None:
            raise Problem("not-found", f"There is no order {order}")
    with call.once() as once:
        try:
            return Answer(call.act(f"returns.{verb}", reference=order, once=once, **call.body))
        except Answered as before:
            return Answer(same(before))


def _do(call: Call, verb: str, one: str) -> Answer:
    _known(call, one)
    return Answer(call.act(f"returns.{verb}", reference=one, **call.body))


def _once(call: Call, verb: str, one: str) -> Answer:
    _known(call, one)
    with call.once() as once:
        try:
            return Answer(call.act(f"returns.{verb}", reference=one, once=once, **call.body))
        except Answered as before:
            return Answer(same(before))


def _known(call: Call, one: str) -> None:
    with call.hub.store.read() as snapshot:
        if snapshot.row("returns", {"id": one}) is None:
            raise _none(one)


def _none(one: str) -> Problem:
    return Problem("not-found", f"There is no return {one}; {PATH}?reference= finds one by other names")
