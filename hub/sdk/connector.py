"""The contracts a connector fulfils. The set of methods it has is the set of what it can do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from hub.sdk.capabilities import Capability
from hub.sdk.errors import ConfigurationError
from hub.sdk.ports import Clock, HttpPort, Log, MailPort, SftpPort, SoapPort
from hub.sdk.records import (
    Batch,
    CheckReport,
    Cursor,
    Effect,
    ExternalVersion,
    Found,
    HttpAnswer,
    Missing,
    NotFound,
    RawRecord,
    RawRequest,
    Receipt,
    ShownLevel,
    Tree,
    Unsure,
    Window,
)

Expression = Callable[[Tree], Tree]
"""A compiled JMESPath expression; None where there is nothing. Raises DataError for values it cannot work on."""


def _no_expressions(text: str) -> Expression:
    raise ConfigurationError(f"there is no compiler for {text} here")


def _no_sftp(**access: object) -> SftpPort:
    raise ConfigurationError("there is no SFTP here")


def _no_mail(**access: object) -> MailPort:
    raise ConfigurationError("there is no mail server here")


@dataclass(frozen=True, slots=True)
class FileRules:
    """How files of a stream are taken: names that match `match` (as in a shell) in `directory`, unchanged for
    `stable_for_seconds`. `then`: archive | delete | keep. What nobody can read goes to `error_directory`."""

    directory: str
    match: str = "*"
    stable_for_seconds: float = 60.0
    then: str = "archive"
    archive_directory: str = ""
    error_directory: str = ""
    max_bytes: int = 20_000_000


@dataclass(frozen=True, slots=True)
class Context:
    """Everything a connector is given; nothing global.

    `config` is the connection's `config` block, validated against the connector's config.schema.yaml, secrets
    resolved. `secret(path)` reads one secret anew (files are re-read on change). `loads` is the exact JSON reader,
    `loads_xml` the safe XML one; both raise DataError.
    `soap(wsdl_path, endpoint, ...)` opens a SOAP service. `lookback_seconds` says by stream how far a poll reaches back
    again behind what it has seen; a stream that is not in it takes the connector's own default. `streams` names the
    streams that the connection has: where one body holds records of several, those of the others are left alone.
    `expression` compiles JMESPath as mappings know it and raises ConfigurationError for a text that is none.
    `mail(host=, port=, security=, username=, password=, ...)` reaches a mail server.
    `sftp(host=, host_keys=, username=, ...)` opens a file server when it is first used; `files` says by stream how
    files are taken, `codec` in which format, and `effect_options` by capability what the connection says of it.
    """

    connection: str
    config: Mapping[str, Any]
    http: HttpPort
    clock: Clock
    log: Log
    loads: Callable[[bytes], Tree]
    loads_xml: Callable[[bytes], Tree]
    soap: Callable[..., SoapPort]
    start_from: Mapping[str, dt.datetime]
    lookback_seconds: Mapping[str, float] = field(default_factory=dict)
    expression: Callable[[str], Expression] = _no_expressions
    streams: frozenset[str] = frozenset()
    sftp: Callable[..., SftpPort] = _no_sftp
    mail: Callable[..., MailPort] = _no_mail
    files: Mapping[str, FileRules] = field(default_factory=dict)
    codec: str = ""
    effect_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class Connector(Protocol):
    """Constructed as `ConnectorClass(context)`; cheap, no I/O in the constructor."""

    def check(self) -> CheckReport: ...


@runtime_checkable
class Source(Protocol):
    """Pull."""

    def read(self, stream: str, cursor: Cursor | None, limit: int) -> Iterator[Batch]: ...

    def settle(self, batch: Batch) -> None: ...

    def fetch(self, stream: str, external_id: str) -> Receipt | Missing: ...

    def list_ids(self, stream: str, window: Window) -> Iterator[ExternalVersion]: ...


@runtime_checkable
class WebhookSource(Protocol):
    """Push. No I/O and no database in any of these.

    `verify` raises SignatureError and nothing else. `receipt` names stream, topic and delivery id from the headers;
    None means the topic is not subscribed (stored as ignored). `parse` runs in the worker and raises DataError.
    """

    def verify(self, request: RawRequest) -> None: ...

    def receipt(self, request: RawRequest, topic: str | None) -> Receipt: ...

    def parse(self, receipt: Receipt) -> Sequence[RawRecord]: ...

    def respond(self, request: RawRequest) -> HttpAnswer | None: ...


@runtime_checkable
class ShowsStock(Protocol):
    """A channel whose levels can be read, to compare them with what it was told."""

    def shown_levels(self) -> Iterator[ShownLevel]: ...


class Destination(Protocol):
    """One method per capability, named as the capability: `def submit_order(self, effect: Effect) -> Reply`.

    Each raises CallFailed (classified by errors.yaml) or lets TransportError through, which the exchange resolves:
    before the first byte = retry, else ambiguous (retry for idempotent targets).
    """

    def lookup(self, capability: Capability, effect: Effect) -> Found | NotFound | Unsure: ...


class Answerer(Protocol):
    """One method per query of the manifest, named as the query: `def rate(self, ask: Ask) -> Reply`.

    It reads only, so it may be called again at any time; it raises what effects raise.
    """
