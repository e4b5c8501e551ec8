"""Reading foreign trees: what is absent or of another kind is empty, never an error in the middle of a page."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

Node = dict[str, object]


def node_at(node: object, key: str) -> Node:
    value = node.get(key) if isinstance(node, dict) else None
    return value if isinstance(value, dict) else {}


def nodes_at(node: object, key: str) -> list[Node]:
    """The objects of a list, or of a connection's `nodes`."""
    value = node.get(key) if isinstance(node, dict) else None
    if isinstance(value, dict):
        value = value.get("nodes")
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def text_at(node: object, key: str) -> str | None:
    """Text, or a number's digits; None for anything else and for empty text."""
    value = node.get(key) if isinstance(node, dict) else None
    if isinstance(value, bool):
        return None
    if isinstance(value, int | Decimal):
        return str(value)
    return value if isinstance(value, str) and value else None


def decimal_at(node: object, key: str) -> Decimal | None:
    text = text_at(node, key)
    if text is None or len(text) > 60:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def whole_at(node: object, key: str) -> int | None:
    value = decimal_at(node, key)
    return int(value) if value is not None and value == value.to_integral_value() else None


def legacy_id(gid: str | None) -> int | None:
    """The number at the end of a gid, as REST writes it: gid://shopify/Order/450789469 is 450789469."""
    digits = (gid or "").rpartition("/")[2].partition("?")[0]
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 30 else None


def gid(kind: str, identifier: str) -> str:
    """The global id of a REST id; a gid stays what it is."""
    return identifier if identifier.startswith("gid://") else f"gid://shopify/{kind}/{identifier}"
