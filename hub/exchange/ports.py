"""What the exchange needs of the store and of connections; implemented in hub.store and wired by hub.runtime."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from hub.domain.snapshot import BatchSnapshot, Coming
from hub.domain.writeset import Outcome, WriteSet


@dataclass(frozen=True, slots=True)
class NewReceipt:
    """A receipt to be stored. `source`: webhook | poll | file | api | fetch. `pending=False` stores it as ignored
    evidence (state parsed, no messages), e.g. a topic nobody subscribed."""

    connection: str
    stream: str
    topic: str | None
    delivery_id: str | None
    headers: Mapping[str, str]
    body: bytes
    content_type: str
    source: str
    received_at: dt.datetime
    pending: bool = True


@dataclass(frozen=True, slots=True)
class Accepted:
    """The receipt is durable. `duplicate`: the same delivery id and body stood already; `id` is the first one's."""

    id: str
    duplicate: bool


@dataclass(frozen=True, slots=True)
class ClaimedReceipt:
    id: str
    connection: str
    stream: str
    topic: str | None
    delivery_id: str | None
    headers: Mapping[str, str]
    body: bytes
    content_type: str
    source: str
    received_at: dt.datetime
    claims: int


@dataclass(frozen=True, slots=True)
class ClaimedMessage:
    """`position` "" says that `body` is the receipt's whole body, to be read by the stream's codec with the receipt's
    `content_type`; any other message has a body of its own, canonical JSON. `received_at` and `source` are the
    receipt's; a message of the stream `replies` has none (its receipt_id is the attempt): then created_at and "reply".
    """

    id: str
    receipt_id: str
    position: str
    connection: str
    stream: str
    kind: str
    entity_key: str
    external_id: str | None
    scope: str
    fact_key: str | None
    source_version: str | None
    body: bytes
    received_at: dt.datetime
    source: str
    claims: int
    token: str
    content_type: str = ""
    subject: str = ""
    """What it is about, where that is known before it is applied (an order's id): one after the other."""


@dataclass(frozen=True, slots=True)
class ClaimedTask:
    id: str
    kind: str
    subject: str
    payload: Mapping[str, Any]
    due_at: dt.datetime
    claims: int
    token: str


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """`state` is the state it was claimed from: pending or retry to be sent, unknown to be probed."""

    id: str
    destination: str
    capability: str
    business_key: str
    safety: str
    payload: bytes
    content_type: str
    refs: Mapping[str, str]
    order_id: str | None
    state: str
    attempts: int
    token: str
    lease_until: dt.datetime
    created_at: dt.datetime
    give_up_at: dt.datetime
    open_attempt_started_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class NewAttempt:
    """Refused (False) when the token is stale or the lease ends before the deadline."""

    delivery_id: str
    number: int
    kind: str
    token: str
    deadline: dt.datetime


Preload = Callable[[BatchSnapshot, Sequence[Coming]], None]
"""Reads what handlers will ask about these all at once; only saves time."""


def preload_nothing(snapshot: BatchSnapshot, coming: Sequence[Coming]) -> None:
    del snapshot, coming


class Store(Protocol):
    """Every method is one transaction, durable on return, and thread safe.

    Leases: on SQLite by owner epoch (rows claimed under an older epoch are orphans at once), on PostgreSQL by the
    database's clock. Infrastructure errors are retried inside; what cannot be stored raises StoreUnavailable.
    """

    def accept(self, receipts: Sequence[NewReceipt], *, cursor: tuple[str, str] | None = None) -> list[Accepted]:
        """Store receipts, and a pull's cursor (id, value) with them, in one transaction."""
        ...

    def accept_soon(self, receipt: NewReceipt) -> Future[Accepted]:
        """Group commit for the ingress: the future resolves after the commit that holds the receipt."""
        ...

    def claim_receipts(self, limit: int) -> list[ClaimedReceipt]: ...

    def claim_messages(self, limit: int) -> list[ClaimedMessage]:
        """Due messages, weighted round robin over connections, none with an earlier one of the same entity_key that
        is stored, claimed or in retry (a parked or waiting delta holds its successors too). Counts the claim."""
        ...

    def claim_tasks(
        self, limit: int, kinds: Sequence[str] | None = None, *, but: Sequence[str] = ()
    ) -> list[ClaimedTask]: ...

    def claim_deliveries(self, destination: str, limit: int) -> list[ClaimedDelivery]:
        """Due deliveries of one destination: first of their (aggregate, lane), requirements acknowledged, connection
        not paused. Order within a lane is `sequence`, which the store fills on insert (messages have one, too).

        Unknown ones come when probe_after (else due_at) has come; those of safety mode none only with a probe_after,
        which `recover` sets: clear it once the exception is raised, so that they wait for a person."""
        ...

    def start_attempts(self, attempts: Sequence[NewAttempt]) -> list[bool]:
        """Commit `started` rows before the calls (group commit), each under its fencing token."""
        ...

    def renew(self, delivery_ids: Sequence[tuple[str, str]]) -> None:
        """Renew leases of (delivery id, token)."""
        ...

    def apply(self, write_sets: Sequence[WriteSet]) -> list[Outcome]:
        """Up to 50 write sets in one transaction, each in a savepoint: order rows and stock keys are locked in sorted
        order first, preconditions run, plain inserts are bulked at the end."""
        ...

    def recover(self) -> Mapping[str, int]:
        """Give orphans back: receipts and messages and tasks to their queues, deliveries without an open attempt to
        pending, those with one to `unknown` (or retry where the target deduplicates). Counts by kind."""
        ...

    def read(self) -> AbstractContextManager[BatchSnapshot]: ...

    def wait(self, timeout_seconds: float) -> bool:
        """Until somebody committed work (condition variable or LISTEN), at most so long. True if woken."""
        ...

    def wake(self) -> None: ...

    def blocked_deliveries(self, limit: int) -> list[tuple[str, str, str]]:
        """(delivery, requirement, its state) of waiting deliveries whose requirement can no longer be acknowledged."""
        ...

    def destinations_due(self) -> list[str]:
        """Destinations with deliveries that could be claimed now."""
        ...


class StoreUnavailable(Exception):
    """Nothing could be stored (disk full, connection lost); the caller must not confirm anything."""
