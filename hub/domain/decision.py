"""What a message or a task comes to: a verdict, rows, and requests that the exchange turns into rows.

Handlers are functions `(Incoming, Snapshot, now) -> Decision` and `(DueTask, Snapshot, now) -> Decision`: pure given
the snapshot. Ids derive from the causing message or task (`derived_id`), so that computing twice mints the same.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.domain.snapshot import Snapshot
from hub.domain.writeset import WriteSet

Tree = Any
"""A JSON-able tree: dict, list, str, int, Decimal, bool, None."""


@dataclass(frozen=True, slots=True)
class MappingHold:
    """A field the mapping could not settle (`otherwise: hold`); becomes a validation hold."""

    field: str
    rule: str
    hint: str


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message, mapped, deduplicated and ordered by the exchange, for the handler of its stream.

    For `state` streams `record` is the merged view (per field the newest version that carried it), `previous` the
    merged view before (None: first sight), `restate` what this message itself carried, `newest` False when a newer
    version was applied already (then only fields no newer one carried have changed the view).
    `highest` maps an external line id to the highest quantity any restate carried, this one included.
    """

    id: str
    connection: str
    stream: str
    record: dict[str, Any]
    restate: dict[str, Any]
    previous: dict[str, Any] | None
    highest: Mapping[str, str]
    newest: bool
    scope: str
    external_id: str
    fact_key: str
    holds: tuple[MappingHold, ...]
    source_version: str
    received_at: dt.datetime
    source: str
    effects: bool
    """False: the connection observes, or the order is older than start_from."""


@dataclass(frozen=True, slots=True)
class DueTask:
    id: str
    kind: str
    subject: str
    payload: Mapping[str, Any]
    due_at: dt.datetime


class Verdict(enum.StrEnum):
    """APPLIED also covers tombstones and observations off the path. WAITING waits for `waits_for`."""

    APPLIED = "applied"
    IGNORED = "ignored"
    WAITING = "waiting"
    PARKED = "parked"
    DUPLICATE = "duplicate"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class EffectRequest:
    """An outgoing call to be rendered, frozen and written as a delivery in the same transaction.

    `key` is the business key without the capability ("order/OR1", "fulfilment-order/FO1@1"); the exchange prefixes
    destination and capability. `aggregate` and `lane` order calls; `subject` coalesces absolute pushes;
    `requires` are full business keys that must be acknowledged first. `withdraws` are business-key prefixes whose
    unstarted deliveries this one makes pointless (a cancel withdraws its submit, and itself with it).
    `echo` names the inbound record kind this may come back as, `echo_match` the content to recognise it by
    (e.g. {"tracking_number": ..., "order_external_id": ...}).
    """

    destination: str
    capability: str
    key: str
    aggregate: str
    lane: str
    record: dict[str, Any]
    order_id: str | None = None
    subject: str = ""
    requires: tuple[str, ...] = ()
    withdraws: tuple[str, ...] = ()
    echo: str = ""
    echo_match: Mapping[str, str] = field(default_factory=dict)
    refs: Mapping[str, str] = field(default_factory=dict)
    suppressed: bool = False
    give_up_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class TaskRequest:
    """A task row; `dedupe_key` is unique for ever, so include what makes this one different (order version, slot)."""

    kind: str
    subject: str
    due_at: dt.datetime
    dedupe_key: str
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EventRequest:
    """CloudEvents 1.0 type `hub.<entity>.<fact>.v1`; `key` makes the id (same fact, same event). No personal data."""

    type: str
    subject: str
    key: str
    order_id: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExceptionRequest:
    """Raise (or count up) the open exception of `cause_key`, with one subject. Texts are for a person."""

    cause_key: str
    kind: str
    title: str
    detail: str
    next_step: str
    hint: str
    subject_kind: str
    subject_id: str
    order_id: str | None = None
    connection: str | None = None
    owner: str = "operations"


@dataclass(frozen=True, slots=True)
class ExceptionClear:
    """Clear one subject of open exceptions; the last subject resolves one. `cause_key` is a whole key, a prefix that
    ends in "/", or "" for every cause."""

    cause_key: str
    subject_kind: str
    subject_id: str
    by: str


@dataclass(slots=True)
class Decision:
    """`verdict` with its reason, and everything to be committed together. A decision without APPLIED writes nothing
    but what the exchange itself needs (message state, exceptions)."""

    verdict: Verdict = Verdict.APPLIED
    subject: str = ""
    held: bool = False
    code: str = ""
    error_field: str = ""
    message: str = ""
    hint: str = ""
    waits_for: str = ""
    writes: WriteSet = field(default_factory=WriteSet)
    effects: list[EffectRequest] = field(default_factory=list)
    tasks: list[TaskRequest] = field(default_factory=list)
    events: list[EventRequest] = field(default_factory=list)
    exceptions: list[ExceptionRequest] = field(default_factory=list)
    clears: list[ExceptionClear] = field(default_factory=list)
    wakes: list[str] = field(default_factory=list)
    """Subject keys that now exist: waiting messages of these become stored again (e.g. "order|shopify-us||4507")."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a decision must know from outside before it can be made: a query (a read), asked outside any transaction.
    Nothing of it is kept but what the decision keeps."""

    connection: str
    query: str
    record: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """`record` is the canonical answer, None where there was none: refused, or not in time. `words` say why."""

    record: dict[str, Any] | None
    words: str = ""
    refused: bool = False


@dataclass(frozen=True, slots=True)
class QueryHandler:
    """The two halves of a task that asks: `question` is None where nothing needs to be known any more."""

    question: Callable[[DueTask, Snapshot, dt.datetime], Question | None]
    decide: Callable[[DueTask, Answer, Snapshot, dt.datetime], Decision]


MessageHandler = Callable[[Incoming, Snapshot, dt.datetime], Decision]
TaskHandler = Callable[[DueTask, Snapshot, dt.datetime], Decision]
