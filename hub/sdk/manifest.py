"""What a connector declares about itself in manifest.yaml, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.sdk.capabilities import Capability, Query, SafetyMode


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """A stream the connector reads. `items` is the dotted path to the list in a page; None = the body is one record.

    `topics` are the vendor's webhook words for it. `fetch_only` says that a webhook body only triggers `fetch`.
    `shapes` are older forms of its records, each known by a field at the top that only it has, with the name of the
    mapping that reads it instead of `<stream>.in` (`AmazonOrderId: orders_v0`).
    `options` is a JSON Schema object of what a connection may or must say beside the keys that every stream has;
    `operation` names the key of a connection's limits that polls of this stream spend.
    """

    name: str
    codec: str = "json"
    items: str | None = None
    topics: tuple[str, ...] = ()
    push: bool = False
    poll: bool = False
    fetch: bool = False
    fetch_only: bool = False
    means: str | None = None
    shapes: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    operation: str | None = None


@dataclass(frozen=True, slots=True)
class CapabilityInfo:
    """An effect the connector can make. `settle_seconds` >= the target's read lag (lookup); `key_ttl_seconds` bounds
    how long the target remembers an idempotency key. `echo_field` names the vendor field that carries our key.
    `options` is a JSON Schema object of what a connection may or must say beside the keys that every effect has."""

    name: Capability
    safety: SafetyMode
    settle_seconds: float = 0.0
    key_ttl_seconds: float | None = None
    echo_field: str | None = None
    asynchronous: bool = False
    overdue_after_seconds: float = 3600.0
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Manifest:
    """`implementation` is an import string `package.module:Class`. `folder` is the absolute path of the connector.
    `rate_headers` are the answer headers from which it can learn the present rate. `forbids_mail`: a marketplace
    whose buyers nobody else may write to."""

    name: str
    title: str
    implementation: str
    emulator: str | None
    folder: str
    quality: str
    streams: Mapping[str, StreamInfo] = field(default_factory=dict)
    capabilities: Mapping[Capability, CapabilityInfo] = field(default_factory=dict)
    roles: tuple[str, ...] = ()
    definition: Mapping[str, object] | None = None
    queries: frozenset[Query] = frozenset()
    rate_headers: tuple[str, ...] = ()
    forbids_mail: bool = False
