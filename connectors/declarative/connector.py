"""A connection to a system that a connector.yaml describes: what it declares is what it can do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from connectors.declarative.client import Client
from connectors.declarative.definition import Definition
from connectors.declarative.effects import EffectCall
from connectors.declarative.pages import cut
from connectors.declarative.reading import SELECTOR, Fetching, Listing, Reading
from connectors.declarative.request import RequestTemplate, Unsendable
from connectors.declarative.webhooks import Webhooks
from hub.sdk.capabilities import Capability, SafetyMode
from hub.sdk.connector import Context, Expression
from hub.sdk.errors import CallFailed, ConfigurationError, DataError, TransportError
from hub.sdk.manifest import Manifest
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
    Probe,
    RawRecord,
    RawRequest,
    Receipt,
    Tree,
    Unsure,
    Window,
)


class Declarative:
    """The set of methods is the set of what it can do: those of the contracts that the definition says nothing of are
    not there, and each capability is a method of its name."""

    def __init__(self, manifest: Manifest, context: Context | None = None) -> None:
        """Raises ConfigurationError for a config that lacks what the definition names."""
        if context is None or manifest.definition is None:
            raise ConfigurationError(
                "declarative is what carries out a connector.yaml; name the connector that has one"
            )
        definition = cast("Definition", manifest.definition)
        self._context = context
        self._client = Client(definition, Path(manifest.folder), context)
        self._probes = [
            (probe["name"], RequestTemplate(probe["request"], context.expression)) for probe in definition["check"]
        ]
        self._reading: dict[str, Reading] = {}
        self._fetching: dict[str, Fetching] = {}
        self._listing: dict[str, Listing] = {}
        for name, spec in definition["streams"].items():
            if "read" in spec:
                self._reading[name] = Reading(name, spec["read"], self._client, context)
            if "fetch" in spec:
                self._fetching[name] = Fetching(name, spec["fetch"], self._client, context)
            if "list_ids" in spec:
                self._listing[name] = Listing(name, spec["list_ids"], self._client, context)
        self._effects = {
            name: EffectCall(name, effect, _safety(manifest, name), self._client, context)
            for name, effect in definition["effects"].items()
        }
        webhooks = definition.get("webhooks")
        self._webhooks = Webhooks(webhooks, manifest, context) if webhooks else None
        self._webhook_records: Expression | None = context.expression(webhooks["records"]) if webhooks else None
        self._offered = self._offer()

    def __getattr__(self, name: str) -> Any:
        offered: dict[str, Callable[..., object]] = self.__dict__.get("_offered", {})
        if name in offered:
            return offered[name]
        raise AttributeError(f"this connector has no {name}")

    def check(self) -> CheckReport:
        """Every probe of the definition, whatever the ones before it said."""
        return CheckReport(tuple(self._probe(name, template) for name, template in self._probes))

    def refresh(self) -> None:
        """Our credentials were refused: the next call shows newer ones, where there are any."""
        self._client.auth.renew()

    def parse(self, receipt: Receipt) -> Sequence[RawRecord]:
        """The records of a body, by the description it was read with. Raises DataError."""
        tree = self._context.loads(receipt.body)
        records = self._records(receipt, tree)
        if records == [tree]:
            return [RawRecord(receipt.stream, None, tree, "", whole=True)]
        return [RawRecord(receipt.stream, None, record, f"records.{index}") for index, record in enumerate(records)]

    def _offer(self) -> dict[str, Callable[..., object]]:
        offered: dict[str, Callable[..., object]] = {name: effect.send for name, effect in self._effects.items()}
        if any(effect.lookup for effect in self._effects.values()):
            offered["lookup"] = self._lookup
        if self._reading:
            offered |= {"read": self._read, "settle": self._settle}
        if self._fetching:
            offered["fetch"] = self._fetch
        if self._listing:
            offered["list_ids"] = self._list_ids
        if self._webhooks is not None:
            offered |= {
                "verify": self._webhooks.verify,
                "receipt": self._webhooks.receipt,
                "respond": _nothing_of_its_own,
            }
        return offered

    def _records(self, receipt: Receipt, tree: Tree) -> list[Tree]:
        selector, stream = receipt.headers.get(SELECTOR, ""), receipt.stream
        if selector == "webhook" and self._webhook_records is not None:
            return cut(self._webhook_records, tree)
        if selector == "fetch" and stream in self._fetching:
            return self._fetching[stream].records(tree)
        if selector == "read" and stream in self._reading:
            return self._reading[stream].records(tree)
        return self._handed_in(stream, tree)

    def _handed_in(self, stream: str, tree: Tree) -> list[Tree]:
        """A body that a person brought: a page as the poll reads it, else one record."""
        if stream in self._reading:
            try:
                return self._reading[stream].records(tree)
            except DataError:
                return [tree]
        return [tree]

    def _probe(self, name: str, template: RequestTemplate) -> Probe:
        try:
            prepared = template.prepare({"config": dict(self._context.config)})
            answer = self._client.call(prepared, "check")
        except (CallFailed, TransportError, DataError, Unsendable) as error:
            return Probe(name, ok=False, detail=str(error))
        return Probe(name, ok=True, detail=f"HTTP {answer.response.status}")

    def _lookup(self, capability: Capability, effect: Effect) -> Found | NotFound | Unsure:
        known = self._effects.get(capability.value)
        if known is None or known.lookup is None:
            return Unsure(f"connector.yaml describes no lookup of {capability.value}")
        return known.lookup.ask(effect)

    def _read(self, stream: str, cursor: Cursor | None, limit: int) -> Iterator[Batch]:
        return self._reading[stream].read(cursor, limit)

    def _settle(self, batch: Batch) -> None:
        """A list keeps no account of who has read what."""

    def _fetch(self, stream: str, external_id: str) -> Receipt | Missing:
        return self._fetching[stream].fetch(external_id)

    def _list_ids(self, stream: str, window: Window) -> Iterator[ExternalVersion]:
        return self._listing[stream].list_ids(window)


def _nothing_of_its_own(request: RawRequest) -> HttpAnswer | None:
    del request
    return None


def _safety(manifest: Manifest, name: str) -> SafetyMode:
    known = manifest.capabilities.get(Capability(name))
    return known.safety if known is not None else SafetyMode.NONE
