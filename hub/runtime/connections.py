"""The connections of one revision, put together: manifest, connector instance, mappings, limits, breaker."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from hub.config.model import Bundle, ConnectionConfig, ConnectorInfo, EffectsMode, StreamConfig, StreamOffer
from hub.config.secrets import Secrets, resolve_tree
from hub.edi.intake import EdiIntake
from hub.edi.outgoing import EdiDocuments
from hub.edi.partners import NOBODY, Partner, read_partner
from hub.exchange.connections import ConnectionView, StreamView
from hub.exchange.mappings import MappedReply, MappedShapes, MappedStream
from hub.formats.registry import codec
from hub.formats.tree import FormatError
from hub.mapping.library import MappingLibrary, shipped_folder
from hub.mapping.mapping import Mapping as CompiledMapping
from hub.runtime import declared
from hub.runtime.files import FileDocuments, SftpFactory, file_rules, real_mail, real_sftp
from hub.runtime.registry import Registry
from hub.runtime.rendering import MappingRenderer
from hub.sdk.capabilities import Capability, SafetyMode
from hub.sdk.connector import Context
from hub.sdk.errors import DataError
from hub.sdk.manifest import CapabilityInfo, Manifest
from hub.sdk.ports import Clock, HttpPort
from hub.transport.breaker import Breaker, BreakerSnapshot, Permit, State
from hub.transport.guard import Guard
from hub.transport.http import HttpPolicy, RequestsHttp
from hub.transport.limits import Limit, Limits

ACKNOWLEDGEMENTS = "acknowledgements"
EDI_CODECS = frozenset({"x12", "edifact"})
"""The codecs of connections whose files are interchanges; each reads both."""

HttpFactory = Callable[[str, Mapping[str, Any], Limits, Clock], HttpPort]
"""(connection id, resolved config, limits, clock) -> the connection's HTTP port; the simulation gives its own."""


def connector_infos(registry: Registry) -> dict[str, ConnectorInfo]:
    """What the configuration's checks must know of each connector."""
    return {name: connector_info(manifest) for name, manifest in registry.manifests.items()}


def connector_info(manifest: Manifest) -> ConnectorInfo:
    """One connector's manifest and config.schema.yaml."""
    schema_file = Path(manifest.folder) / "config.schema.yaml"
    schema = _schema(schema_file, schema_file.stat().st_mtime_ns) if schema_file.is_file() else {}
    return ConnectorInfo(
        name=manifest.name,
        config_schema=schema,
        streams={
            stream.name: StreamOffer(stream.push, stream.poll, stream.options, stream.operation)
            for stream in manifest.streams.values()
        },
        capabilities=frozenset(capability.value for capability in manifest.capabilities),
        push_secrets="webhook_secrets" if "webhook_secrets" in (schema.get("properties") or {}) else None,
        effect_options={capability.value: info.options for capability, info in manifest.capabilities.items()},
        rate_headers=manifest.rate_headers,
        forbids_mail=manifest.forbids_mail,
    )


@functools.lru_cache(maxsize=256)
def _schema(file: Path, changed_at: int) -> dict[str, Any]:
    """Read once as long as the file stays as it is: each start of a connection asks, and parsing takes 10 ms."""
    del changed_at
    return dict(yaml.safe_load(file.read_text(encoding="utf-8")) or {})


def real_http(connection: str, config: Mapping[str, Any], limits: Limits, clock: Clock) -> HttpPort:
    """Real sockets; the hosts that the reviewed configuration names may be private, no others."""
    del connection
    pinned = [host for value in config.values() if isinstance(value, str) and (host := urlsplit(value).hostname)]
    authority = config.get("ca")
    policy = HttpPolicy(verify=authority if isinstance(authority, str) else True)
    return RequestsHttp(policy, clock, limits=limits, guard=Guard(pinned), wait=time.sleep)


class ConnectionLog:
    """Log of one connector: its connection's id in front, fields behind."""

    def __init__(self, connection: str) -> None:
        self._log = logging.getLogger(f"hub.connection.{connection}")

    def info(self, message: str, **fields: object) -> None:
        self._log.info("%s %s", message, fields)

    def warning(self, message: str, **fields: object) -> None:
        self._log.warning("%s %s", message, fields)


class ConnectionGate:
    """Breaker and token buckets of one connection; see Gate."""

    def __init__(self, breaker: Breaker, limits: Limits) -> None:
        self._breaker = breaker
        self._limits = limits

    def permit(self) -> object | None:
        return self._breaker.permit()

    def record(self, permit: object, *, success: bool | None) -> None:
        if not isinstance(permit, Permit):
            return
        if success is None:
            self._breaker.give_back(permit)
        else:
            self._breaker.record(permit, success=success)

    def wait_seconds(self) -> float:
        return self._breaker.wait_seconds()

    def save(self) -> tuple[dict[str, Any], dict[str, Any]]:
        snapshot = self._breaker.snapshot()
        return {"state": snapshot.state.value, "since": snapshot.since.isoformat()}, dict(self._limits.save())

    def restore(self, breaker: Mapping[str, Any], buckets: Mapping[str, Any]) -> None:
        if breaker:
            since = dt.datetime.fromisoformat(str(breaker["since"]))
            self._breaker.restore(BreakerSnapshot(State(str(breaker["state"])), since))
        self._limits.restore(buckets)


