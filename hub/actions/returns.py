"""Returns by hand and by the API: asked for, decided, received, inspected, settled, closed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

from hub.actions.once import Once
from hub.actions.orders import found
from hub.domain.decision import Decision, Verdict
from hub.domain.masking import masked, private_texts
from hub.domain.snapshot import Snapshot
from hub.exchange.exceptions import audit
from hub.exchange.verbs import Refused
from hub.oms.returns import return_desk
from hub.runtime.hub import Hub

Line = dict[str, Any]
Verb = Callable[[Snapshot, dt.datetime, str], Decision]


def request(
    hub: Hub,
    who: str,
    reference: str,
    lines: Sequence[Line],
    reason: str,
    wants: str = "refund",
    origin: str = "person",
    once: Once | None = None,
) -> dict[str, Any]:
    """Ask for goods of an order to come back. Raises Refused where they cannot."""
    order = found(hub, reference)

    def verb(snapshot: Snapshot, now: dt.datetime, cause: str) -> Decision:
        return return_desk.request(snapshot, hub.rules, now, cause, order, origin, lines, reason, wants)

    return _do(hub, "request", verb, who, order, order, reason, once)


def approve(hub: Hub, who: str, reference: str, reason: str = "") -> dict[str, Any]:
    def verb(snapshot: Snapshot, now: dt.datetime, cause: str) -> Decision:
        return return_desk.approve_return(snapshot, hub.rules, now, cause, _find(snapshot, reference)[0])

    return _of(hub, "approve", verb, who, reference, reason)


def refuse(hub: Hub, who: str, reference: str, reason: str) -> dict[str, Any]:
    def verb(snapshot: Snapshot, now: dt.datetime, cause: str) -> Decision:
        return return_desk.refuse_return(snapshot, hub.rules, now, cause, _find(snapshot, reference)[0], reason)

    return _of(hub, "refuse", verb, who, reference, reason)


def cancel(hub: Hub, who: str, reference: str, reason: str) -> dict[str, Any]:
    def verb(snapshot: Snapshot, now: dt.datetime, cause: str) -> Decision:
        return return_desk.cancel_return(snapshot, hub.rules, now, cause, _find(snapshot, reference)[0], reason)

    return _of(hub, "cancel", verb, who, reference, reason)


def close(hub: Hub, who: str, reference: str, reason: str) -> dict[str, Any]:
    def verb(snapshot: Snapshot, now: dt.datetime, cause: str) -> Decision:
        return return_desk.close_return(snapshot, hub.rules, now, cause, _find(snapshot, reference)[0], who)

    return _of(hub, "close", verb, who, reference, reason)


def receive(
    hub: Hub,
    who: str,
    reference: str,
    location: str,
    lines: Sequence[Line],
    reason: str = "",
    once: Once | None = None,
) -> dict[str, Any]:
    def verb(snapshot: Snapshot, now: dt.datetime, cause: str) -> Decision:
        one = _find(snapshot, reference)[0]
        return return_desk.receive_return(snapshot, hub.rules, now, cause, one, who, location, lines)

    return _of(hub, "receive", verb, who, reference, reason, once)


def inspect(
    hub: Hub, who: str, reference: str, lines: Sequence[Line], reason: str = "", once: Once | None = None
) -> dict[str, Any]:
    def verb(snapshot: Snapshot, now: dt.datetime, cause: str) -> Decision:
        one = _find(snapshot, reference)[0]
        return return_desk.inspect_return(snapshot, hub.rules, now, cause, one, who, lines)

    return _of(hub, "inspect", verb, who, reference, reason, once)


def settle(
    hub: Hub,
    who: str,
    reference: str,
    kind: str,
    reason: str,
    lines: Sequence[Line] = (),
    amount: str = "",
    credit_reference: str = "",
    once: Once | None = None,
) -> dict[str, Any]:
    def verb(snapshot: Snapshot, now: dt.datetime, cause: str) -> Decision:
        one = _find(snapshot, reference)[0]
        return return_desk.settle_return(
            snapshot, hub.rules, now, cause, one, kind, reason, lines, amount, credit_reference
        )

    return _of(hub, "settle", verb, who, reference, reason, once)


def exchange(
    hub: Hub,
    who: str,
    reference: str,
    wanted: Sequence[Line],
    reason: str,
    lines: Sequence[Line] = (),
    once: Once | None = None,
) -> dict[str, Any]:
    """Other goods for what came back, as an order of its own."""

    def verb(snapshot: Snapshot, now: dt.datetime, cause: str) -> Decision:
        one = _find(snapshot, reference)[0]
        return return_desk.exchange_return(snapshot, hub.rules, now, cause, one, wanted, reason, lines)

    return _of(hub, "exchange", verb, who, reference, reason, once)


def replace(
    hub: Hub, who: str, reference: str, lines: Sequence[Line], reason: str, once: Once | None = None
) -> dict[str, Any]:
    """The same goods again for nothing, as an order of its own."""
    order = found(hub, reference)

    def verb(snapshot: Snapshot, now: dt.datetime, cause: str) -> Decision:
        return return_desk.replace_goods(snapshot, hub.rules, now, cause, order, lines, reason)

    return _do(hub, "replace", verb, who, order, order, reason, once)


def ship_again(
    hub: Hub, who: str, reference: str, lines: Sequence[Line], reason: str, once: Once | None = None
) -> dict[str, Any]:
    """What was lost or came back undelivered is shipped again."""
    order = found(hub, reference)

    def verb(snapshot: Snapshot, now: dt.datetime, cause: str) -> Decision:
        return return_desk.ship_goods_again(snapshot, hub.rules, now, cause, order, lines)

    return _do(hub, "ship_again", verb, who, order, order, reason, once)


def give_up(
    hub: Hub, who: str, reference: str, lines: Sequence[Line], reason: str, once: Once | None = None
) -> dict[str, Any]:
    """What was lost or came back undelivered is cancelled and paid back."""
    order = found(hub, reference)

    def verb(snapshot: Snapshot, now: dt.datetime, cause: str) -> Decision:
        return return_desk.give_goods_up(snapshot, hub.rules, now, cause, order, lines, reason)

    return _do(hub, "give_up", verb, who, order, order, reason, once)


def _of(
    hub: Hub, action: str, verb: Verb, who: str, reference: str, reason: str, once: Once | None = None
) -> dict[str, Any]:
    with hub.store.read() as snapshot:
        one, order = _find(snapshot, reference)
    return _do(hub, action, verb, who, order, one, reason, once)


def _do(
    hub: Hub, action: str, verb: Verb, who: str, order: str, subject: str, reason: str, once: Once | None
) -> dict[str, Any]:
    cause = hub.ids.new("ac", hub.clock.now())
    answer: dict[str, Any] = {"order": order}

    def decide(snapshot: Snapshot, now: dt.datetime) -> Decision:
        old = once.look(snapshot, now) if once else False
        decision = verb(snapshot, now, cause)
        if decision.verdict is Verdict.APPLIED:
            answer["return"] = decision.subject if action == "request" else subject
            answer["message"] = decision.message
            contacts = snapshot.rows("contacts", {"order_id": order})
            said = masked(reason, private_texts(row["data"] for row in contacts))
            audit(decision.writes, f"returns.{action}", answer["return"], who, said, now)
            if once:
                once.keep(decision.writes, answer, now, old=old)
        return decision

    decision = hub.commit_decision(decide, cause)
    if decision.verdict is not Verdict.APPLIED:
        raise Refused(decision.message or f"{subject} cannot be changed so")
    return answer


def _find(snapshot: Snapshot, reference: str) -> tuple[str, str]:
    """Our id of the return and of its order, by our id, its number or the sender's id. Raises Refused."""
    known: dict[str, str] = {}
    for where in ({"id": reference}, {"number": (reference, f"#{reference}")}, {"external_id": reference}):
        known |= {str(row["id"]): str(row["order_id"]) for row in snapshot.rows("returns", where, limit=20)}
    if not known:
        raise Refused(f"There is no return {reference!r}")
    if len(known) > 1:
        raise Refused(f"{reference!r} fits several returns: {', '.join(sorted(known))}")
    return next(iter(known.items()))
