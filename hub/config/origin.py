"""Every value in force, and where it comes from: a line of a file, a variable, or a default."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hub.config.model import ConnectorInfo
from hub.config.redact import MASK, redact
from hub.config.schemas import KINDS, Schema, connection_schema, is_secret, schema_of
from hub.config.secrets import has_reference, is_reference
from hub.config.source import Plain, find, loads
from hub.config.tree import Tree
from hub.config.validate import Checked


@dataclass(frozen=True, slots=True)
class Origin:
    """``value`` is fit for eyes; ``place`` is ``file:line:column``, or "default"; ``through`` the references in it."""

    file: str
    path: tuple[str | int, ...]
    value: Plain
    place: str
    through: str = ""

    @property
    def key(self) -> str:
        """The path as people write it."""
        return ".".join(map(str, self.path))


def kind_of(name: str) -> str:
    """The kind of a file of the configuration by its name."""
    folder, _, last = name.partition("/")
    kinds = {
        "connections": "connection",
        "partners": "partner",
        "notifications": "notification",
        "mappings": "mapping",
    }
    return kinds[folder] if last and folder in kinds else name.removesuffix(".yaml")


def schema_of_file(name: str, text: str, connectors: Mapping[str, ConnectorInfo]) -> Schema | None:
    """The schema that orders the keys of a file; None for mappings, whose order is their author's, and other files."""
    kind = kind_of(name)
    if kind == "mapping" or kind not in KINDS:
        return None
    tree = loads(text, name=name).plain()
    chosen = tree.get("connector") if isinstance(tree, dict) and kind == "connection" else None
    connector = connectors.get(str(chosen))
    # Streams and capabilities stay in their author's order.
    return schema_of(kind) if connector is None else connection_schema(connector.config_schema)


def origins(tree: Tree) -> Iterator[Origin]:
    """All leaves of all files in force, secrets masked."""
    for checked in tree.files():
        yield from _of_file(checked)


def _of_file(checked: Checked) -> Iterator[Origin]:
    document = checked.document
    shown = redact(checked.written, checked.schema)
    for path, written in _leaves(checked.written, ()):
        there = bool(path) and find(document.root, path) is not None
        place = f"{document.file}:{document.mark(path)}" if there else "default"
        value = _at(shown, path)
        through = ""
        if isinstance(written, str) and has_reference(written):
            through = written if is_reference(written) else "with references"
            if not is_secret(checked.schema, path):
                value = _resolved(checked, path, value)
        yield Origin(document.file, path, value, place, through)


def _resolved(checked: Checked, path: tuple[str | int, ...], written: Plain) -> Plain:
    """What a reference stands for, where it is no secret; a URL with its password masked."""
    shown = redact(_at(checked.resolved, path), {})
    return written if shown == MASK else shown


def _leaves(node: Plain, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Plain]]:
    if isinstance(node, dict) and node:
        for name, value in node.items():
            yield from _leaves(value, (*path, name))
    elif isinstance(node, list) and node:
        for index, value in enumerate(node):
            yield from _leaves(value, (*path, index))
    elif path:
        yield path, node


def _at(node: Plain, path: tuple[str | int, ...]) -> Plain:
    for step in path:
        if isinstance(node, Mapping) and isinstance(step, str):
            node = node.get(step)
        elif isinstance(node, list) and isinstance(step, int):
            node = node[step] if step < len(node) else None
    return node
