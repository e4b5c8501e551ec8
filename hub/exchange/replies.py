"""The answer to one of our own calls, as a message of the stream `replies` (docs: receipts, messages, replies).

It is written in the transaction that settles the delivery. Nothing else reads a response.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub.domain.decision import Incoming
from hub.domain.ids import IdSource
from hub.domain.snapshot import Snapshot
from hub.domain.writeset import WriteSet
from hub.exchange.connections import Connections
from hub.exchange.decisions import body_row
from hub.exchange.ports import ClaimedMessage
from hub.formats import json
from hub.mapping.errors import MappingError
from hub.sdk.streams import Kind

STREAM = "replies"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the OMS is told of a delivery. `origin` makes the fact key: the attempt's id, or who said it instead.

    `resolution`: success | duplicate | rejected | gone | ambiguous | abandoned. `state`: the delivery's new state.
    `body_id` names the raw answer's bytes, None where there are none.
    """

    business_key: str
    destination: str
    capability: str
    order_id: str | None
    origin: str
    resolution: str
    state: str
    external_id: str | None
    words: str
    status: int | None = None
    body_id: str | None = None
    content_type: str = ""


def effect_key(business_key: str, destination: str, capability: str) -> str:
    """The key as the decision named it: without destination, capability and the suffix of a resend."""
    return business_key.removeprefix(f"{destination}/{capability}/").split("#", 1)[0]


def reply_rows(writes: WriteSet, answer: Answer, ids: IdSource, now: dt.datetime, revision: str) -> None:
    """Add the reply message and its body."""
    message_id = ids.new("ms", now)
    envelope = {
        "delivery": answer.business_key,
        "destination": answer.destination,
        "capability": answer.capability,
        "key": effect_key(answer.business_key, answer.destination, answer.capability),
        "order_id": answer.order_id,
        "resolution": answer.resolution,
        "state": answer.state,
        "external_id": answer.external_id,
        "words": answer.words,
        "status": answer.status,
        "body_id": answer.body_id,
        "content_type": answer.content_type,
    }
    body = json.dumps_canonical(envelope)
    writes.insert("bodies", body_row(f"bd_{message_id}", "message", message_id, body, "application/json", now))
    writes.insert(
        "messages",
        {
            "id": message_id,
            "receipt_id": answer.origin,
            "position": "reply",
            "connection": answer.destination,
            "stream": STREAM,
            "kind": str(Kind.FACT),
            "entity_key": f"{answer.destination}|{STREAM}||{answer.business_key}",
            "external_id": answer.business_key,
            "scope": "",
            "fact_key": answer.origin,
            "body_id": f"bd_{message_id}",
            "subject": answer.order_id,
            "state": "stored",
            "due_at": now,
            "created_at": now,
            "revision": revision,
        },
        ignore=True,
    )


def reply_incoming(message: ClaimedMessage, snapshot: Snapshot, connections: Connections, now: dt.datetime) -> Incoming:
    """The reply as its handler gets it: the envelope, and `reply`, the canonical record of the reply mapping.

    Raises MappingError where the raw answer cannot be mapped; it then parks and can be re-driven.
    """
    envelope = json.loads_canonical(message.body)
    if not isinstance(envelope, dict):
        raise MappingError("", "not_an_object", "a reply's envelope is an object")
    record: dict[str, Any] = {
        name: value for name, value in envelope.items() if name not in ("body_id", "content_type")
    }
    record["reply"] = _mapped(envelope, snapshot, connections)
    record["external_id"] = envelope["external_id"] or record["reply"].get("external_id") or ""
    return Incoming(
        id=message.id,
        connection=message.connection,
        stream=STREAM,
        record=record,
        restate=record,
        previous=None,
        highest={},
        newest=True,
        scope="",
        external_id=str(envelope["delivery"]),
        fact_key=message.fact_key or "",
        holds=(),
        source_version="",
        received_at=message.received_at,
        source="reply",
        effects=True,
    )


def _mapped(envelope: Mapping[str, Any], snapshot: Snapshot, connections: Connections) -> dict[str, Any]:
    view = connections.get(str(envelope["destination"]))
    mapping = view.replies.get(str(envelope["capability"])) if view else None
    body_id = envelope["body_id"]
    if mapping is None or not body_id or envelope["resolution"] not in ("success", "duplicate", "rejected"):
        return {}
    raw = snapshot.body(str(body_id))
    return mapping.run(raw, str(envelope["content_type"])) if raw else {}
