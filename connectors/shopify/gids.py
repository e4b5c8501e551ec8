"""The shop's two ways to name a thing: the number of REST, and the global id (gid) of GraphQL."""

from __future__ import annotations


def legacy_id(gid: str | None) -> int | None:
    """The number at the end of a gid, as REST writes it: gid://shopify/Order/450789469 is 450789469."""
    digits = (gid or "").rpartition("/")[2].partition("?")[0]
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 30 else None


def gid(kind: str, identifier: str) -> str:
    """The global id of a REST id; a gid stays what it is."""
    return identifier if identifier.startswith("gid://") else f"gid://shopify/{kind}/{identifier}"
