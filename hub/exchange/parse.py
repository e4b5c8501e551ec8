"""Receipts become messages: the connector's own parsing, else the codec named by the stream (docs: receipts).

Nothing is lost: what cannot be read stays as an unparsable receipt, what cannot be identified as a parked message.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

from hub.domain.decision import ExceptionRequest, TaskRequest
from hub.domain.ids import IdSource
from hub.domain.writeset import WriteSet
from hub.exchange.connections import Closing, ConnectionView, Identity, StreamView
from hub.exchange.decisions import body_row, task_row
from hub.exchange.defaults import DEFAULTS
from hub.exchange.ports import ClaimedReceipt
from hub.formats import FormatError, codec
from hub.formats.json import dumps_canonical
from hub.sdk.errors import DataError
from hub.sdk.records import RawRecord, Receipt
from hub.sdk.streams import STREAMS, Kind, family

WHOLE = ""
"""Position of a record that is its receipt's whole body; it needs no body of its own."""


class Unparsable(Exception):
    """A receipt that cannot be cut into records. `code` groups, `message` is for a person and quotes nothing."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __reduce__(self) -> tuple[type[Unparsable], tuple[str, str]]:
        return (Unparsable, (self.code, self.message))  # it may come from a child process


def split(receipt: ClaimedReceipt, view: ConnectionView) -> list[RawRecord]:
    """The records of a receipt. Raises Unparsable."""
    try:
        own = view.parse(
            Receipt(
                receipt.connection,
                receipt.stream,
                receipt.delivery_id,
                receipt.headers,
                receipt.body,
                receipt.content_type,
                receipt.received_at,
                receipt.topic,
            )
        )
        if own is None and view.intake is not None:
            own = view.intake.split(receipt.body)
        if own is not None:
            # "" is kept for bodies that the codec reads whole; a connector may have taken an envelope off, or says not.
            return [_with_position(record, str(number)) for number, record in enumerate(own)]
        stream = view.streams.get(receipt.stream)
        if stream is None:
            raise Unparsable("no_stream", f"{receipt.connection} has no stream {receipt.stream}")
        records = codec(stream.codec).split(receipt.body, receipt.content_type or None, stream.codec_options)
    except DataError as error:
        raise Unparsable("data", f"{error}{f' at {error.position}' if error.position else ''}") from error
    except FormatError as error:
        raise Unparsable(error.code, str(error)) from error
    except KeyError as error:
        raise Unparsable("no_codec", str(error)) from error
    except (RecursionError, MemoryError) as error:
        raise Unparsable("too_deep", f"the body cannot be read: {type(error).__name__}") from error
    return [RawRecord(receipt.stream, None, tree, position) for position, tree in records]


def _with_position(record: RawRecord, number: str) -> RawRecord:
    if record.position != WHOLE or record.whole:
        return record
    return replace(record, position=number)


def parsed_rows(
    receipt: ClaimedReceipt,
    records: Sequence[RawRecord],
    view: ConnectionView,
    ids: IdSource,
    now: dt.datetime,
    revision: str,
    closing: Closing | None = None,
) -> tuple[WriteSet, list[ExceptionRequest]]:
    """Messages with their bodies, and the exceptions of those that cannot be identified."""
    writes = WriteSet()
    raised: list[ExceptionRequest] = []
    for record in records:
        verdict = closing.verdict(record.position) if closing is not None else None
        _message_rows(writes, raised, receipt, record, view, ids, now, revision, verdict)
    writes.update(
        "receipts",
        {"id": receipt.id, "state": "pending", "claims": receipt.claims},
        {"state": "parsed", "messages": len(records), "error": None, "lease_epoch": None, "lease_until": None},
    )
    return writes, raised


def _message_rows(
    writes: WriteSet,
    raised: list[ExceptionRequest],
    receipt: ClaimedReceipt,
    record: RawRecord,
    view: ConnectionView,
    ids: IdSource,
    now: dt.datetime,
    revision: str,
    verdict: tuple[str, str, str] | None,
) -> None:
    stream = view.streams.get(record.stream)
    identity = identify(record, stream)
    kind = STREAMS[record.stream][1] if record.stream in STREAMS else Kind.FACT
    message_id = ids.new("ms", now)
    state, code, error = "stored", None, None
    if verdict is None and record.problem is not None:
        verdict = ("parked", *record.problem)
    if verdict is not None:
        state, code, error = verdict
        if state == "parked":
            raised.append(_refused(receipt.connection, record.stream, message_id, code, error))
    elif identity.external_id is None and kind is Kind.STATE:
        state, code, error = "parked", "no_external_id", "the record does not say who it is"
        raised.append(no_identity_exception(receipt.connection, record.stream, message_id))
    elif stream is not None and stream.fetch_only and receipt.source == "webhook" and identity.external_id:
        state, code = "ignored", "fetched"
        task = fetch_task(
            receipt.connection, record.stream, identity.external_id, f"{receipt.id}/{record.position}", now
        )
        writes.insert("tasks", task_row(task, now), ignore=True)
    body_id = None
    if record.position != WHOLE:
        body_id = f"bd_{message_id}"
        body = dumps_canonical(record.body)  # type: ignore[arg-type]  # foreign data is typed loosely
        writes.insert("bodies", body_row(body_id, "message", message_id, body, "application/json", now))
    writes.insert(
        "messages",
        {
            "id": message_id,
            "receipt_id": receipt.id,
            "position": record.position,
            "connection": receipt.connection,
            "stream": record.stream,
            "kind": str(kind),
            "entity_key": entity_key(receipt.connection, record.stream, identity),
            "external_id": identity.external_id,
            "scope": identity.scope,
            "fact_key": identity.fact_key,
            "source_version": identity.version,
            "body_id": body_id,
            "state": state,
            "error_code": code,
            "error": error,
            "due_at": now,
            "created_at": now,
            "revision": revision,
        },
        ignore=True,
    )


def identify(record: RawRecord, stream: StreamView | None) -> Identity:
    """What the connector said of the record, completed by the mapping."""
    if record.external_id and record.version is not None:
        return Identity(record.external_id, record.scope, record.version)
    found = stream.mapping.identify(record.body) if stream is not None and stream.mapping is not None else Identity()
    return Identity(
        record.external_id or found.external_id,
        record.scope or found.scope,
        record.version if record.version is not None else found.version,
        found.fact_key,
    )


def entity_key(connection: str, stream: str, identity: Identity) -> str:
    """What intake serialises by: connection, family, scope and external id (a fact without one goes by its key)."""
    name = identity.external_id or (f"fact:{identity.fact_key}" if identity.fact_key else "")
    return f"{connection}|{family(stream)}|{identity.scope}|{name}"


def fetch_task(connection: str, stream: str, external_id: str, cause: str, now: dt.datetime) -> TaskRequest:
    """Fetch one entity again; the fetched receipt is what counts."""
    payload = {"connection": connection, "stream": stream, "external_id": external_id}
    return TaskRequest(
        "fetch", f"{connection}|{stream}|{external_id}", now, f"fetch/{connection}/{stream}/{cause}", payload
    )


def unparsable_rows(receipt: ClaimedReceipt, code: str, message: str) -> tuple[WriteSet, list[ExceptionRequest]]:
    """The receipt keeps its bytes and its error; a person decides."""
    writes = WriteSet()
    writes.update(
        "receipts",
        {"id": receipt.id, "state": "pending", "claims": receipt.claims},
        {"state": "unparsable", "error": f"{code}: {message}"[:2000], "lease_epoch": None, "lease_until": None},
    )
    request = ExceptionRequest(
        cause_key=f"unparsable/{receipt.connection}/{receipt.stream}/{code}",
        kind="unparsable",
        title=f"{receipt.connection}: a {receipt.stream or 'webhook'} body cannot be read",
        detail=message,
        next_step="the bytes are kept; nothing of them was applied",
        hint="see what the sender sends; retry the receipt once the connector or codec can read it",
        subject_kind="receipt",
        subject_id=receipt.id,
        connection=receipt.connection,
    )
    return writes, [request]


def _refused(connection: str, stream: str, message_id: str, code: str, words: str) -> ExceptionRequest:
    return ExceptionRequest(
        cause_key=f"{code}/{connection}/{stream}",
        kind="not_taken",
        title=f"{connection}: a record of {stream} cannot be taken as it came",
        detail=words,
        next_step="the record is kept and not applied",
        hint="correct the connection's or the partner's file, or ask the sender; then retry the message",
        subject_kind="message",
        subject_id=message_id,
        connection=connection,
    )


def no_identity_exception(connection: str, stream: str, message_id: str) -> ExceptionRequest:
    return ExceptionRequest(
        cause_key=f"no_external_id/{connection}/{stream}",
        kind="no_external_id",
        title=f"{connection}: {stream} without an id",
        detail="the record does not say who it is, so nothing can be found or updated by it",
        next_step="the record is kept and not applied",
        hint="correct the mapping's external_id, or ask the sender; then retry the message",
        subject_kind="message",
        subject_id=message_id,
        connection=connection,
    )


def parks(claims: int) -> bool:
    """Claimed so often that it must have ended its claimers."""
    return claims >= DEFAULTS.poison_parks_at
