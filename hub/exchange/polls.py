"""Pulling: a page is stored with its cursor in one transaction, then settled over there (docs: sources).

An empty page is no error and an error is no empty page: the cursor never runs ahead of what is stored.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hub.domain.decision import DueTask, ExceptionClear, ExceptionRequest
from hub.domain.masking import masked
from hub.domain.snapshot import Snapshot
from hub.domain.writeset import Applied, WriteSet
from hub.exchange.backoff import backoff_seconds, retry_after_delay
from hub.exchange.connections import Connections, ConnectionView
from hub.exchange.exceptions import clear_rows, raise_rows
from hub.exchange.gates import Gates, note_auth_failure
from hub.exchange.ports import NewReceipt, Store
from hub.exchange.resolution import CallResult, Next, result_of_error
from hub.exchange.tasks import Again, TaskFailed
from hub.sdk.errors import Resolution
from hub.sdk.ports import Clock
from hub.sdk.records import Batch, Cursor, Missing, Receipt

PAGE = 250
MAX_PAGES = 40
"""Pages of one task; what is beyond them comes with the next slot or at once, so that no poll runs for ever."""
MAX_SECONDS = 60.0
"""Of one task too: its lease must not end while it reads, or another would read beside it. A page takes less than half
of a lease."""
TELLS_AFTER = 3
PAUSED_SECONDS = 60.0
PAUSED = "the connection is paused"


@dataclass(slots=True)
class Polls:
    """What pulling needs. `failures` counts by connection and stream, in a row."""

    store: Store
    connections: Connections
    clock: Clock
    random: random.Random
    gates: Gates
    failures: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def poll(self, task: DueTask) -> Again | None:
        """Task `poll`, payload connection and stream."""
        view, stream = self._target(task.payload)
        name = f"{view.id}|{stream}"
        if self.gates.paused(view.id):
            return Again(PAUSED_SECONDS, PAUSED)
        try:
            more = self._read(view, stream, name)
        except Exception as error:  # noqa: BLE001 - whatever a connector raises says what became of the read
            return self._failed(view, stream, name, error)
        self._worked(view, name)
        return Again(0.0) if more else None

    def _read(self, view: ConnectionView, stream: str, name: str) -> bool:
        """Pages until there are no more; True if it stopped before the end."""
        with self.store.read() as snapshot:
            row = snapshot.row("cursors", {"id": name})
        cursor = Cursor(row["value"]) if row is not None and row["value"] else None
        began = self.clock.monotonic()
        for number, batch in enumerate(view.connector.read(stream, cursor, PAGE), start=1):
            self._store(view, name, batch)
            view.connector.settle(batch)
            if number >= MAX_PAGES or self.clock.monotonic() - began > MAX_SECONDS:
                return True
        return False

    def _store(self, view: ConnectionView, name: str, batch: Batch) -> None:
        cursor = (name, batch.next_cursor.value) if batch.next_cursor is not None else None
        receipts = [new_receipt(view.id, receipt, "poll") for receipt in batch.receipts]
        if receipts or cursor:
            self.store.accept(receipts, cursor=cursor)

    def fetch(self, task: DueTask) -> Again | None:
        """Task `fetch`, payload connection, stream and external_id."""
        view, stream = self._target(task.payload)
        external_id = str(task.payload["external_id"])
        if self.gates.paused(view.id):
            return Again(PAUSED_SECONDS, PAUSED)
        try:
            found: Receipt | Missing = view.connector.fetch(stream, external_id)
        except Exception as error:
            result = result_of_error(error)
            if result.resolution in (Resolution.GONE, Resolution.REJECTED):
                raise TaskFailed(f"{view.id} refused to give {stream} {external_id}: {masked(result.words)}") from error
            return self._failed(view, stream, f"{view.id}|{stream}", error)
        if isinstance(found, Receipt):
            self.store.accept([new_receipt(view.id, found, "fetch")])
        self._worked(view, f"{view.id}|{stream}")
        return None

    def _target(self, payload: Mapping[str, object]) -> tuple[ConnectionView, str]:
        connection, stream = str(payload["connection"]), str(payload["stream"])
        view = self.connections.get(connection)
        if view is None or stream not in view.streams:
            raise TaskFailed(f"{connection} with {stream} is not configured any more")
        return view, stream

    def _failed(self, view: ConnectionView, stream: str, name: str, error: Exception) -> Again:
        result = result_of_error(error)
        with self.lock:
            count = self.failures[name] = self.failures.get(name, 0) + 1
        if result.resolution is Resolution.RATE_LIMITED and result.retry_after_seconds is not None:
            asked = f"it asks us to wait: {masked(result.words) or 'too many calls'}"
            return Again(retry_after_delay(result.retry_after_seconds, self.random), asked)
        if result.resolution is Resolution.AUTH_FAILED:
            coming = Next("retry", pauses=True)
            note_auth_failure(self.gates, self.store, view, coming, result, self.clock.now())
        if result.resolution is Resolution.GONE:
            # A read whose page or cursor is gone starts over; duplicates are recognised.
            self.store.accept([], cursor=(name, ""))
        if count >= TELLS_AFTER or result.resolution is Resolution.GONE:
            self._apply(lambda snapshot: self._told(snapshot, view.id, stream, result))
        often = "" if count == 1 else f" ({count} times in a row)"
        return Again(backoff_seconds(count, self.random), f"{masked(result.words) or 'it said nothing'}{often}")

    def _told(self, snapshot: Snapshot, connection: str, stream: str, result: CallResult) -> WriteSet:
        writes = WriteSet()
        request = ExceptionRequest(
            cause_key=f"poll/{connection}/{stream}",
            kind="poll_failed",
            title=f"{connection}: {stream} cannot be read",
            detail=masked(result.words) or "the other side said nothing",
            next_step="the hub keeps trying; the cursor stays where it is",
            hint="see whether the other system is up and the credentials are right",
            subject_kind="connection",
            subject_id=connection,
            connection=connection,
        )
        raise_rows(writes, snapshot, [request], f"{connection}|{stream}", self.clock.now())
        return writes

    def _worked(self, view: ConnectionView, name: str) -> None:
        self.gates.accepted(view.id)
        with self.lock:
            failed = self.failures.pop(name, None)
        if failed == 0:
            return
        cause = f"poll/{name.replace('|', '/')}"

        def rows(snapshot: Snapshot) -> WriteSet:
            writes = WriteSet()
            clears = [ExceptionClear(cause, "connection", view.id, "read again")]
            clear_rows(writes, snapshot, clears, self.clock.now())
            return writes

        self._apply(rows)
        with self.lock:
            self.failures.setdefault(name, 0)

    def _apply(self, rows: Callable[[Snapshot], WriteSet]) -> None:
        for _ in range(10):
            with self.store.read() as snapshot:
                writes = rows(snapshot)
            if not writes.operations or self.store.apply([writes])[0].applied is Applied.APPLIED:
                return


def new_receipt(connection: str, receipt: Receipt, source: str) -> NewReceipt:
    """What a connector gave, as it is stored."""
    return NewReceipt(
        connection=connection,
        stream=receipt.stream,
        topic=receipt.topic,
        delivery_id=receipt.delivery_id,
        headers=receipt.headers,
        body=receipt.body,
        content_type=receipt.content_type,
        source=source,
        received_at=receipt.received_at,
    )
