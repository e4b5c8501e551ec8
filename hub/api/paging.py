"""Pages by key: a cursor is where the page before ended, bound to the list and the filters it was made for."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from hub.api.problems import Problem

MARK_BYTES = 9
Row = Mapping[str, Any]


def after(cursor: str | None, path: str, filters: Mapping[str, object], keys: int) -> tuple[str, ...] | None:
    """The key that the page before ended with, of so many parts. Raises Problem."""
    if cursor is None:
        return None
    try:
        raw = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        mark, body = raw[:MARK_BYTES], raw[MARK_BYTES:]
        parts = json.loads(body)
    except (ValueError, binascii.Error, RecursionError) as error:
        raise _foreign() from error
    if mark != _mark(path, filters, body) or not isinstance(parts, list) or len(parts) != keys:
        raise _foreign()
    if not all(isinstance(part, str) and "\x00" not in part for part in parts):
        raise _foreign()
    return tuple(parts)


def page(
    found: Sequence[Row], limit: int, path: str, filters: Mapping[str, object], key: Callable[[Row], Sequence[str]]
) -> dict[str, Any]:
    """`found` holds one row more than the page where there is a next one."""
    if len(found) <= limit:
        return {"items": list(found)}
    items = list(found[:limit])
    body = json.dumps(list(key(items[-1]))).encode()
    cursor = base64.urlsafe_b64encode(_mark(path, filters, body) + body).decode().rstrip("=")
    query = {name: value for name, value in filters.items() if value is not None}
    return {"items": items, "next": f"{path}?{urlencode({**query, 'limit': limit, 'cursor': cursor})}"}


def _mark(path: str, filters: Mapping[str, object], body: bytes) -> bytes:
    given = json.dumps([path, sorted((name, str(value)) for name, value in filters.items() if value is not None)])
    return hashlib.sha256(given.encode() + b"\x1f" + body).digest()[:MARK_BYTES]


def _foreign() -> Problem:
    return Problem("invalid-cursor", "The cursor is not of this list with these filters; begin again without it")
