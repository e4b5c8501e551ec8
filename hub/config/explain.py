"""What a key of the configuration means, by its dotted name: for `hub config explain`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from hub.config.model import ConnectorInfo
from hub.config.schemas import KINDS, Schema, at, for_connector, schema_of
from hub.config.source import Plain

NAME = "NAME"
"""Stands for a key that the configuration chooses: a stream, a capability, a SKU."""

FILES = {
    "hub": "hub.yaml",
    "connection": "connections/<id>.yaml",
    "locations": "locations.yaml",
    "routing": "routing.yaml",
    "policies": "policies.yaml",
    "partner": "partners/<id>.yaml",
    "notification": "notifications/*.yaml",
    "mapping": "mappings/**/*.yaml",
    "manifest": "connectors/<name>/manifest.yaml",
    "connector": "connectors/<name>/connector.yaml",
}
"""Where a kind of file lies."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key that a kind of file can have; ``path`` as documentation writes it (``streams.NAME.poll.every``).
    ``connector`` is set where only connections of that connector have it."""

    kind: str
    path: str
    schema: Schema
    required: bool
    connector: str = ""

    @property
    def type(self) -> str:
        """The type in words."""
        return type_of(self.schema)


def find_keys(word: str, connectors: Mapping[str, ConnectorInfo]) -> list[Key]:
    """The keys that a dotted name may mean, the longest agreement first; ``policies.grace`` names the file too."""
    wanted = word.strip(".").replace("[]", "").split(".")
    every = list(all_keys(connectors))
    exact = [key for key in every if _means(key, wanted, whole=True)]
    return exact or [key for key in every if _means(key, wanted, whole=False)]


def similar_keys(word: str, connectors: Mapping[str, ConnectorInfo]) -> list[str]:
    """Names like a word that means nothing."""
    names = {f"{key.kind}.{key.path}" for key in all_keys(connectors)}
    names |= {key.path for key in all_keys(connectors)}
    last = {name.rpartition(".")[2]: name for name in sorted(names)}
    close = get_close_matches(word, names, n=3, cutoff=0.6)
    return close or [last[one] for one in get_close_matches(word.rpartition(".")[2], last, n=3, cutoff=0.6)]


def all_keys(connectors: Mapping[str, ConnectorInfo]) -> Iterator[Key]:
    """Every key of every kind of file, then those that single connectors add."""
    for kind in KINDS:
        schema = schema_of(kind)
        yield from _walk(kind, schema, schema, (), "")
    general = {key.path for key in _walk("connection", schema_of("connection"), schema_of("connection"), (), "")}
    for name, connector in sorted(connectors.items()):
        schema = for_connector(connector)
        for key in _walk("connection", schema, schema, (), name):
            if _general(key.path) not in general:
                yield key


def _general(path: str) -> str:
    """A path with the name of the stream or capability left open."""
    first, *rest = path.split(".")
    return ".".join((first, NAME, *rest[1:])) if first in ("streams", "effects_out") and rest else path


def type_of(schema: Schema) -> str:
    """A schema's type in words: ``text``, ``list of text``, ``one of on, observe``."""
    names = {"string": "text", "integer": "whole number", "boolean": "true or false", "object": "keys with values"}
    if isinstance(schema.get("enum"), list):
        return "one of " + ", ".join(str(value) for value in _list(schema["enum"]))
    if schema.get("type") == "array":
        items = schema.get("items")
        return f"list of {type_of(items)}" if isinstance(items, dict) else "list"
    kinds = _list(schema["type"]) if isinstance(schema.get("type"), list) else [schema.get("type", "anything")]
    return " or ".join(names.get(str(kind), str(kind)) for kind in kinds)


def _list(value: Plain) -> list[Plain]:
    return value if isinstance(value, list) else []


def _means(key: Key, wanted: list[str], *, whole: bool) -> bool:
    path = key.path.split(".")
    for words in (wanted, wanted[1:]) if wanted[0] == key.kind and len(wanted) > 1 else (wanted,):
        if len(words) == len(path) if whole else len(words) <= len(path):
            tail = path[len(path) - len(words) :]
            if all(have in (NAME, given) for have, given in zip(tail, words, strict=True)) and tail[-1] != NAME:
                return True
            if whole and tail[-1] == NAME and words[-1] == NAME and len(words) == len(path):
                return True
    return False


def _walk(
    kind: str, root: Schema, schema: Schema, path: tuple[str | int, ...], connector: str, depth: int = 0
) -> Iterator[Key]:
    if depth > 12:
        return  # fields of a mapping hold fields
    required = _list(schema.get("required"))
    properties = schema.get("properties")
    for name in properties if isinstance(properties, dict) else ():
        yield from _key(kind, root, (*path, name), name in required, connector, depth)
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _key(kind, root, (*path, NAME), False, connector, depth)
    if isinstance(schema.get("items"), dict):
        inner = at(root, (*path, 0))
        if inner is not None and not _recursive(path):
            yield from _walk(kind, root, inner, (*path, 0), connector, depth + 1)


def _key(
    kind: str, root: Schema, path: tuple[str | int, ...], required: bool, connector: str, depth: int
) -> Iterator[Key]:
    schema = at(root, path)
    if schema is None:
        return
    yield Key(kind, ".".join(str(step) for step in path if step != 0), schema, required, connector)
    if not _recursive(path):
        yield from _walk(kind, root, schema, path, connector, depth + 1)


def _recursive(path: tuple[str | int, ...]) -> bool:
    """Whether a path has come back to where it was: a mapping's fields have fields."""
    names = [step for step in path if isinstance(step, str) and step != NAME]
    return len(names) != len(set(names)) and len(names) > 2
