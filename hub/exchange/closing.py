"""Ending a delivery on somebody's word instead of its own answer: an echo, an acknowledgement, evidence, a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub.domain.decision import ExceptionClear
from hub.domain.writeset import WriteSet
from hub.exchange.decisions import Writer
from hub.exchange.exceptions import clear_rows
from hub.exchange.replies import Answer, reply_rows

RELEASED: Mapping[str, Any] = {"lease_token": None, "lease_until": None, "lease_epoch": None}


@dataclass(frozen=True, slots=True)
class Word:
    """What somebody says of a delivery. `state`: acknowledged | refused | abandoned. `origin` makes the reply's fact
    key, so the same word twice is one reply. `body_id` names the raw answer it comes from."""

    state: str
    by: str
    origin: str
    external_id: str | None = None
    words: str = ""
    body_id: str | None = None

    @property
    def resolution(self) -> str:
        return {"acknowledged": "success", "refused": "rejected"}.get(self.state, self.state)


def close_delivery(writes: WriteSet, writer: Writer, row: Mapping[str, Any], word: Word) -> None:
    """State, reply message, cleared exceptions, woken echoes. The state read is the precondition: two words at once
    have one effect."""
    now, delivery_id = writer.now, str(row["id"])
    external_id = word.external_id or row["external_id"]
    writes.update(
        "deliveries",
        {"id": delivery_id, "state": row["state"], "lease_token": row["lease_token"]},
        {
            **RELEASED,
            "state": word.state,
            "settled_at": now,
            "external_id": external_id,
            "park_reason": None,
            "error": word.words or None,
        },
    )
    body = writer.snapshot.row("bodies", {"id": word.body_id}) if word.body_id else None
    answer = Answer(
        business_key=row["business_key"],
        destination=row["destination"],
        capability=row["capability"],
        order_id=row["order_id"],
        origin=word.origin,
        resolution=word.resolution,
        state=word.state,
        external_id=external_id,
        words=word.words,
        body_id=word.body_id,
        content_type=body["content_type"] if body else "",
    )
    reply_rows(writes, answer, writer.ids, now, writer.connections.revision)
    clears = [ExceptionClear("", "delivery", delivery_id, word.by)]
    if word.state == "acknowledged":
        clears += unblock(writes, writer, row["business_key"], row["order_id"], word.by)
    clear_rows(writes, writer.snapshot, clears, now)
    writes.wake([delivery_id], now)


def unblock(
    writes: WriteSet, writer: Writer, business_key: str, order_id: str | None, by: str, *, instead: str = ""
) -> list[ExceptionClear]:
    """What was blocked for want of this delivery may go on; with `instead`, it waits for that one from now on."""
    if order_id is None:
        return []
    clears = []
    for row in writer.snapshot.rows("deliveries", {"order_id": order_id, "state": "parked", "park_reason": "blocked"}):
        if business_key not in row["requires"]:
            continue
        requires = [instead if instead and key == business_key else key for key in row["requires"]]
        values = {"state": "pending", "park_reason": None, "error": None, "due_at": writer.now, "requires": requires}
        writes.update("deliveries", {"id": row["id"], "state": "parked"}, values)
        clears.append(ExceptionClear("", "delivery", row["id"], by))
    return clears