class RuntimeConnections:
    """Implements hub.exchange.connections.Connections; instances are made when first asked for."""

    def __init__(
        self,
        bundle: Bundle,
        registry: Registry,
        library: MappingLibrary,
        clock: Clock,
        environ: Mapping[str, str],
        *,
        http: HttpFactory = real_http,
        sftp: SftpFactory = real_sftp,
    ) -> None:
        self._bundle = bundle
        self._registry = registry
        self._library = library
        self._clock = clock
        self._secrets = Secrets(environ)
        self._http = http
        self._sftp = sftp
        self._views: dict[str, ConnectionView] = {}
        self._lock = threading.Lock()

    @property
    def revision(self) -> str:
        return self._bundle.revision

    def ids(self) -> Sequence[str]:
        return tuple(self._bundle.connections)

    def get(self, connection: str) -> ConnectionView | None:
        """Raises SecretError or ConfigurationError where the instance cannot be made."""
        found = self._views.get(connection)
        if found is not None:
            return found
        config = self._bundle.connections.get(connection)
        if config is None:
            return None
        with self._lock:
            if connection not in self._views:
                self._views[connection] = self._open(config)
            return self._views[connection]

    def renderer(self) -> MappingRenderer:
        """Renders effects with this revision's mappings."""
        options = {
            connection.id: {
                capability: {"location_map": dict(effect.location_map), **effect.options}
                for capability, effect in connection.effects_out.items()
            }
            for connection in self._bundle.connections.values()
        }
        documents = {
            connection.id: EdiDocuments(self._partner(connection), connection.id)
            for connection in self._bundle.connections.values()
            if connection.codec in EDI_CODECS
        }
        files = {
            connection.id: FileDocuments(connection.codec, _effect_options(connection))
            for connection in self._bundle.connections.values()
            if connection.codec is not None and connection.codec not in EDI_CODECS
        }
        connector_of = {name: connection.connector for name, connection in self._bundle.connections.items()}
        return MappingRenderer(
            connector_of.__getitem__, self._library, options, documents, files, self._bundle.notifications
        )

    def _partner(self, config: ConnectionConfig) -> Partner:
        """The partner a connection names; nobody where it names none."""
        tree = self._bundle.partners.get(config.partner or "")
        return NOBODY if tree is None or config.partner is None else read_partner(config.partner, tree)

    def _answered(
        self, config: ConnectionConfig, known: dict[Capability, CapabilityInfo]
    ) -> dict[Capability, CapabilityInfo]:
        """What a partner is sent is open until it acknowledges it, if it does; an acknowledgement is never answered."""
        partner = self._partner(config)
        if config.codec not in EDI_CODECS or not partner.id:
            return known
        due = partner.acknowledges_within.total_seconds()
        return {
            name: dataclasses.replace(
                info,
                asynchronous=partner.acknowledges and name is not Capability.ACKNOWLEDGE,
                overdue_after_seconds=due,
            )
            for name, info in known.items()
        }

    def _intake(self, config: ConnectionConfig, manifest: Manifest) -> EdiIntake | None:
        if config.codec not in EDI_CODECS:
            return None
        acknowledges = Capability.ACKNOWLEDGE in config.effects_out
        charsets = (stream.format.get("charset") for stream in config.streams.values())
        charset = next((str(one) for one in charsets if one), None)
        return EdiIntake(config.id, self._partner(config), _streams(config, manifest), acknowledges, charset)

    def _open(self, config: ConnectionConfig) -> ConnectionView:
        manifest = self._registry.manifests[config.connector]
        schema = connector_info(manifest).config_schema
        resolved = resolve_tree(dict(config.config), self._secrets, schema)
        assert isinstance(resolved, dict)
        limits = Limits(
            {name: Limit(float(limit.rate.per_second), float(limit.burst)) for name, limit in config.limits.items()},
            self._clock,
            learn_from={name: limit.learn_from for name, limit in config.limits.items() if limit.learn_from},
        )
        http = self._http(config.id, resolved, limits, self._clock)
        context = Context(
            connection=config.id,
            config=resolved,
            http=http,
            clock=self._clock,
            log=ConnectionLog(config.id),
            loads=_reader("json"),
            loads_xml=_reader("xml"),
            soap=_soap_opener(http),
            expression=declared.expression,
            start_from={name: stream.start_from for name, stream in config.streams.items() if stream.start_from},
            lookback_seconds={
                name: stream.poll.lookback.total_seconds()
                for name, stream in config.streams.items()
                if stream.poll is not None and stream.poll.lookback
            },
            streams=frozenset(config.streams),
            sftp=self._sftp(config.id, self._clock),
            mail=real_mail(self._clock),
            files=file_rules(config),
            codec=config.codec or "",
            effect_options=_effect_options(config),
        )
        return ConnectionView(
            id=config.id,
            manifest=manifest,
            connector=self._registry.implementation(manifest)(context),
            effects=config.effects is EffectsMode.ON,
            streams={name: self._stream(config, manifest, name) for name in _streams(config, manifest)},
            capabilities=self._answered(config, _capabilities(config, manifest)),
            replies=self._replies(config, manifest),
            gate=ConnectionGate(Breaker(self._clock), limits),
            call_deadline=config.call_deadline.total_seconds(),
            give_up_after={name: effect.give_up_after.total_seconds() for name, effect in config.effects_out.items()},
            intake=self._intake(config, manifest),
        )

    def _stream(self, config: ConnectionConfig, manifest: Manifest, name: str) -> StreamView:
        info = manifest.streams[name]
        stream = config.streams.get(name) or StreamConfig(name)
        mapping = self._library.find(config.mapping_of(name))
        context: dict[str, object] = {
            "connection": config.id,
            "base_currency": self._bundle.hub.seller.base_currency,
            "partner": self._partner(config).context(),
        }
        options: dict[str, Any] = {"items": info.items} if info.items else {}
        shapes = {
            field: MappedStream(self._library.get(f"{config.connector}/{shape}.in"), name, self._library, context)
            for field, shape in info.shapes.items()
        }
        usual = MappedStream(mapping, name, self._library, context) if mapping is not None else None
        return StreamView(
            name=name,
            codec=config.codec or info.codec,
            codec_options={**options, **stream.format},
            mapping=MappedShapes(usual, shapes) if usual is not None and shapes else usual,
            start_from=stream.start_from,
            fetch_only=info.fetch_only and info.fetch,
            can_fetch=info.fetch,
            correlate_within_seconds=self._bundle.policies.correlate_within.total_seconds(),
        )

    def _replies(self, config: ConnectionConfig, manifest: Manifest) -> dict[str, MappedReply]:
        readers = {}
        for capability in (*config.effects_out, *manifest.queries):
            mapping = self._library.reply(config.connector, capability)
            if mapping is not None:
                readers[capability] = MappedReply(_record_of(mapping))
        return readers


