"""Configuration for eyes: with its defaults, without its secrets."""

import json
from collections.abc import Mapping
from decimal import Decimal

from hub.config.model import Bundle, ConnectorInfo
from hub.config.redact import redact
from hub.config.revision import from_blob
from hub.config.schemas import Schema, for_connector, schema_of, with_defaults
from hub.config.source import Plain, loads


def show(bundle: Bundle, connectors: Mapping[str, ConnectorInfo]) -> dict[str, Plain]:
    """What is in force, by file: defaults filled in, references as references, secrets masked."""
    files, _, _ = from_blob(bundle.blob)
    shown: dict[str, Plain] = {}
    for name, text in files.items():
        kind = "connection" if name.startswith("connections/") else name.removesuffix(".yaml")
        if "/" in kind:
            continue  # mappings and partners have commands of their own
        tree = loads(text, name=name).plain()
        schema = schema_for(kind, tree, connectors)
        shown[name] = redact(with_defaults(schema, {} if tree is None else tree), schema)
    return shown


def schema_for(kind: str, tree: Plain, connectors: Mapping[str, ConnectorInfo]) -> Schema:
    """The schema of a kind; that of a connection with what its connector says about ``config``."""
    name = tree.get("connector") if isinstance(tree, dict) else None
    connector = connectors.get(name) if kind == "connection" and isinstance(name, str) else None
    return schema_of(kind) if connector is None else for_connector(connector)


def to_json(tree: Plain) -> str:
    """Indented JSON; decimals as the text they were written with."""
    return json.dumps(tree, ensure_ascii=False, indent=2, default=_decimal_text)


def _decimal_text(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"a {type(value).__name__} is no part of a configuration")
