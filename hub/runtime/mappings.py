"""Mappings as the exchange uses them: identify a record cheaply, map it whole, render an effect, read a reply."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from hub.domain.decision import MappingHold
from hub.exchange.connections import Identity, Mapped, Rendered
from hub.formats.registry import codec
from hub.formats.tree import FormatError
from hub.mapping import schemas
from hub.mapping.compile import compile_definition
from hub.mapping.errors import MappingError
from hub.mapping.library import MappingLibrary
from hub.mapping.mapping import Mapping as CompiledMapping
from hub.mapping.scope import Scope

IDENTITY_FIELDS = ("external_id", "order_external_id", "fulfilment_order", "scope", "source_version", "fact_key", "key")
ENTITY_FIELDS = ("external_id", "order_external_id", "fulfilment_order", "key")
"""What names the entity a record is about, first that is there."""


class InMapping:
    """Their record of one stream -> ours; see StreamMapping."""

    def __init__(self, mapping: CompiledMapping, library: MappingLibrary, context: Mapping[str, object]) -> None:
        self._mapping = mapping
        self._context = context
        content = mapping.definition.content
        fields = content.get("fields")
        wanted = {*IDENTITY_FIELDS, *([mapping.fact_key] if mapping.fact_key else [])}
        own = {name: field for name, field in fields.items() if name in wanted} if isinstance(fields, dict) else {}
        kept = {name: value for name, value in content.items() if name in ("mapping", "version", "tables")}
        reduced = dataclasses.replace(mapping.definition, content={**kept, "fields": own})
        target = schemas.raw_schema(mapping.target) if mapping.target else None
        compiled = compile_definition(reduced, library, target=target, otherwise="error", functions={}, traced=False)
        self._fill = compiled.fill

    def identify(self, tree: Any) -> Identity:
        """Names only. What cannot be read leaves its field empty; `run` says why."""
        if not isinstance(tree, dict):
            return Identity()
        found: dict[str, object] = {}
        try:
            self._fill(tree, Scope(tree, self._context), found)
        except MappingError:
            return Identity(**_names(found, self._mapping.fact_key))
        return Identity(**_names(found, self._mapping.fact_key))

    def run(self, tree: Any) -> Mapped:
        """Raises MappingError."""
        mapped = self._mapping.run(tree, context=self._context)
        return Mapped(mapped.record, tuple(MappingHold(hold.field, hold.rule, hold.hint) for hold in mapped.holds))


def _names(found: Mapping[str, object], fact_key: str | None) -> dict[str, Any]:
    entity = next((str(found[name]) for name in ENTITY_FIELDS if found.get(name)), None)
    key = found.get("fact_key") or (found.get(fact_key) if fact_key else None)
    return {
        "external_id": entity,
        "scope": str(found.get("scope") or ""),
        "version": str(found["source_version"]) if found.get("source_version") else None,
        "fact_key": str(key) if key else None,
    }


class ReplyReader:
    """Their answer's bytes -> our Reply record; see ReplyMapping."""

    def __init__(self, mapping: CompiledMapping) -> None:
        self._mapping = mapping

    def run(self, raw: bytes, content_type: str) -> dict[str, Any]:
        """Raises MappingError, also where the bytes are not of the format the connector speaks."""
        try:
            tree = codec("xml" if "xml" in content_type else "json").loads(raw, content_type)
        except FormatError as error:
            raise MappingError("", "format", str(error)) from error
        return self._mapping.run(tree).record


class MappingRenderer:
    """Canonical -> theirs, by the out-mapping of the connection's connector; see Renderer."""

    def __init__(
        self, connector_of: Callable[[str], str], library: MappingLibrary, options: Mapping[str, Mapping[str, object]]
    ) -> None:
        self._connector_of = connector_of
        self._library = library
        self._options = options

    def render(self, connection: str, capability: str, record: Mapping[str, Any]) -> Rendered:
        """Raises MappingError."""
        connector = self._connector_of(connection)
        mapping = self._library.outbound(connector, capability)
        if mapping is None:
            raise MappingError("", "no_mapping", f"there is no mapping {connector}/{capability}.out")
        context = {"connection": connection, "config": self._options.get(connection, {})}
        return Rendered(mapping.run(dict(record), context=context).record)
