"""Where each field of an order comes from: source path, receipt, message, mapping with its version, revision.

Nothing is written for this while orders come in. The merged view of an order keeps which restate carried each field
(hub.domain.restate); the rest is found out when somebody asks, by running the mapping of that time, which stands whole
in the stored revision, over the kept bytes. What is gone is said to be gone: erased bytes leave receipt, message and
revision known and the path unknown, and a field that this program no longer makes of these bytes says so. Values are
not shown: they may be personal data.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from hub.config.revision import BlobError, from_blob
from hub.config.source import Plain, SourceError, loads
from hub.domain.restate import LINE_ID, LINES, Stamp, View, view_from_json
from hub.edi.partners import NOBODY, read_partner
from hub.exchange.parse import WHOLE
from hub.formats import FormatError, codec
from hub.mapping.errors import MappingError, MappingFileError
from hub.mapping.library import MappingLibrary
from hub.mapping.mapping import Mapped
from hub.mapping.scope import TraceRow
from hub.runtime.configuration import SHIPPED
from hub.runtime.registry import Registry
from hub.views.packages import label_bytes
from hub.views.query import rows

ERASED = "its bytes were erased"
CHANGED = "this program makes no such field of these bytes any more"
AMONG_THE_REST = "what no field read"


@dataclass(frozen=True, slots=True)
class Origin:
    """One field of the order. `path` is where its value stood in the message, "" where that is not known; then `note`
    says why. `file` and `line` are the place in the mapping of that time."""

    field: str
    path: str
    receipt: str
    message: str
    received_at: str
    source_version: str
    mapping: str
    revision: str
    file: str = ""
    line: int = 0
    note: str = ""


def lineage(connection: Connection, order_id: str, registry: Registry, bodies: Path) -> list[Origin]:
    """Every field of an order with its origin, by source. `bodies` is where large bodies lie."""
    sql = """SELECT entity_key, record, versions, body_id FROM sources WHERE subject = :id AND body_id <> ''
              ORDER BY entity_key"""
    found: list[Origin] = []
    with contextlib.ExitStack() as opened:
        for source in rows(connection, sql, {"id": order_id}):
            asked = _Asked(connection, registry, bodies, str(source["record"]), opened)
            versions = json.loads(source["versions"])
            values = asked.bytes_of(str(source["body_id"]))
            if values is None:
                found += asked.without_values(versions)
            else:
                found += asked.fields(view_from_json(json.loads(values), versions))
    return found


@dataclass(frozen=True, slots=True)
class _Made:
    """What a mapping makes of a message now: values by field, and the rows of its trace by field."""

    mapping: str
    values: Mapping[str, object]
    traced: Sequence[tuple[str, TraceRow]]


@dataclass(frozen=True, slots=True)
class _Message:
    """A restate that fields came from. `made` is None where `note` says why."""

    receipt: str
    received_at: str
    id: str = ""
    source_version: str = ""
    revision: str = ""
    made: _Made | None = None
    note: str = ""

    def origin(self, field: str, path: str, row: TraceRow | None = None, note: str = "") -> Origin:
        return Origin(
            field,
            path,
            self.receipt,
            self.id,
            self.received_at,
            self.source_version,
            self.made.mapping if self.made is not None else "",
            self.revision,
            row.file if row is not None else "",
            row.line if row is not None else 0,
            note or self.note,
        )


class _Asked:
    """One question about one source; every message is run once."""

    def __init__(
        self, connection: Connection, registry: Registry, bodies: Path, stream: str, opened: contextlib.ExitStack
    ) -> None:
        self._connection = connection
        self._registry = registry
        self._bodies = bodies
        self._stream = stream
        self._opened = opened
        self._messages: dict[Stamp, _Message] = {}
        self._revisions: dict[str, _Revision | None] = {}

    def bytes_of(self, body_id: str) -> bytes | None:
        return label_bytes(self._connection, body_id, self._bodies)[1]

    def fields(self, view: View) -> Iterator[Origin]:
        for name, stamp in view.stamps.items():
            if name != LINES:
                yield from self._origins(name, view.values.get(name), stamp)
        for line_id, line in view.lines.items():
            for name, stamp in line.stamps.items():
                yield from self._origins(f"{LINES}[{line_id}].{name}", line.values.get(name), stamp)

    def without_values(self, versions: Mapping[str, Any]) -> Iterator[Origin]:
        """The merged view itself was erased: what is left are the messages it was made of."""
        for version, received in versions["stamps"]:
            yield self._message((str(version), str(received))).origin("(erased)", "", note=ERASED)

    def _origins(self, field: str, value: object, stamp: Stamp) -> Iterator[Origin]:
        message = self._message(stamp)
        if message.made is None:
            yield message.origin(field, "")
            return
        if field not in message.made.values or message.made.values[field] != value:
            yield message.origin(field, "", note=CHANGED)
            return
        below = [(name, row) for name, row in message.made.traced if name == field or name.startswith(f"{field}.")]
        for name, row in below:
            yield message.origin(name, row.source, row)
        if not below:
            yield message.origin(field, "" if value in ([], {}) else AMONG_THE_REST)

    def _message(self, stamp: Stamp) -> _Message:
        if stamp not in self._messages:
            self._messages[stamp] = self._looked_up(stamp)
        return self._messages[stamp]

    def _looked_up(self, stamp: Stamp) -> _Message:
        received_at, receipt, place = stamp[1].split("|", 2)
        position = place[3:]
        sql = """SELECT m.id, m.connection, m.source_version, m.revision, COALESCE(m.body_id, r.body_id) AS body_id
                   FROM messages m LEFT JOIN receipts r ON r.id = m.receipt_id
                  WHERE m.receipt_id = :receipt AND m.position = :position AND m.stream = :stream
                  ORDER BY CASE m.state WHEN 'applied' THEN 0 ELSE 1 END, m.sequence DESC LIMIT 1"""
        where = {"receipt": receipt, "position": position, "stream": self._stream}
        found = rows(self._connection, sql, where)
        if not found:
            return _Message(receipt, received_at, source_version=stamp[0], note="its message is gone")
        row = {name: str(value or "") for name, value in found[0].items()}
        known = _Message(receipt, received_at, row["id"], stamp[0], row["revision"])
        revision = self._revision(row["revision"])
        if revision is None:
            return replace(known, note="the revision it ran under is gone")
        raw = self.bytes_of(row["body_id"])
        try:
            name = revision.mapping_name(row["connection"], self._stream)
            if raw is None:
                return replace(
                    known, note=f"{ERASED}; it was read by {revision.library.get(name).definition.versioned()}"
                )
            made = revision.make(name, raw, row["connection"], self._stream, position)
        except (MappingError, MappingFileError, FormatError, ValueError) as error:
            return replace(known, note=f"this program cannot read it any more: {error}")
        return replace(known, made=made)

    def _revision(self, name: str) -> _Revision | None:
        if name not in self._revisions:
            found = rows(self._connection, "SELECT bundle FROM revisions WHERE hash = :name", {"name": name})
            folder = Path(self._opened.enter_context(tempfile.TemporaryDirectory(prefix="hub-lineage-")))
            try:
                self._revisions[name] = _Revision(bytes(found[0]["bundle"]), folder, self._registry) if found else None
            except (BlobError, SourceError):
                self._revisions[name] = None
        return self._revisions[name]


class _Revision:
    """A stored revision as far as mapping needs it: no secret is looked up, nothing is opened."""

    def __init__(self, blob: bytes, folder: Path, registry: Registry) -> None:
        files, mappings, _ = from_blob(blob)
        for name, text in mappings.items():
            path = folder / f"{name}.yaml"
            if path.is_relative_to(folder) and ".." not in path.parts:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
        self.library = MappingLibrary([folder, folder / SHIPPED.rstrip("/")])
        self._folder = f"{folder}/"
        self._registry = registry
        self._trees = {name: _tree(loads(text, name=name).plain()) for name, text in files.items() if _read(name)}

    def _connection(self, connection: str) -> dict[str, Plain]:
        trees = (tree for name, tree in self._trees.items() if name.startswith("connections/"))
        return next((tree for tree in trees if tree.get("id") == connection), {"connector": connection})

    def mapping_name(self, connection: str, stream: str) -> str:
        content = self._connection(connection)
        chosen = _tree(_tree(content.get("streams")).get(stream)).get("mapping")
        return str(chosen) if chosen else f"{content['connector']}/{stream}.in"

    def make(self, name: str, raw: bytes, connection: str, stream: str, position: str) -> _Made:
        """Raises MappingError, MappingFileError, FormatError, ValueError."""
        content = self._connection(connection)
        manifest = self._registry.manifests.get(str(content["connector"]))
        info = manifest.streams.get(stream) if manifest is not None else None
        if position == WHOLE:
            options = {**_tree(_tree(_tree(content.get("streams")).get(stream)).get("format"))}
            options.pop("items", None)
            kind = str(content.get("codec") or (info.codec if info is not None else "json"))
            tree: Any = codec(kind).loads(raw, None, options or None)
        else:
            tree = codec("json").loads(raw)
        for field, shape in (info.shapes if info is not None else {}).items():
            if isinstance(tree, dict) and field in tree:
                name = f"{content['connector']}/{shape}.in"
        mapping = self.library.get(name)
        mapped = mapping.run(tree, trace=True, context=self._context(connection, content))
        return _Made(mapping.definition.versioned(), dict(_fields(mapped.record)), self._traced(mapped))

    def _context(self, connection: str, content: Mapping[str, Plain]) -> dict[str, object]:
        partner = str(content.get("partner") or "")
        tree = self._trees.get(f"partners/{partner}.yaml")
        seller = _tree(self._trees.get("hub.yaml", {}).get("seller"))
        return {
            "connection": connection,
            "base_currency": seller.get("base_currency"),
            "partner": (NOBODY if tree is None else read_partner(partner, tree)).context(),
        }

    def _traced(self, mapped: Mapped) -> list[tuple[str, TraceRow]]:
        """The rows that made something, by the field of the order; a line has its id in place of its number."""
        lines = mapped.record.get(LINES)
        ids = [str(line.get(LINE_ID)) for line in lines] if isinstance(lines, list) else []
        found: dict[tuple[str, str], TraceRow] = {}
        for row in mapped.trace or ():
            head, _, rest = row.field.partition(".")
            number, _, last = rest.partition(".")
            name = row.field
            if head == LINES and number.isdigit() and int(number) < len(ids):
                name = f"{LINES}[{ids[int(number)]}].{last}"
            if row.result is not None:
                found[name, row.source] = replace(row, file=row.file.removeprefix(self._folder))
        return [(name, row) for (name, _), row in found.items()]


def _fields(record: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    lines = record.get(LINES)
    for name, value in record.items():
        if name != LINES:
            yield name, value
    for line in lines if isinstance(lines, list) else ():
        for name, value in line.items():
            yield f"{LINES}[{line.get(LINE_ID)}].{name}", value


def _read(name: str) -> bool:
    return name == "hub.yaml" or name.startswith(("connections/", "partners/"))


def _tree(value: Plain) -> dict[str, Plain]:
    return value if isinstance(value, dict) else {}
