"""The JSON Schemas of all kinds of configuration (draft-07, which editors read), and what we take from them ourselves.

jsonschema treats ``default`` and ``writeOnly`` as annotations; here they are what they say: :func:`with_defaults` fills
in, :func:`secret_paths` finds what may only be a reference.
"""

import copy
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import cast

from hub.config.model import ConnectorInfo
from hub.config.source import Plain, loads

Schema = Mapping[str, Plain]
NOTHING: Mapping[str, Schema] = MappingProxyType({})
NAMED = "x-named"
"""Marks the schema of a key that a configuration chooses to have, as a stream: it is not there by default."""

_SECRET_NAME = re.compile(r"(?:^|_)(?:password|passphrase|secrets?|token|api_keys?|private_key)$")

UNLESS_CONFIG = "unless_config"
"""In a connector's options: the key of the connection's `config` that stands in for what is required here."""

KINDS = (
    "hub",
    "connection",
    "locations",
    "routing",
    "policies",
    "partner",
    "notification",
    "mapping",
    "manifest",
    "connector",
)
"""One schema each. ``manifest`` is what a connector says about itself, ``connector`` one that is written in YAML."""


@cache
def _kind(kind: str) -> Schema:
    text = resources.files(__package__).joinpath(f"{kind}.yaml").read_bytes()
    return cast("Schema", loads(text, name=f"{kind}.yaml").plain())


def schema_of(kind: str) -> Schema:
    """The schema of a kind of file; raises KeyError for an unknown kind."""
    if kind not in KINDS:
        raise KeyError(f"there is no schema {kind!r}; there are {', '.join(KINDS)}")
    return _kind(kind)


def for_connector(connector: ConnectorInfo) -> Schema:
    """The schema of the connections of a connector."""
    streams = {name: offer.options for name, offer in connector.streams.items()}
    effects = {name: connector.effect_options.get(name, {}) for name in sorted(connector.capabilities)}
    return connection_schema(connector.config_schema, streams, effects)


def connection_schema(
    config_schema: Schema,
    streams: Mapping[str, Schema] = NOTHING,
    effects: Mapping[str, Schema] = NOTHING,
) -> Schema:
    """The schema of a connection of one connector: its config.schema.yaml stands in place of ``config``.

    ``streams`` and ``effects`` are its own keys of each stream and capability, as JSON Schema objects; they stand
    beside the keys that all have. Local references of the connector's schema are moved along, so that
    ``#/definitions/x`` still leads there.
    """
    merged = copy.deepcopy(dict(_kind("connection")))
    inner = cast("dict[str, Plain]", _moved(copy.deepcopy(dict(config_schema)), "#/properties/config"))
    inner.pop("$schema", None)
    inner.setdefault("type", "object")
    inner.setdefault("default", {})
    properties = cast("dict[str, Plain]", merged["properties"])
    properties["config"] = inner
    if inner.get("required"):
        cast("list[Plain]", merged["required"]).append("config")
    for key, word, own in (("streams", "stream", streams), ("effects_out", "effect", effects)):
        given = cast("dict[str, Plain]", properties[key])
        given["properties"] = {name: _with_options(word, options) for name, options in own.items()}
    return merged


def _with_options(word: str, options: Schema) -> Plain:
    """The definition of a stream or an effect with a connector's own keys beside the common ones."""
    given = copy.deepcopy(cast("dict[str, dict[str, Plain]]", _kind("connection")["definitions"])[word])
    common = cast("dict[str, Plain]", given["properties"])
    own = options.get("properties")
    for name, schema in own.items() if isinstance(own, dict) else ():
        before = common.get(name)
        common[name] = {
            **(before if isinstance(before, dict) else {}),
            **(schema if isinstance(schema, dict) else {}),
        }
    if options.get("required"):
        given["required"] = copy.deepcopy(options["required"])
    if options.get(UNLESS_CONFIG):
        given[UNLESS_CONFIG] = options[UNLESS_CONFIG]
    given[NAMED] = True
    given["additionalProperties"] = False
    return given


