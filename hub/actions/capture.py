"""Writing an order by hand or by a program, in canonical form."""

from __future__ import annotations

from typing import Any

from hub.actions.once import Once
from hub.domain.writeset import WriteSet
from hub.exchange.connections import ConnectionView
from hub.exchange.decisions import Writer
from hub.exchange.exceptions import audit
from hub.exchange.ports import NewReceipt
from hub.exchange.verbs import Refused
from hub.exchange.written import NotTaken, Written, written
from hub.formats import FormatError, json
from hub.mapping.schemas import validate
from hub.runtime.hub import Hub

CONNECTOR = "api"
STREAM = "orders"
OUTCOMES = {"duplicate": "unchanged", "superseded": "superseded", "ignored": "ignored"}


def channels(hub: Hub) -> list[str]:
    """The connections that orders may be written for."""
    return [one.id for one in hub.loaded.bundle.connections.values() if one.connector == CONNECTOR]


def create(
    hub: Hub, who: str, channel: str | None, body: bytes, headers: dict[str, str], once: Once | None = None
) -> dict[str, Any]:
    """Take an order as the channel's latest statement of it: made if it is new, else changed by the difference.

    Raises Refused where there is no such channel, NotTaken for an order that cannot be taken, Answered where it was
    done before.
    """
    view = _channel(hub, channel)
    now = hub.clock.now()
    ids = (hub.ids.new("rc", now), hub.ids.new("ms", now))
    receipt = NewReceipt(
        connection=view.id,
        stream=STREAM,
        topic=None,
        delivery_id=None,
        headers=headers,
        body=body,
        content_type="application/json",
        source="api",
        received_at=now,
    )
    answer: dict[str, Any] = {}

    def compute(writer: Writer) -> WriteSet:
        old = once.look(writer.snapshot, writer.now) if once else False
        done = written(receipt, view, hub.handlers, writer, ids)
        answer.clear()
        answer.update(_answer(done, view.id))
        audit(done.writes, "orders.write", done.subject, who, "", writer.now, {"receipt": done.receipt})
        if once:
            once.keep(done.writes, answer, writer.now, old=old)
        return done.writes

    hub.commit(compute, ids[1])
    return answer


def write(hub: Hub, who: str, text: str, channel: str | None = None) -> dict[str, Any]:
    """`create` for a person at the command line: `text` is the order in canonical form, as JSON. As strict as the API:
    a mistyped field is told and not passed over. Raises Refused."""
    try:
        problem = next(iter(validate(json.loads(text.encode()), "Order")), None)
    except FormatError as error:
        raise Refused(f"this is no JSON: {error.message}") from error
    if problem is not None:
        raise Refused(f"{problem.field or 'the order'}: {problem.message}")
    try:
        return create(hub, who, channel, text.encode(), {})
    except NotTaken as error:
        raise Refused(f"{error.field or 'the order'}: {error.message}") from error


def _channel(hub: Hub, channel: str | None) -> ConnectionView:
    known = channels(hub)
    if not known:
        raise Refused(
            "No connection takes orders through the API; add one with `connector: api` and the stream `orders`"
        )
    if channel is None and len(known) > 1:
        raise Refused(f"Several connections take orders through the API; name one as channel: {', '.join(known)}")
    name = channel or known[0]
    view = hub.connections.get(name) if name in known else None
    if view is None or STREAM not in view.streams:
        raise Refused(f"{name} takes no orders through the API; there are {', '.join(known)}")
    return view


def _answer(done: Written, channel: str) -> dict[str, Any]:
    outcome = OUTCOMES.get(done.verdict) or ("created" if done.created else "updated")
    return {
        "order": done.subject,
        "channel": channel,
        "outcome": outcome,
        "held": done.held,
        "receipt": done.receipt,
        "message": done.message,
    }
