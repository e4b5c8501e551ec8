"""What a program writes through the API: a receipt and its message, decided and stored in one transaction.

There is somebody to be told: what cannot be taken is refused with its reason, and nothing of it is kept.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from hub.domain.decision import MessageHandler, Verdict
from hub.domain.writeset import Insert, Update, WriteSet
from hub.exchange.connections import ConnectionView
from hub.exchange.decisions import Writer, body_row
from hub.exchange.parse import WHOLE, entity_key, identify
from hub.exchange.ports import ClaimedMessage, NewReceipt
from hub.exchange.verdicts import compute
from hub.formats import json
from hub.sdk.records import RawRecord
from hub.sdk.streams import STREAMS

UNCLAIMED = "written"
"""Stands where the token of a claim would: nobody else ever sees this message unapplied."""

KEPT = (Verdict.APPLIED, Verdict.DUPLICATE, Verdict.SUPERSEDED, Verdict.IGNORED)


class NotTaken(Exception):
    """`code`, `field` (dotted, "" for the whole) and words without values."""

    def __init__(self, code: str, field: str, message: str) -> None:
        super().__init__(message)
        self.code, self.field, self.message = code, field, message


@dataclass(frozen=True, slots=True)
class Written:
    """`subject` is what it is about (an order's id), `created` whether this made it."""

    receipt: str
    message: str
    verdict: str
    subject: str
    created: bool
    held: bool
    writes: WriteSet


class Rules(Protocol):
    @property
    def messages(self) -> Mapping[str, MessageHandler]: ...


def written(receipt: NewReceipt, view: ConnectionView, rules: Rules, writer: Writer, ids: tuple[str, str]) -> Written:
    """Everything to be committed for one record. `ids` of receipt and message. Raises NotTaken, and Unparsable's kin
    never: the body was read before."""
    receipt_id, message_id = ids
    stream = view.streams[receipt.stream]
    identity = identify(RawRecord(receipt.stream, None, json.loads(receipt.body), WHOLE), stream)
    message = ClaimedMessage(
        id=message_id,
        receipt_id=receipt_id,
        position=WHOLE,
        connection=receipt.connection,
        stream=receipt.stream,
        kind=str(STREAMS[receipt.stream][1]),
        entity_key=entity_key(receipt.connection, receipt.stream, identity),
        external_id=identity.external_id,
        scope=identity.scope,
        fact_key=identity.fact_key,
        source_version=identity.version or _version(receipt.received_at),
        body=receipt.body,
        received_at=receipt.received_at,
        source=receipt.source,
        claims=1,
        token=UNCLAIMED,
        content_type=receipt.content_type,
    )
    found = compute(
        message, writer.snapshot, writer.connections, rules.messages, writer.renderer, writer.ids, writer.now
    )
    settled, rest = _parted(found.writes, message_id)
    if found.verdict not in KEPT:
        raise NotTaken(
            str(settled.get("error_code") or found.verdict),
            str(settled.get("error_field") or ""),
            str(settled.get("error") or "it speaks of something that is not known"),
        )
    body_id = "bd" + receipt_id[2:]
    writes = WriteSet()
    writes.insert("bodies", _body(body_id, receipt_id, receipt))
    writes.insert("receipts", _receipt_row(receipt_id, body_id, receipt))
    writes.insert("messages", {**_message_row(message, writer.now), **settled})
    writes.operations.extend(rest)
    return Written(
        receipt=receipt_id,
        message=message_id,
        verdict=found.verdict,
        subject=str(settled.get("subject") or ""),
        created=any(isinstance(one, Insert) and one.table == "orders" for one in rest),
        held=bool(settled.get("held")),
        writes=writes,
    )


def _version(received_at: dt.datetime) -> str:
    """A writer that states no version means: as of now."""
    return received_at.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _parted(writes: WriteSet, message_id: str) -> tuple[dict[str, Any], list[Any]]:
    """What the verdict sets on the message, which is not stored yet, and everything else."""
    settled: dict[str, Any] = {}
    rest = []
    for operation in writes.operations:
        if isinstance(operation, Update) and operation.table == "messages" and operation.where.get("id") == message_id:
            settled |= dict(operation.values)
        else:
            rest.append(operation)
    return settled, rest


def _body(body_id: str, receipt_id: str, receipt: NewReceipt) -> dict[str, Any]:
    row = body_row(body_id, "receipt", receipt_id, receipt.body, receipt.content_type, receipt.received_at)
    return {**row, "headers": dict(receipt.headers)}


def _receipt_row(receipt_id: str, body_id: str, receipt: NewReceipt) -> dict[str, Any]:
    return {
        "id": receipt_id,
        "connection": receipt.connection,
        "stream": receipt.stream,
        "topic": receipt.topic,
        "delivery_id": receipt.delivery_id,
        "body_hash": hashlib.sha256(receipt.body).hexdigest(),
        "body_id": body_id,
        "source": receipt.source,
        "received_at": receipt.received_at,
        "state": "parsed",
        "messages": 1,
    }


def _message_row(message: ClaimedMessage, now: dt.datetime) -> dict[str, Any]:
    return {
        "id": message.id,
        "receipt_id": message.receipt_id,
        "position": message.position,
        "connection": message.connection,
        "stream": message.stream,
        "kind": message.kind,
        "entity_key": message.entity_key,
        "external_id": message.external_id,
        "scope": message.scope,
        "fact_key": message.fact_key,
        "source_version": message.source_version,
        "claims": message.claims,
        "due_at": now,
        "created_at": now,
    }
