"""Sending a document to a partner again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.actions.once import Once
from hub.domain.snapshot import Snapshot
from hub.domain.writeset import WriteSet
from hub.exchange import verbs
from hub.exchange.decisions import Writer
from hub.exchange.verbs import Refused
from hub.formats import json
from hub.runtime.hub import Hub

SAME = ("sent", "overdue")
"""States in which nobody has answered: the same file goes out again, under its number."""


def resend(
    hub: Hub, who: str, reference: str, reason: str = "", connection: str = "", once: Once | None = None
) -> dict[str, Any]:
    """`reference`: an interchange number of ours, a delivery or its business key. What nobody has answered goes out
    again as it was; what was answered is written anew, by the mapping of now and under a number of its own."""
    told: dict[str, Any] = {}

    def compute(writer: Writer) -> WriteSet:
        old = once.look(writer.snapshot, writer.now) if once else False
        row = _document(writer.snapshot, reference, connection)
        told["delivery"] = row["id"]
        if row["state"] in SAME:
            told["message"] = f"{row['id']} goes out again, the same file under the same number"
            writes = verbs.send_again(writer, str(row["id"]), who, reason)
        else:
            told["message"] = f"{row['id']} is written anew, under a number of its own"
            given = reason or "its partner is to get it again"
            writes = verbs.resend_as_new(writer, str(row["id"]), given, who, _kept(writer.snapshot), anew=True)
        if once:
            once.keep(writes, dict(told), writer.now, old=old)
        return writes

    hub.commit(compute, f"edi/{reference}")
    return told


def kept_record(snapshot: Snapshot, row: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a document was made of; None where that is not kept with it, or erased."""
    raw = snapshot.body(str(row["body_id"]))
    payload = json.loads(raw) if raw else None
    record = payload.get("record") if isinstance(payload, dict) else None
    return dict(record) if isinstance(record, dict) else None


def _kept(snapshot: Snapshot) -> verbs.RecordNow:
    def record_now(row: Mapping[str, Any]) -> Mapping[str, Any] | None:
        record = kept_record(snapshot, row)
        if record is None:
            raise Refused(f"what {row['id']} was made of is not kept any more")
        return record

    return record_now


def _document(snapshot: Snapshot, reference: str, connection: str) -> dict[str, Any]:
    row = snapshot.row("deliveries", {"id": reference}) or snapshot.row("deliveries", {"business_key": reference})
    if row is not None:
        return row
    if not (reference.isascii() and reference.isdigit()):
        raise Refused(f"there is no document {reference}; `hub edi interchanges --sent` lists them")
    where = {"interchange": int(reference), **({"connection": connection} if connection else {})}
    found = [one for one in snapshot.rows("edi_documents", where, limit=20) if one["delivery_id"]]
    if not found:
        raise Refused(f"no interchange {reference} was sent{f' by {connection}' if connection else ''}")
    if len({one["connection"] for one in found}) > 1:
        names = ", ".join(sorted({str(one["connection"]) for one in found}))
        raise Refused(f"several partners got an interchange {reference}; say --connection, one of {names}")
    row = snapshot.row("deliveries", {"id": max(found, key=lambda one: one["created_at"])["delivery_id"]})
    if row is None:
        raise Refused(f"the delivery of interchange {reference} is gone")
    return row
