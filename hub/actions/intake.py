"""Feeding files by hand: `hub ingest` and `hub import`."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from hub.domain.decision import Decision, Incoming, MessageHandler, Verdict
from hub.domain.ids import derived_id
from hub.domain.snapshot import Snapshot
from hub.exchange.ports import NewReceipt
from hub.exchange.verbs import Refused
from hub.mapping.errors import MappingError
from hub.runtime.hub import Hub

MAX_FILE_BYTES = 100_000_000
WITH_REASON = ("parked", "waiting", "held", "retry")
"""Where a person wants to know why. What is superseded or a duplicate went as it should."""

UNSETTLED = ("stored", "claimed", "retry")
PATIENCE_SECONDS = 120.0
PAUSE_SECONDS = 0.02
CLAIM = 50
ITEMS_MAPPING = "generic/items.in"


def ingest(hub: Hub, who: str, connection: str, files: Sequence[str], stream: str | None = None) -> dict[str, Any]:
    """Each file a receipt; one item a message, in order, or one for a receipt that could not be parsed."""
    del who
    view = hub.connections.get(connection)
    if view is None:
        raise Refused(f"There is no connection {connection!r}; there are {', '.join(hub.connections.ids())}")
    chosen = stream or ("orders" if "orders" in view.streams else next(iter(view.streams), ""))
    if chosen not in view.streams:
        raise Refused(f"{connection} has no stream {chosen!r}; it has {', '.join(view.streams)}")
    now = hub.clock.now()
    receipts = []
    for name in files:
        body = _read(Path(name))
        receipts.append(
            NewReceipt(
                connection=connection,
                stream=chosen,
                topic=None,
                delivery_id=None,
                headers={"x-file-name": Path(name).name},
                body=body,
                content_type="application/xml" if body.lstrip()[:1] == b"<" else "application/json",
                source="file",
                received_at=now,
            )
        )
    accepted = hub.store.accept(receipts)
    ids = [one.id for one in accepted]
    _settle(hub, ids)
    with hub.store.read() as snapshot:
        items = [
            item for name, receipt_id in zip(files, ids, strict=True) for item in _items(snapshot, name, receipt_id)
        ]
    return {"items": items}


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            body = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from error
    if len(body) > MAX_FILE_BYTES:
        raise Refused(f"{path} is larger than {MAX_FILE_BYTES} bytes")
    return body


def _settle(hub: Hub, receipts: Sequence[str]) -> None:
    """Until every message of these has a verdict. Workers of this process may do the same at the same time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        worked = hub.engine.parse(CLAIM) + hub.engine.apply(CLAIM)
        with hub.store.read() as snapshot:
            pending = any(
                snapshot.rows("receipts", {"id": tuple(chunk), "state": "pending"}, limit=1)
                or snapshot.rows("messages", {"receipt_id": tuple(chunk), "state": UNSETTLED}, limit=1)
                for chunk in _chunks(receipts)
            )
        if not pending:
            return
        if not worked:
            time.sleep(PAUSE_SECONDS)


def _chunks(ids: Sequence[str], size: int = 200) -> list[Sequence[str]]:
    return [ids[start : start + size] for start in range(0, len(ids), size)]


def _items(snapshot: Snapshot, name: str, receipt_id: str) -> list[dict[str, Any]]:
    receipt = snapshot.row("receipts", {"id": receipt_id})
    assert receipt is not None
    if receipt["state"] == "unparsable":
        problem = {"code": "unparsable", "field": "", "message": receipt["error"]}
        return [{"file": name, "status": "unparsable", "order": None, "receipt": receipt_id, "error": problem}]
    messages = snapshot.rows("messages", {"receipt_id": receipt_id}, order_by=("position", "id"))
    messages.sort(key=lambda row: [int(part) if part.isdigit() else -1 for part in str(row["position"]).split(".")])
    return [_item(snapshot, name, row) for row in messages]


def _item(snapshot: Snapshot, name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    status = "held" if row["state"] == "applied" and row["held"] else row["state"]
    error = _hold(snapshot, row["subject"]) if status == "held" else None
    if row["error"] and status in WITH_REASON:
        error = {"code": row["error_code"], "field": row["error_field"], "message": row["error"]}
    return {
        "file": name,
        "position": row["position"],
        "status": status,
        "order": row["subject"],
        "external_id": row["external_id"],
        "message": row["id"],
        "error": error,
    }


def _hold(snapshot: Snapshot, order: str | None) -> dict[str, Any] | None:
    """The first hold that stands on the order."""
    found = snapshot.rows("holds", {"order_id": order, "released_at": None}, order_by=("id",), limit=1) if order else []
    if not found:
        return None
    return {"code": found[0]["rule"], "field": found[0]["path"], "message": found[0]["hint"]}


def import_items(hub: Hub, who: str, file: str) -> dict[str, Any]:
    """Items from a JSON list or a CSV file; through the mapping and the rules of the stream `items`."""
    mapping = hub.loaded.library.find(ITEMS_MAPPING)
    if mapping is None:
        raise Refused(f"There is no mapping {ITEMS_MAPPING}")
    rows = _rows(_read(Path(file)), file)
    if not rows:
        raise Refused(f"{file} holds no items")
    handler = hub.handlers.messages["items"]
    now = hub.clock.now()
    written = 0
    problems: list[dict[str, Any]] = []
    for number, row in enumerate(rows, start=1):
        try:
            record = dict(mapping.run(row).record)
        except MappingError as error:
            problems.append({"row": number, "field": error.field, "message": error.message})
            continue
        cause = derived_id("im", file, str(number), json.dumps(record, sort_keys=True, default=str))
        incoming = Incoming(
            id=cause,
            connection="import",
            stream="items",
            record=record,
            restate=record,
            previous=None,
            highest={},
            newest=True,
            scope="",
            external_id=str(record.get("external_id") or record["sku"]),
            fact_key="",
            holds=(),
            source_version="",
            received_at=now,
            source=f"import:{who}",
            effects=True,
        )
        decision = hub.commit_decision(partial(_handled, handler, incoming), cause)
        if decision.verdict is Verdict.PARKED:
            problems.append({"row": number, "field": decision.error_field, "message": decision.message})
            continue
        written += 1
    words = f"{written} items imported" + (f", {len(problems)} rows refused" if problems else "")
    return {"imported": written, "refused": problems, "message": words}


def _handled(handler: MessageHandler, incoming: Incoming, snapshot: Snapshot, now: dt.datetime) -> Decision:
    return handler(incoming, snapshot, now)


def _rows(body: bytes, name: str) -> list[dict[str, Any]]:
    try:
        if body.lstrip()[:1] in (b"[", b"{"):
            tree = json.loads(body, parse_float=str, parse_int=str)
            found = tree if isinstance(tree, list) else tree.get("items", [])
            return [dict(row) for row in found]
        return [dict(row) for row in csv.DictReader(io.StringIO(body.decode("utf-8-sig")))]
    except (ValueError, TypeError, AttributeError, csv.Error) as error:
        raise Refused(f"{name} is neither a JSON list of items nor CSV with a header: {error}") from error
