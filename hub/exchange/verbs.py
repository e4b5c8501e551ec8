"""What a person may do with a delivery. Each returns the rows and an audit row; Refused says why not.

An UNKNOWN is settled with exactly three verbs: happened, did_not_happen, abandon. Pressed twice at once, each has one
effect: the state read is the precondition of the rows.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hub.domain.decision import ExceptionClear
from hub.domain.ids import derived_id
from hub.domain.writeset import WriteSet
from hub.exchange.closing import RELEASED, Word, close_delivery, unblock
from hub.exchange.decisions import CANONICAL, Writer, body_row, frozen
from hub.exchange.exceptions import audit, clear_rows, raise_rows
from hub.exchange.resolution import FINAL
from hub.exchange.settlement import block_dependants, delivery_exception
from hub.formats import FormatError, json
from hub.mapping.errors import MappingError

UNSETTLED = ("unknown", "conflict")
CLOSABLE = ("pending", "retry", "unknown", "conflict", "overdue", "sent", "parked", "suppressed")


class Refused(Exception):
    """The delivery is not in a state in which this can be done."""


def happened(writer: Writer, delivery_id: str, external_id: str, who: str, reason: str = "") -> WriteSet:
    """The call took effect over there, under this id."""
    row = _standing(writer, delivery_id, UNSETTLED, "happened")
    writes = WriteSet()
    word = Word("acknowledged", by=who, origin=_origin(row, "happened"), external_id=external_id)
    close_delivery(writes, writer, row, word)
    audit(writes, "deliveries.happened", delivery_id, who, reason, writer.now, {"external_id": external_id})
    return writes


def did_not_happen(writer: Writer, delivery_id: str, who: str, reason: str = "") -> WriteSet:
    """The call had no effect over there; it is sent again with the same bytes."""
    row = _standing(writer, delivery_id, UNSETTLED, "did-not-happen")
    writes = WriteSet()
    values = {**RELEASED, "state": "pending", "due_at": writer.now, "probe_after": None, "error": None}
    writes.update("deliveries", _guard(row), {**values, "give_up_at": _horizon(writer, row)})
    clear_rows(writes, writer.snapshot, [ExceptionClear("", "delivery", delivery_id, who)], writer.now)
    audit(writes, "deliveries.did-not-happen", delivery_id, who, reason, writer.now)
    return writes


def abandon(writer: Writer, delivery_id: str, reason: str, who: str) -> WriteSet:
    """Nothing more is done about it, for a reason; what required it parks as blocked."""
    row = _standing(writer, delivery_id, CLOSABLE, "abandon")
    writes = WriteSet()
    close_delivery(writes, writer, row, Word("abandoned", by=who, origin=_origin(row, "abandoned"), words=reason))
    cause = delivery_exception(
        "refused", delivery_id, row["destination"], row["capability"], row["order_id"], f"abandoned: {reason}"
    )
    blocked = block_dependants(writes, writer, row["business_key"], row["order_id"], cause)
    raise_rows(writes, writer.snapshot, blocked, delivery_id, writer.now)
    audit(writes, "deliveries.abandon", delivery_id, who, reason, writer.now)
    return writes


def mark_done(writer: Writer, delivery_id: str, external_id: str, reason: str, who: str) -> WriteSet:
    """Somebody did it by hand over there; any delivery that is not acknowledged may be marked so."""
    row = _standing(writer, delivery_id, (*CLOSABLE, "refused", "abandoned"), "done elsewhere")
    writes = WriteSet()
    word = Word("acknowledged", by=who, origin=_origin(row, "done"), external_id=external_id, words=reason)
    close_delivery(writes, writer, row, word)
    audit(writes, "deliveries.done-elsewhere", delivery_id, who, reason, writer.now, {"external_id": external_id})
    return writes


def retry(writer: Writer, delivery_id: str, who: str) -> WriteSet:
    """A parked delivery goes back to the queue; one that could not be rendered is rendered again now.

    Raises Refused also where it still cannot be rendered.
    """
    row = _standing(writer, delivery_id, ("parked", "retry"), "retry")
    writes = WriteSet()
    now = writer.now
    if row["park_reason"] == "mapping":
        _render_again(writes, writer, row)
    view = writer.connections.get(row["destination"])
    suppressed = view is None or not view.effects
    values: dict[str, Any] = {
        **RELEASED,
        "state": "suppressed" if suppressed else "pending",
        "settled_at": now if suppressed else None,
        "park_reason": None,
        "error": None,
        "due_at": now,
        "give_up_at": _horizon(writer, row),
    }
    writes.update("deliveries", _guard(row), values)
    clear_rows(writes, writer.snapshot, [ExceptionClear("", "delivery", delivery_id, who)], now)
    audit(writes, "deliveries.retry", delivery_id, who, "", now)
    return writes


def _render_again(writes: WriteSet, writer: Writer, row: Mapping[str, Any]) -> None:
    """Only while no attempt has started: what was sent once is never changed under the same key."""
    if row["attempts"]:
        raise Refused("an attempt has started; resend it as new with a reason")
    body = writer.snapshot.row("bodies", {"id": row["body_id"]})
    raw = writer.snapshot.body(row["body_id"])
    if body is None or raw is None:
        raise Refused("its payload was erased")
    if body["content_type"] != CANONICAL:
        return
    record = json.loads(raw)
    assert isinstance(record, dict)
    writes.update("deliveries", {"id": row["id"]}, _rendered(writes, writer, row, record, str(row["id"])))


def _rendered(
    writes: WriteSet, writer: Writer, row: Mapping[str, Any], record: Mapping[str, Any], owner_id: str
) -> dict[str, Any]:
    """Adds the record's bytes as a body of delivery `owner_id`; its values. Raises Refused where it has none."""
    try:
        rendered = writer.renderer.render(row["destination"], row["capability"], record)
        payload = json.dumps_canonical(frozen(writes, rendered, writer, owner_id))
    except (MappingError, FormatError) as problem:
        raise Refused(f"it still cannot be written: {problem}") from problem
    body_id = derived_id("bd", owner_id, writer.now.isoformat())
    new = body_row(body_id, "delivery", owner_id, payload, rendered.content_type, writer.now, row["order_id"])
    writes.insert("bodies", new, ignore=True)
    return {"body_id": body_id, "body_hash": hashlib.sha256(payload).hexdigest()}