def _moved(node: Plain, root: str) -> Plain:
    if isinstance(node, dict):
        target = node.get("$ref")
        if isinstance(target, str) and target.startswith("#"):
            node["$ref"] = root + target[1:]
        for value in node.values():
            _moved(value, root)
    elif isinstance(node, list):
        for value in node:
            _moved(value, root)
    return node


def at(root: Schema, path: tuple[str | int, ...]) -> Schema | None:
    """The sub-schema that describes the value at a path, or None where none does."""
    here: Schema | None = _deref(root, root)
    for step in path:
        here = None if here is None else _member(root, here, step)
    return here


def known_keys(root: Schema, path: tuple[str | int, ...]) -> list[str]:
    """The keys an object at a path may have."""
    properties = (at(root, path) or {}).get("properties")
    return sorted(properties) if isinstance(properties, dict) else []


def is_free_text(root: Schema, path: tuple[str | int, ...]) -> bool:
    """Whether any text at all may stand at a path."""
    schema = at(root, path) or {}
    return schema.get("type", "string") == "string" and not {"pattern", "enum", "format"} & set(schema)


def is_secret(root: Schema, path: tuple[str | int, ...]) -> bool:
    """Whether the value at a path, or something around it, is marked ``writeOnly``.

    A key of a connection's ``config`` that is named like a secret is one, also where a connector's schema forgot to say
    so: a value shown once cannot be taken back.
    """
    names = [step for step in path if isinstance(step, str)]
    if len(names) > 1 and names[0] == "config" and _SECRET_NAME.search(names[-1]):
        return True
    here: Schema | None = _deref(root, root)
    for step in path:
        here = None if here is None else _member(root, here, step)
        if here is not None and here.get("writeOnly") is True:
            return True
    return False


def secret_paths(root: Schema, tree: Plain) -> list[tuple[str | int, ...]]:
    """The paths of all scalars in the tree that are secret."""
    return [path for path in _scalars(tree, ()) if is_secret(root, path)]


def with_defaults(root: Schema, tree: Plain) -> Plain:
    """A copy with the schema's defaults filled in; an absent object without required keys counts as an empty one."""
    return _filled(root, root, tree)


def _filled(root: Schema, schema: Schema, tree: Plain) -> Plain:
    schema = _deref(root, schema)
    if isinstance(tree, list):
        items = schema.get("items")
        return [_filled(root, items, item) if isinstance(items, dict) else copy.deepcopy(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    result: dict[str, Plain] = {}
    for name, value in tree.items():
        sub = _member(root, schema, name)
        result[name] = copy.deepcopy(value) if sub is None else _filled(root, sub, value)
    properties = schema.get("properties")
    for name in properties if isinstance(properties, dict) else ():
        if name in result:
            continue
        sub = cast("Schema", _member(root, schema, name))
        if "default" in sub:
            result[name] = _filled(root, sub, copy.deepcopy(sub["default"]))
        elif sub.get("type") == "object" and "properties" in sub and not sub.get("required") and not sub.get(NAMED):
            result[name] = _filled(root, sub, {})
    return result


def _scalars(tree: Plain, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    if isinstance(tree, dict):
        for name, value in tree.items():
            yield from _scalars(value, (*path, name))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from _scalars(value, (*path, index))
    else:
        yield path


def _member(root: Schema, schema: Schema, step: str | int) -> Schema | None:
    found: Plain = None
    if isinstance(step, int):
        found = schema.get("items")
    else:
        properties = schema.get("properties")
        found = properties.get(step) if isinstance(properties, dict) else None
        if found is None:
            found = schema.get("additionalProperties")
    return _deref(root, found) if isinstance(found, dict) else None


def _deref(root: Schema, schema: Schema) -> Schema:
    """Follows local references; keys beside one override its target's, as our own defaults and descriptions do."""
    for _ in range(20):
        target = schema.get("$ref")
        if not isinstance(target, str) or not target.startswith("#"):
            return schema
        found: Plain = dict(root)
        for part in target.removeprefix("#").strip("/").split("/"):
            if part and isinstance(found, dict):
                found = found.get(part.replace("~1", "/").replace("~0", "~"))
        if not isinstance(found, dict):
            return schema
        schema = {**found, **{name: value for name, value in schema.items() if name != "$ref"}}
    return schema
