"""What operations answer with, and how it is written: exact JSON, decimals and times as text."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is a tree to be written as JSON, or bytes as they are."""

    body: object
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"

    def bytes(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else to_json(self.body)


def to_json(tree: object) -> bytes:
    """Text that no UTF-8 can hold is replaced; a float is a defect."""
    return json.dumps(tree, default=plain, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


def plain(value: object) -> Any:
    """Decimal without exponent and superfluous zeros; instants as RFC 3339 in UTC."""
    if isinstance(value, Decimal):
        return format(value.normalize() if value else Decimal(0), "f")
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    raise TypeError(f"{type(value).__name__} has no JSON form")
