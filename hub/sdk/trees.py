"""Reading foreign trees: what must be there is there as a text or a list, or a DataError says where it is not."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

from hub.sdk.errors import DataError
from hub.sdk.records import Tree


def member(tree: Tree, name: str) -> Tree:
    """A member of an object, None where there is none."""
    return tree.get(name) if isinstance(tree, dict) else None


def list_of(tree: Tree, name: str) -> list[Tree]:
    """Raises DataError."""
    found = member(tree, name)
    if not isinstance(found, list):
        raise DataError(f"the body has no list {name}", position=name)
    return found


def text_of(tree: Tree, name: str, position: str = "") -> str:
    """A text that is not empty. Raises DataError."""
    found = member(tree, name)
    if not isinstance(found, str) or not found:
        raise DataError(f"{name} is missing or no text", position=f"{position}.{name}".lstrip("."))
    return found


def optional_text(tree: Tree, name: str) -> str | None:
    found = member(tree, name)
    return found if isinstance(found, str) and found else None


def instant_of(tree: Tree, name: str, position: str = "") -> dt.datetime:
    """An RFC 3339 instant as aware UTC. Raises DataError, also for one without an offset."""
    said = text_of(tree, name, position)
    try:
        at = dt.datetime.fromisoformat(said)
    except ValueError:
        raise DataError(f"{name} is no instant", position=f"{position}.{name}".lstrip(".")) from None
    if at.tzinfo is None:
        raise DataError(f"{name} has no offset", position=f"{position}.{name}".lstrip("."))
    return at.astimezone(dt.UTC)


def instant_text(at: dt.datetime) -> str:
    """RFC 3339 UTC with microseconds."""
    return at.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def within(ours: Tree, theirs: Tree) -> bool:
    """Whether `theirs` holds all of `ours`; it may hold more beside it."""
    if isinstance(ours, dict):
        return isinstance(theirs, dict) and all(name in theirs and within(ours[name], theirs[name]) for name in ours)
    if isinstance(ours, list):
        return isinstance(theirs, list) and len(ours) == len(theirs) and all(map(within, ours, theirs))
    return ours == theirs


def encode(payload: Tree) -> bytes:
    """As JSON, decimals as text, digit for digit."""
    return json.dumps(payload, default=_decimal, ensure_ascii=False, separators=(",", ":")).encode()


def _decimal(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"a payload holds no {type(value).__name__}")