RecordNow = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]
"""The canonical record of a delivery's call as it would be made now; None where it cannot have changed."""


def resend_as_new(
    writer: Writer,
    delivery_id: str,
    reason: str,
    who: str,
    record_now: RecordNow = lambda _: None,
    *,
    anew: bool = False,
) -> WriteSet:
    """A second effect of the same fact, under a new key suffix: the only way there is to one, and audited.

    What was refused is written anew, with `anew` everything; else it goes out again with the bytes it had.
    """
    row = _standing(writer, delivery_id, tuple(FINAL), "resend --as-new")
    if not reason:
        raise Refused("a second effect needs a reason")
    base = str(row["business_key"]).split("#", 1)[0]
    siblings = writer.snapshot.rows(
        "deliveries", {"destination": row["destination"], "aggregate": row["aggregate"], "lane": row["lane"]}
    )
    number = 1 + sum(1 for other in siblings if str(other["business_key"]).split("#", 1)[0] == base)
    key = f"{base}#{number}"
    new_id = derived_id("dl", key)
    writes = WriteSet()
    kept = ("destination", "capability", "aggregate", "lane", "subject", "order_id", "safety", "body_id", "body_hash")
    values = {name: row[name] for name in kept}
    record = record_now(row) if anew or row["state"] == "refused" else None
    if record is not None:
        values |= _rendered(writes, writer, row, record, new_id)
    if row["state"] == "refused":
        values["sequence"] = row["sequence"]  # its place in the lane: what waits for it stands behind it
    writes.insert(
        "deliveries",
        {
            **values,
            "id": new_id,
            "business_key": key,
            "state": "pending",
            "refs": row["refs"],
            "requires": [],
            "fact": row["fact"],
            "echo_key": key if row["echo_key"] else None,
            "due_at": writer.now,
            "give_up_at": _horizon(writer, row),
            "cause": delivery_id,
            "created_at": writer.now,
        },
        claim=True,
    )
    clears = [ExceptionClear("", "delivery", delivery_id, who)]
    clears += unblock(writes, writer, str(row["business_key"]), row["order_id"], who, instead=key)
    clear_rows(writes, writer.snapshot, clears, writer.now)
    audit(writes, "deliveries.resend-as-new", delivery_id, who, reason, writer.now, {"new": new_id, "key": key})
    return writes


def send_again(writer: Writer, delivery_id: str, who: str, reason: str) -> WriteSet:
    """What was taken and is not answered goes out once more as it was: the other side knows it by its own number."""
    row = _standing(writer, delivery_id, ("sent", "overdue"), "sending again")
    values = {"state": "pending", "due_at": writer.now, "error": None, "give_up_at": _horizon(writer, row)}
    writes = WriteSet()
    writes.update("deliveries", _guard(row), {**RELEASED, **values})
    clear_rows(writes, writer.snapshot, [ExceptionClear("", "delivery", delivery_id, who)], writer.now)
    audit(writes, "deliveries.send-again", delivery_id, who, reason, writer.now)
    return writes


def go_live(writer: Writer, delivery_ids: Sequence[str], who: str) -> WriteSet:
    """Suppressed deliveries that are listed are sent after all; the others stay as they are."""
    writes = WriteSet()
    for delivery_id in delivery_ids:
        row = _standing(writer, delivery_id, ("suppressed",), "go-live")
        values = {"state": "pending", "due_at": writer.now, "settled_at": None, "give_up_at": _horizon(writer, row)}
        writes.update("deliveries", _guard(row), values)
        audit(writes, "connections.go-live", delivery_id, who, "", writer.now)
    return writes


def _standing(writer: Writer, delivery_id: str, states: Sequence[str], verb: str) -> dict[str, Any]:
    row = writer.snapshot.row("deliveries", {"id": delivery_id})
    if row is None:
        raise Refused(f"there is no delivery {delivery_id}")
    if row["state"] not in states:
        allowed = ", ".join(sorted(states))
        raise Refused(f"{verb} is for deliveries that are {allowed}; {delivery_id} is {row['state']}")
    return row


def _horizon(writer: Writer, row: Mapping[str, Any]) -> dt.datetime:
    """A person has just asked for it: its age counts from now."""
    view = writer.connections.get(row["destination"])
    return writer.now + dt.timedelta(seconds=view.horizon_seconds(row["capability"]) if view else 0.0)


def _guard(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": row["id"], "state": row["state"], "lease_token": row["lease_token"]}


def _origin(row: Mapping[str, Any], verb: str) -> str:
    return f"{row['id']}/{verb}/{row['attempts']}"