def _streams(config: ConnectionConfig, manifest: Manifest) -> tuple[str, ...]:
    """The streams a connection reads: those that are configured, and of a partner what it says of our documents, which
    comes in whatever file it likes."""
    names = [name for name in config.streams if name in manifest.streams]
    if config.codec in EDI_CODECS and ACKNOWLEDGEMENTS in manifest.streams and ACKNOWLEDGEMENTS not in names:
        names.append(ACKNOWLEDGEMENTS)
    return tuple(names)


def _effect_options(config: ConnectionConfig) -> dict[str, Mapping[str, Any]]:
    return {capability: effect.options for capability, effect in config.effects_out.items()}


def _reader(name: str) -> Callable[[bytes], Any]:
    """The codec as connectors are promised it: DataError for bytes it cannot read."""
    read = codec(name).loads

    def reader(body: bytes) -> Any:
        try:
            return read(body)
        except FormatError as error:
            raise DataError(error.message, position=str(error.position or "")) from error

    return reader


def _record_of(mapping: CompiledMapping) -> Callable[[object], Mapping[str, Any]]:
    return lambda tree: mapping.run(tree).record


def _capabilities(config: ConnectionConfig, manifest: Manifest) -> dict[Capability, CapabilityInfo]:
    found = dict(manifest.capabilities)
    for name, effect in config.effects_out.items():
        capability = Capability(name)
        if effect.safety is None or capability not in found:
            continue
        settle = effect.safety.settle
        found[capability] = dataclasses.replace(
            found[capability],
            safety=SafetyMode(effect.safety.mode),
            settle_seconds=settle.total_seconds() if settle is not None else found[capability].settle_seconds,
        )
    return found


def _soap_opener(http: HttpPort) -> Callable[..., Any]:
    def opener(*arguments: Any, **options: Any) -> Any:
        # zeep takes half a second to import; only a connection that speaks SOAP pays for it.
        from hub.transport.soap import open_soap

        return open_soap(http, *arguments, **options)

    return opener


def library_of(config_folder: Path, registry: Registry) -> MappingLibrary:
    """A site's mappings first, then the connectors' own, then the shipped ones."""
    folders = [config_folder / "mappings"]
    folders += [Path(manifest.folder).parent for manifest in registry.manifests.values()]
    return MappingLibrary([*dict.fromkeys(folder for folder in folders if folder.is_dir()), shipped_folder()])
