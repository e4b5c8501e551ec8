"""Reading foreign trees leniently: what is absent or of another kind is empty, never an error in the middle of a page.

trees.py is its strict sister, for bodies that must hold something.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

Node = dict[str, object]

LONGEST_NUMBER = 60
"""Characters; what is longer is no amount."""


def node_at(node: object, *keys: str) -> Node:
    """The object at the end of the way, empty where there is none."""
    for key in keys:
        node = node.get(key) if isinstance(node, dict) else None
    return node if isinstance(node, dict) else {}


def nodes_at(node: object, key: str) -> list[Node]:
    """The objects of a list, or of a GraphQL connection's `nodes`."""
    value = node.get(key) if isinstance(node, dict) else None
    if isinstance(value, dict):
        value = value.get("nodes")
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def text_at(node: object, key: str) -> str | None:
    """Text, or a number's digits; None for anything else and for empty text."""
    value = node.get(key) if isinstance(node, Mapping) else None
    if isinstance(value, bool):
        return None
    if isinstance(value, int | Decimal):
        return str(value)
    return value if isinstance(value, str) and value else None


def decimal_at(node: object, key: str) -> Decimal | None:
    """A finite number, also one written as text."""
    text = text_at(node, key)
    if text is None or len(text) > LONGEST_NUMBER:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def whole_at(node: object, key: str) -> int | None:
    """A whole number, also one written as 3.0."""
    value = decimal_at(node, key)
    return int(value) if value is not None and value == value.to_integral_value() else None


def is_true(node: object, key: str) -> bool:
    """True, or the text "true" in any case."""
    value = node.get(key) if isinstance(node, dict) else None
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")
