"""What may keep a connection from being called: paused, breaker open, buckets empty. Saved every few seconds."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Mapping
from typing import Any

from hub.domain.decision import ExceptionClear, ExceptionRequest
from hub.domain.masking import masked
from hub.domain.snapshot import Snapshot
from hub.domain.writeset import Applied, WriteSet
from hub.exchange.connections import Connections, ConnectionView
from hub.exchange.defaults import DEFAULTS, Defaults
from hub.exchange.exceptions import audit, clear_rows, later, raise_rows
from hub.exchange.ports import Store
from hub.exchange.resolution import CallResult, Next
from hub.sdk.errors import Resolution
from hub.sdk.ports import Clock

REFRESH_SECONDS = 1.0
PAUSE_ROUNDS = 10


class Gates:
    """Which connections are paused (re-read every second, as another process may have paused one), how often each was
    refused for its credentials in a row, and when the state of breakers and buckets was last saved. Thread safe."""

    def __init__(self, store: Store, connections: Connections, clock: Clock, defaults: Defaults = DEFAULTS) -> None:
        self._store = store
        self._connections = connections
        self._clock = clock
        self._defaults = defaults
        self._lock = threading.Lock()
        self._paused: frozenset[str] = frozenset()
        self._read_at: float | None = None
        self._refusals: dict[str, int] = {}
        self._saved_at = clock.monotonic()
        self._saved: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}

    def restore(self) -> None:
        """Go on with the breakers and buckets that were saved, once, at start."""
        with self._store.read() as snapshot:
            for row in snapshot.rows("connection_states", {}):
                view = self._connections.get(row["connection"])
                if view is not None:
                    view.gate.restore(row["breaker"] or {}, row["buckets"] or {})

    def paused(self, connection: str) -> bool:
        now = self._clock.monotonic()
        with self._lock:
            if self._read_at is not None and now - self._read_at < REFRESH_SECONDS:
                return connection in self._paused
        self.refresh()
        return connection in self._paused

    def refresh(self) -> None:
        with self._store.read() as snapshot:
            paused = frozenset(row["connection"] for row in snapshot.rows("connection_states", {"paused": True}))
        with self._lock:
            self._paused = paused
            self._read_at = self._clock.monotonic()

    def refused(self, connection: str) -> int:
        """One more call was refused for its credentials; how many in a row."""
        with self._lock:
            self._refusals[connection] = self._refusals.get(connection, 0) + 1
            return self._refusals[connection]

    def accepted(self, connection: str) -> None:
        with self._lock:
            self._refusals.pop(connection, None)

    def save(self, *, at_once: bool = False) -> bool:
        """Save what has changed since, when it is time; True if rows were written."""
        now = self._clock.monotonic()
        with self._lock:
            if not at_once and now - self._saved_at < self._defaults.gate_save_every:
                return False
            self._saved_at = now
        changed: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
        for connection in self._connections.ids():
            view = self._connections.get(connection)
            state = view.gate.save() if view else ({}, {})
            if state != self._saved.get(connection, ({}, {})):
                changed[connection] = state
        if not changed:
            return False
        with self._store.read() as snapshot:
            sets = [
                state_rows(snapshot, name, self._clock.now(), breaker=state[0], buckets=state[1])
                for name, state in changed.items()
            ]
        self._store.apply(sets)
        self._saved |= changed
        return True


def state_rows(snapshot: Snapshot, connection: str, now: dt.datetime, **values: Any) -> WriteSet:
    """Set columns of the connection's row, which may not stand yet."""
    writes = WriteSet()
    row = snapshot.row("connection_states", {"connection": connection})
    if row is None:
        writes.insert("connection_states", {"connection": connection, "updated_at": now, **values}, claim=True)
    else:
        writes.update(
            "connection_states", {"connection": connection}, {**values, "updated_at": later(row["updated_at"], now)}
        )
    return writes


def note_auth_failure(
    gates: Gates, store: Store, view: ConnectionView, coming: Next, result: CallResult, now: dt.datetime
) -> None:
    """Credentials refused: refresh them once, then pause the connection with one exception."""
    if not coming.pauses:
        if result.resolution in (Resolution.SUCCESS, Resolution.DUPLICATE, Resolution.REJECTED):
            gates.accepted(view.id)
        return
    if gates.refused(view.id) == 1:
        refresh = getattr(view.connector, "refresh", None)
        if callable(refresh):
            try:
                refresh()
            except Exception:  # noqa: BLE001 - the next call is refused then, and that is what tells a person
                gates.refused(view.id)
        return
    words = masked(result.words)
    for _ in range(PAUSE_ROUNDS):
        with store.read() as snapshot:
            writes = pause_rows(snapshot, view.id, f"credentials refused: {words}", now, words=words)
        if store.apply([writes])[0].applied is Applied.APPLIED:
            break
    gates.refresh()


def pause_rows(snapshot: Snapshot, connection: str, reason: str, now: dt.datetime, *, words: str = "") -> WriteSet:
    """Pause with one exception for the connection, however many calls were refused."""
    writes = state_rows(snapshot, connection, now, paused=True, paused_reason=reason)
    request = ExceptionRequest(
        cause_key=f"auth/{connection}",
        kind="auth_failed",
        title=f"{connection} refuses our credentials",
        detail=words or reason,
        next_step="the connection is paused; nothing is lost and nothing is sent",
        hint=f"renew the secret, then: hub connections resume {connection}",
        subject_kind="connection",
        subject_id=connection,
        connection=connection,
    )
    raise_rows(writes, snapshot, [request], connection, now)
    return writes


def pause_by_person(snapshot: Snapshot, connection: str, reason: str, who: str, now: dt.datetime) -> WriteSet:
    writes = state_rows(snapshot, connection, now, paused=True, paused_reason=reason)
    audit(writes, "connections.pause", connection, who, reason, now)
    return writes


def resume_rows(snapshot: Snapshot, connection: str, who: str, now: dt.datetime) -> WriteSet:
    """Go on; what waited by backoff is due at once."""
    writes = state_rows(snapshot, connection, now, paused=False, paused_reason=None)
    clear_rows(writes, snapshot, [ExceptionClear("auth/", "connection", connection, who)], now)
    for row in snapshot.rows("deliveries", {"destination": connection, "state": "retry"}):
        writes.update("deliveries", {"id": row["id"], "state": "retry"}, {"due_at": now}, expect=None)
    audit(writes, "connections.resume", connection, who, "", now)
    return writes


def held(snapshot: Snapshot, connection: str, now: dt.datetime) -> Mapping[str, float]:
    """What a paused destination holds: how many, and the age of the oldest in seconds; shown before resuming."""
    rows = snapshot.rows(
        "deliveries", {"destination": connection, "state": ("pending", "retry")}, order_by=("created_at",)
    )
    oldest = (now - rows[0]["created_at"]).total_seconds() if rows else 0.0
    return {"deliveries": float(len(rows)), "oldest_seconds": oldest}
