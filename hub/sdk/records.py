"""Values that pass between the hub and a connector. All bytes are as they came or as they will go."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

Tree = dict[str, "Tree"] | list["Tree"] | str | int | object | None
"""A neutral tree: dict, list, str, int, Decimal, bool or None. Typed loosely because it is foreign data."""


@dataclass(frozen=True, slots=True)
class RawRequest:
    """An HTTP request as it reached the ingress. Header names are lower case; `body` is untouched."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    received_at: dt.datetime


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What the ingress answers on a connector's word (challenges, vendor-required bodies)."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Receipt:
    """Bytes as they came: a webhook body, a poll page, a file, an API write.

    `delivery_id` is the sender's id of this delivery, None where it has none. `topic` is the vendor's word for
    what happened; the manifest maps it to `stream`.
    """

    connection: str
    stream: str
    delivery_id: str | None
    headers: Mapping[str, str]
    body: bytes
    content_type: str
    received_at: dt.datetime
    topic: str | None = None


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One record cut from a receipt, before mapping. `body` is the record's tree (exact numbers).

    `whole` with the position "" says that it is all of the receipt's body, as the stream's codec reads it: then no copy
    of it is stored beside the receipt's. `problem` (code, words) says why it cannot be taken; it is kept, parked.
    """

    stream: str
    external_id: str | None
    body: Tree
    position: str
    scope: str = ""
    version: str | None = None
    occurred_at: dt.datetime | None = None
    whole: bool = False
    problem: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a pull stands; opaque to the hub, stored in the transaction that stores the receipts before it."""

    value: str


@dataclass(frozen=True, slots=True)
class Batch:
    """One page of a pull. An empty `receipts` with a cursor only moves the cursor."""

    receipts: Sequence[Receipt]
    next_cursor: Cursor | None
    token: str = ""


@dataclass(frozen=True, slots=True)
class Window:
    """A closed-open interval of source time for reconciliation."""

    start: dt.datetime
    end: dt.datetime


@dataclass(frozen=True, slots=True)
class ExternalVersion:
    external_id: str
    version: str


@dataclass(frozen=True, slots=True)
class ShownLevel:
    """What a channel shows of a SKU at one of its outlets; `outlets` are all names that it has for that, "" among
    them where the connection tells stock at this one alone."""

    sku: str
    outlets: tuple[str, ...]
    available: Decimal


@dataclass(frozen=True, slots=True)
class Missing:
    """`fetch` found no such entity; the system answered plainly that it does not exist."""

    external_id: str


@dataclass(frozen=True, slots=True)
class Effect:
    """One outgoing call: the frozen, vendor-shaped payload and what the transport needs beside it.

    `key` is the business key, constant over retries (send it as idempotency key or reference where the vendor
    takes one). `refs` are external ids known at claim time (e.g. {"order": "450789469"}). `deadline` bounds the call.
    `attempt` starts at 1.
    """

    payload: Tree
    key: str
    refs: Mapping[str, str]
    deadline: dt.datetime
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Ask:
    """A query: the vendor-shaped question, until when it must be answered. It changes nothing over there."""

    payload: Tree
    deadline: dt.datetime


@dataclass(frozen=True, slots=True)
class Reply:
    """The raw answer to an effect. `external_id` is the other side's id of what was made, where the answer has it."""

    raw: bytes
    content_type: str
    status: int
    external_id: str | None = None
    asynchronous: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """`lookup` found the document of our key. `fingerprint` is compared with the payload's; None = cannot compare."""

    reply: Reply
    same_content: bool | None = None


@dataclass(frozen=True, slots=True)
class NotFound:
    """`lookup` is sure, within the declared settle time, that the call did not happen."""


@dataclass(frozen=True, slots=True)
class Unsure:
    """`lookup` could not say; the delivery stays UNKNOWN."""

    why: str


@dataclass(frozen=True, slots=True)
class Probe:
    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What `check` saw, one line per probe; side-effect free."""

    probes: Sequence[Probe] = field(default_factory=tuple)

    @property
    def ok(self) -> bool:
        return all(probe.ok for probe in self.probes)
