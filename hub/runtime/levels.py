"""Comparing what a channel shows with what it may sell: the whole of it, now and then and when a person asks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from hub.domain.decision import DueTask, TaskRequest
from hub.domain.ids import IdSource
from hub.domain.writeset import Applied
from hub.exchange.connections import ConnectionView
from hub.exchange.decisions import Writer, decision_rows
from hub.exchange.tasks import Again
from hub.oms.ports import Channel, Rules
from hub.oms.promise.compare import Compared, Shown, compare_levels
from hub.runtime.connections import RuntimeConnections
from hub.sdk.connector import ShowsStock, Source
from hub.sdk.ports import Clock
from hub.store.sql_store import SqlStore

TOGETHER = 200
"""Levels of one commit."""
ROUNDS = 20
KIND = "compare_stock"
COMPARE_AT = "20 4 * * *"
"""Nightly, in UTC."""


class CannotCompare(Exception):
    """Why a connection's levels are not compared, for a person."""


class Levels:
    """Reads what a channel shows, page by page, and decides on some of it at a time."""

    def __init__(
        self, store: SqlStore, connections: RuntimeConnections, rules: Rules, clock: Clock, ids: IdSource
    ) -> None:
        self._store, self._connections, self._rules = store, connections, rules
        self._clock, self._ids = clock, ids

    def run(self, task: DueTask) -> Again | None:
        """The task `compare_stock`; subject is the connection. One that cannot be asked is let be."""
        try:
            self.compare(task.subject, task.id)
        except CannotCompare:
            return None
        return None

    def compare(self, connection: str, cause: str) -> dict[str, Any]:
        """What was looked at and what differs; that is pushed anew. Raises CannotCompare, or what the call raises."""
        view, channel = self._connections.get(connection), self._rules.channels.get(connection)
        if view is None or channel is None:
            raise CannotCompare(f"{connection!r} is no channel; there are {', '.join(sorted(self._rules.channels))}")
        if connection not in self._rules.takers.get("push_inventory", ()):
            raise CannotCompare(f"{connection} is told no stock")
        if not isinstance(view.connector, ShowsStock):
            raise CannotCompare(f"{connection} cannot be asked what it shows")
        read_at = self._clock.now()
        levels = (Shown(one.sku, one.outlets, one.available) for one in view.connector.shown_levels())
        reading = f"poll-before-compare/{connection}/{cause}"
        whole = Compared()
        for some in _some(levels):
            found = self._decide(view, channel, some, read_at, reading, cause)
            for name in ("looked_at", "equal", "under_way", "unknown"):
                setattr(whole, name, getattr(whole, name) + getattr(found, name))
            whole.differing += found.differing
        return {
            "connection": connection,
            "looked_at": whole.looked_at,
            "equal": whole.equal,
            "under_way": whole.under_way,
            "unknown": whole.unknown,
            "differing": whole.differing,
            "message": f"{connection}: {whole.looked_at} levels looked at, {len(whole.differing)} differ"
            f"{' and are told anew' if whole.differing else ''}, {whole.under_way} under way, {whole.unknown} not ours",
        }

    def _decide(
        self,
        view: ConnectionView,
        channel: Channel,
        some: Sequence[Shown],
        read_at: dt.datetime,
        reading: str,
        cause: str,
    ) -> Compared:
        for _ in range(ROUNDS):
            now = self._clock.now()
            with self._store.read() as snapshot:
                decision, found = compare_levels(snapshot, self._rules, now, channel, some, read_at, reading)
                if decision.tasks and isinstance(view.connector, Source) and "orders" in view.streams:
                    payload = {"connection": view.id, "stream": "orders"}
                    decision.tasks.insert(0, TaskRequest("poll", f"{view.id}|orders", now, reading, payload))
                renderer = self._connections.renderer()
                writer = Writer(snapshot, self._connections, renderer, self._ids, now, cause)
                writes = decision_rows(decision, writer)
            if not writes.operations or self._store.apply([writes])[0].applied is Applied.APPLIED:
                return found
        raise CannotCompare(f"{view.id}: its levels keep changing; try again")


def _some(levels: Iterator[Shown]) -> Iterator[list[Shown]]:
    while some := list(islice(levels, TOGETHER)):
        yield some
