"""What the exchange needs to know of a configured connection at run time; filled by the runtime from the revision."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from hub.domain.decision import EffectRequest, ExceptionRequest, MappingHold
from hub.domain.snapshot import Snapshot
from hub.domain.writeset import WriteSet
from hub.exchange.defaults import DEFAULTS
from hub.mapping.errors import Note
from hub.sdk.capabilities import Capability, SafetyMode
from hub.sdk.connector import WebhookSource
from hub.sdk.manifest import CapabilityInfo, Manifest
from hub.sdk.records import RawRecord, Receipt
from hub.sdk.streams import STREAMS, Kind, Record


@dataclass(frozen=True, slots=True)
class Identity:
    """What names a record before it is mapped whole. Empty or None where the record does not say."""

    external_id: str | None = None
    scope: str = ""
    version: str | None = None
    fact_key: str | None = None


@dataclass(frozen=True, slots=True)
class Mapped:
    """A canonical record, valid against its schema, what could not be settled, and what stopped nothing but must be
    kept (digits that were lost, times that cannot be)."""

    record: dict[str, Any]
    holds: tuple[MappingHold, ...] = ()
    notes: tuple[Note, ...] = ()


class StreamMapping(Protocol):
    """Their record -> canonical. Both raise hub.mapping.errors.MappingError for what cannot be mapped."""

    def identify(self, tree: Any) -> Identity: ...

    def run(self, tree: Any) -> Mapped: ...


class ReplyMapping(Protocol):
    """Their answer -> the canonical Reply. Raises hub.mapping.errors.MappingError."""

    def run(self, raw: bytes, content_type: str) -> dict[str, Any]: ...


class Freeze(Protocol):
    """Makes the payload that a tree is sent as, for formats whose bytes hold what only the database can give (control
    numbers), and the rows that must be committed with it. Raises FormatError."""

    def __call__(
        self, tree: Mapping[str, Any], snapshot: Snapshot, delivery_id: str, now: dt.datetime
    ) -> tuple[dict[str, Any], WriteSet]: ...


@dataclass(frozen=True, slots=True)
class Rendered:
    """A vendor-shaped tree, valid against the vendor's schema."""

    tree: Any
    content_type: str = "application/json"
    freeze: Freeze | None = None


class Renderer(Protocol):
    """Canonical -> theirs; raises hub.mapping.errors.MappingError, which parks the delivery."""

    def render(self, connection: str, capability: str, record: Mapping[str, Any]) -> Rendered: ...


class Gate(Protocol):
    """The breaker and the token buckets of one connection. Thread safe."""

    def permit(self) -> object | None:
        """Leave to make one call now, or None; half open, one call at a time gets it."""
        ...

    def record(self, permit: object, *, success: bool | None) -> None:
        """How the permitted call ended; None gives the permit back uncounted."""
        ...

    def wait_seconds(self) -> float: ...

    def save(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """JSON of the breaker and of the buckets."""
        ...

    def restore(self, breaker: Mapping[str, Any], buckets: Mapping[str, Any]) -> None: ...


class OpenGate:
    """No breaker and no limits: for tests and in-process targets."""

    def permit(self) -> object | None:
        return self

    def record(self, permit: object, *, success: bool | None) -> None:
        return None

    def wait_seconds(self) -> float:
        return 0.0

    def save(self) -> tuple[dict[str, Any], dict[str, Any]]:
        return {}, {}

    def restore(self, breaker: Mapping[str, Any], buckets: Mapping[str, Any]) -> None:
        return None


class Closing(Protocol):
    """What the envelope of a receipt asks for, beside its records."""

    @property
    def writes(self) -> WriteSet: ...

    @property
    def effects(self) -> Sequence[EffectRequest]: ...

    @property
    def exceptions(self) -> Sequence[ExceptionRequest]: ...

    def verdict(self, position: str) -> tuple[str, str, str] | None:
        """(state, code, words) of the record at a position that must not be applied: duplicate or parked."""
        ...


class Intake(Protocol):
    """How bodies are cut that are envelopes of several documents (EDI), and what the envelopes ask for."""

    def split(self, body: bytes) -> Sequence[RawRecord]:
        """Raises DataError."""
        ...

    def close(self, receipt_id: str, body: bytes, snapshot: Snapshot, now: dt.datetime) -> Closing:
        """Of a body that could be split."""
        ...


@dataclass(frozen=True, slots=True)
class StreamView:
    """A configured stream. `fetch_only`: a webhook's body only triggers `fetch`; the poll is the authority."""

    name: str
    codec: str = "json"
    codec_options: Mapping[str, Any] = field(default_factory=dict)
    mapping: StreamMapping | None = None
    start_from: dt.datetime | None = None
    fetch_only: bool = False
    can_fetch: bool = False
    correlate_within_seconds: float = DEFAULTS.correlate_within

    @property
    def kind(self) -> Kind:
        return STREAMS[self.name][1]

    @property
    def record(self) -> Record:
        return STREAMS[self.name][0]


@dataclass(frozen=True, slots=True)
class ConnectionView:
    """One connection as it runs. `effects` False: it observes, its deliveries are suppressed.

    `capabilities` are the manifest's with the connection's own safety overrides. `give_up_after` in seconds by
    capability. `call_deadline` in seconds, shorter than the lease.
    """

    id: str
    manifest: Manifest
    connector: Any
    effects: bool = True
    streams: Mapping[str, StreamView] = field(default_factory=dict)
    capabilities: Mapping[Capability, CapabilityInfo] = field(default_factory=dict)
    replies: Mapping[str, ReplyMapping] = field(default_factory=dict)
    gate: Gate = field(default_factory=OpenGate)
    call_deadline: float = DEFAULTS.call_deadline
    give_up_after: Mapping[str, float] = field(default_factory=dict)
    intake: Intake | None = None

    def capability(self, name: str) -> CapabilityInfo:
        """What the connection declares of a capability; one it says nothing of is safe by a person only."""
        known = Capability(name)
        return self.capabilities.get(known) or CapabilityInfo(known, SafetyMode.NONE)

    def horizon_seconds(self, capability: str) -> float:
        """After how long a delivery that was never done is given up."""
        own = self.give_up_after.get(capability)
        if own is not None:
            return own
        return DEFAULTS.give_up_after_notify if capability == Capability.NOTIFY else DEFAULTS.give_up_after

    @property
    def can_lookup(self) -> bool:
        return callable(getattr(self.connector, "lookup", None))

    @property
    def is_push(self) -> bool:
        return callable(getattr(self.connector, "verify", None))

    def parse(self, receipt: Receipt) -> Sequence[RawRecord] | None:
        """The connector's own records of a receipt; None where it leaves splitting to the codec."""
        own = getattr(type(self.connector), "parse", None)
        if own is None or own is WebhookSource.parse:
            return None
        records: Sequence[RawRecord] = self.connector.parse(receipt)
        return records


class Connections(Protocol):
    """The connections of the active revision. `revision` is its content hash."""

    @property
    def revision(self) -> str: ...

    def get(self, connection: str) -> ConnectionView | None: ...

    def ids(self) -> Sequence[str]: ...
