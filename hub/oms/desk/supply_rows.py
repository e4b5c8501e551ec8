"""Claims on supply as rows of the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.domain.supply import Claim

Row = dict[str, Any]


def claim_row(claim: Claim) -> Row:
    return {name: getattr(claim, name) for name in Claim.__dataclass_fields__}


def claim_from(row: Mapping[str, Any]) -> Claim:
    return Claim(**{name: row[name] for name in Claim.__dataclass_fields__})
