"""The queue of those who wait for goods: who is first, by the declared fairness."""

from __future__ import annotations

import datetime as dt
import enum
from decimal import Decimal

LAST_RANK = 1000
"""Of an order that no rank of the policy names."""
_LARGEST = Decimal(10) ** 12
_NEVER = dt.datetime.max.replace(tzinfo=dt.UTC)


class Fairness(enum.StrEnum):
    """fifo: who ordered first. promised_date: what is due first. value: the order worth more. priority: by rank."""

    FIFO = "fifo"
    PROMISED_DATE = "promised_date"
    VALUE = "value"
    PRIORITY = "priority"


class Turn(enum.StrEnum):
    """Where demand stands in the queue. WAITS: nobody behind it gets what it could have. PASSED: it could not use what
    there was, and says why. HELD: it may not have goods now."""

    WAITS = "waits"
    PASSED = "passed"
    HELD = "held"


def place_in_queue(
    fairness: Fairness,
    ordered_at: dt.datetime,
    captured_at: dt.datetime,
    order_id: str,
    *,
    due: dt.datetime | None = None,
    value: Decimal | None = None,
    rank: int = LAST_RANK,
) -> str:
    """Text that sorts by the declared fairness, then by who ordered first. `value` is in the order's own currency."""
    first = ""
    match fairness:
        case Fairness.PROMISED_DATE:
            first = _text(due if due is not None else _NEVER)
        case Fairness.VALUE:
            first = f"{_LARGEST - max(Decimal(0), min(value or Decimal(0), _LARGEST)):022.6f}"
        case Fairness.PRIORITY:
            first = f"{rank:04d}"
        case Fairness.FIFO:
            first = ""
    return "|".join((first, _text(ordered_at), _text(captured_at), order_id))


def _text(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
