"""The late answer of a system that only took our document at first (docs: outbox, asynchronous acceptance)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hub.domain.decision import Decision, DueTask, ExceptionRequest, Incoming, Verdict
from hub.domain.masking import masked, private_texts
from hub.domain.writeset import WriteSet
from hub.exchange.closing import Word, close_delivery
from hub.exchange.decisions import Writer
from hub.exchange.resolution import FINAL
from hub.exchange.settlement import block_dependants, delivery_exception
from hub.formats import json
from hub.sdk.streams import GROUP_REFERENCE

ANSWERABLE = frozenset({"sent", "overdue", "unknown", "probing", "conflict", "suppressed", "parked"})


def acknowledge(incoming: Incoming, writer: Writer) -> Decision:
    """Settle the delivery that the acknowledgement's key names; the OMS hears of it by a reply."""
    record = incoming.record
    key = str(record["key"])
    row = _delivery(writer, incoming.connection, key)
    if row is None:
        return Decision(Verdict.WAITING, waits_for=f"delivery|{key}", message=f"no delivery of {key} is known")
    subject = row["order_id"] or ""
    if row["state"] in FINAL:
        return Decision(Verdict.IGNORED, subject=subject, message=f"the delivery is {row['state']} already")
    if row["state"] not in ANSWERABLE:
        return Decision(Verdict.WAITING, subject=subject, waits_for=row["id"], message="the call is still under way")
    if record["accepted"] is True and record.get("received_only"):
        return Decision(
            Verdict.IGNORED, subject=subject, message="it arrived; the acknowledgement of what it holds is due"
        )
    writes = WriteSet()
    raised: list[ExceptionRequest] = []
    contacts = writer.snapshot.rows("contacts", {"order_id": subject}) if subject else []
    reason = masked(str(record.get("reason", "")), private_texts(row["data"] for row in contacts))
    accepted = record["accepted"] is True
    word = Word(
        "acknowledged" if accepted else "refused",
        by="acknowledgement",
        origin=incoming.id,
        external_id=record.get("external_id"),
        words="" if accepted else reason,
        body_id=_last_answer(writer, row["id"]),
    )
    close_delivery(writes, writer, row, word)
    if not accepted:
        subject_of = (row["id"], row["destination"], row["capability"], row["order_id"])
        refused = _of_file(
            delivery_exception("refused", *subject_of, reason),
            _file_name(writer, row),
            "`hub deliveries show {id}`; correct the mapping or the partner's file, then `hub edi resend {id}`",
        )
        raised = [refused, *block_dependants(writes, writer, row["business_key"], row["order_id"], refused)]
    return Decision(Verdict.APPLIED, subject=subject, writes=writes, exceptions=raised)


def _delivery(writer: Writer, connection: str, key: str) -> dict[str, Any] | None:
    """The delivery behind the reference that we gave: what an effect is keyed by, for whichever of the connection's
    capabilities (a resend names its suffix with it), or a whole business key; or the group that it went in."""
    view = writer.connections.get(connection)
    names = [f"{connection}/{capability}/{key}" for capability in view.capabilities] if view else []
    rows = writer.snapshot.rows("deliveries", {"business_key": (key, *names), "destination": connection}, limit=1)
    if not rows:
        where = {"system": connection, "entity": GROUP_REFERENCE, "external_id": key, "role": "primary"}
        named = writer.snapshot.rows("cross_references", where, limit=1)
        rows = writer.snapshot.rows("deliveries", {"id": named[0]["internal_id"]}, limit=1) if named else []
    return rows[0] if rows else None


def _last_answer(writer: Writer, delivery_id: str) -> str | None:
    """The bytes with which the document was taken: they may hold the id that the acknowledgement leaves out."""
    rows = writer.snapshot.rows("attempts", {"delivery_id": delivery_id}, order_by=("-number",), limit=1)
    body_id: str | None = rows[0]["body_id"] if rows else None
    return body_id


def overdue(task: DueTask, writer: Writer) -> Decision:
    """The acknowledgement is due: if it has not come, the delivery is overdue, still open, and a person hears of it."""
    row: dict[str, Any] | None = writer.snapshot.row("deliveries", {"id": task.subject})
    if row is None or row["state"] != "sent":
        return Decision()
    writes = WriteSet()
    writes.update("deliveries", {"id": row["id"], "state": "sent"}, {"state": "overdue"})
    request = _of_file(
        delivery_exception(
            "overdue", row["id"], row["destination"], row["capability"], row["order_id"], "no acknowledgement in time"
        ),
        _file_name(writer, row),
        "ask the partner; if it is lost there, `hub edi resend {id}` sends the same file again",
    )
    return Decision(writes=writes, exceptions=[request])


def _file_name(writer: Writer, row: dict[str, Any]) -> str:
    """What the file is called, where the document went as one with control numbers; else empty."""
    raw = writer.snapshot.body(row["body_id"])
    payload = json.loads(raw) if raw and raw[:1] == b"{" else None
    if not isinstance(payload, dict) or "record" not in payload:
        return ""
    return str(payload.get("name", ""))


def _of_file(request: ExceptionRequest, name: str, hint: str) -> ExceptionRequest:
    """With the file that it is about and how that is sent anew. What is grouped stays grouped."""
    if not name:
        return request
    return replace(request, detail=f"{name}: {request.detail}", hint=hint.format(id=request.subject_id))
