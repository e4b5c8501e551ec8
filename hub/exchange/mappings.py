"""Compiled mapping files as the exchange uses them: identify a record cheaply, map it whole, map an answer."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as MappingType
from dataclasses import replace
from typing import Any

from hub.domain.decision import MappingHold
from hub.exchange.connections import Identity, Mapped
from hub.formats import FormatError, codec
from hub.mapping import Mapping, MappingLibrary
from hub.mapping.compile import compile_definition
from hub.mapping.errors import MappingError, Unusable
from hub.mapping.functions import Function
from hub.mapping.schemas import raw_schema
from hub.mapping.scope import Emit, Scope

ENTITY_FIELD: dict[str, str] = {
    "cancel_requests": "order_external_id",
    "order_changes": "order_external_id",
    "fulfilment_responses": "fulfilment_order",
    "stock": "location",
    "acknowledgements": "key",
    "tracking": "tracking_number",
}
"""The field that names the entity of a stream's records, where it is not `external_id`."""

ORDER = "Order"
_FURTHER = ("scope", "source_version", "fact_key")


class MappedStream:
    """The mapping of one stream of one connection. `context` is what `context.` paths see."""

    def __init__(
        self,
        mapping: Mapping,
        stream: str,
        library: MappingLibrary,
        context: MappingType[str, object],
        functions: MappingType[str, Function] | None = None,
    ) -> None:
        self._mapping = mapping
        self._entity_field = ENTITY_FIELD.get(stream, "external_id")
        self._context = context
        self._identify = self._compile_identity(library, functions or {})

    def _compile_identity(self, library: MappingLibrary, functions: MappingType[str, Function]) -> Emit | None:
        """Only the fields that name a record; None where the mapping gets all its fields from a shared file."""
        fields = self._mapping.definition.content.get("fields")
        if not isinstance(fields, dict):
            return None
        wanted = {self._entity_field, "external_id", *_FURTHER}
        if self._mapping.fact_key:
            wanted.add(self._mapping.fact_key)
        content = {
            name: value
            for name, value in self._mapping.definition.content.items()
            if name not in ("keep_rest", "tests", "fields", "use")
        }
        content["fields"] = {name: spec for name, spec in fields.items() if name in wanted}
        compiled = compile_definition(
            replace(self._mapping.definition, content=content),
            library,
            target=raw_schema(self._mapping.target),
            otherwise="hold",
            functions=functions,
            traced=False,
        )
        return None if compiled.problems else compiled.fill

    def identify(self, tree: Any) -> Identity:
        """Who the record is about; empty where it does not say. Never raises for what a source sent."""
        record: dict[str, object] = {}
        try:
            if self._identify is None:
                record = self._mapping.run(tree, context=self._context).record
            elif isinstance(tree, dict | list):
                self._identify(tree, Scope(tree, self._context), record)
        except (MappingError, Unusable):
            return Identity()
        fact_key = record.get("fact_key") or (record.get(self._mapping.fact_key) if self._mapping.fact_key else None)
        return Identity(
            external_id=_text(record.get(self._entity_field)),
            scope=_text(record.get("scope")) or "",
            version=_text(record.get("source_version")),
            fact_key=_text(fact_key),
        )

    def run(self, tree: Any) -> Mapped:
        mapped = self._mapping.run(tree, context=self._context)
        holds = [MappingHold(hold.field, hold.rule, hold.hint) for hold in mapped.holds]
        record = mapped.record
        if self._mapping.target == ORDER:
            record, twice = _told_apart(record)
            holds += twice
        return Mapped(record, tuple(holds), tuple(mapped.notes))


class MappedShapes:
    """A stream whose records come in the usual form and in older ones, told apart by a field at their top."""

    def __init__(self, usual: MappedStream, shapes: MappingType[str, MappedStream]) -> None:
        self._usual = usual
        self._shapes = shapes

    def identify(self, tree: Any) -> Identity:
        return self._of(tree).identify(tree)

    def run(self, tree: Any) -> Mapped:
        return self._of(tree).run(tree)

    def _of(self, tree: Any) -> MappedStream:
        if isinstance(tree, dict):
            for field, shape in self._shapes.items():
                if field in tree:
                    return shape
        return self._usual


def _told_apart(record: dict[str, Any]) -> tuple[dict[str, Any], list[MappingHold]]:
    """Lines of an order that have one id are different lines all the same: none of them is lost, and a person sees to
    the source."""
    lines = record.get("lines") or ()
    ids = [str(line.get("external_line_id", "")) for line in lines]
    if len(set(ids)) == len(ids):
        return record, []
    taken, seen, told, hints = set(ids), set[str](), [], []
    for line, line_id in zip(lines, ids, strict=True):
        if line_id not in seen:
            seen.add(line_id)
            told.append(line)
            continue
        number = 2
        while f"{line_id}#{number}" in taken:
            number += 1
        own = f"{line_id}#{number}"
        taken.add(own)
        told.append({**line, "external_line_id": own})
        hints.append(f"{line_id} again (kept as {own})")
    hint = f"several lines have one id: {', '.join(hints)}; give each line an id of its own at the source"
    return {**record, "lines": told}, [MappingHold("lines", "line_ids", hint)]


def _text(value: object) -> str | None:
    return str(value) if value not in (None, "") else None


class MappedReply:
    """The reply mapping of one capability; the answer is read as XML where its type or first byte says so."""

    def __init__(self, run: Callable[[object], MappingType[str, object]]) -> None:
        self._run = run

    def run(self, raw: bytes, content_type: str) -> dict[str, Any]:
        is_xml = "xml" in content_type or raw.lstrip()[:1] == b"<"
        try:
            tree = codec("xml" if is_xml else "json").loads(raw, content_type or None)
        except FormatError as error:
            raise MappingError("", error.code, f"the answer cannot be read: {error.message}") from error
        return dict(self._run(tree))
