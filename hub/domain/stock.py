"""Balance of a stock row: the latest snapshot, and movements after it.

A movement older than the snapshot is inside it, one of the same time too; a sequence number beats time. A source that
has neither sequence nor trustworthy clocks declares a `clock_skew`: inside it the case is an exception, not a guess.
"""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass
from decimal import Decimal

ZERO = Decimal(0)


class Means(enum.StrEnum):
    """What a snapshot already excludes: reservations of that stage are then not subtracted a second time."""

    ON_HAND = "on_hand"
    NET_OF_ACKNOWLEDGED = "net_of_acknowledged"
    NET_OF_PICKED = "net_of_picked"


@dataclass(frozen=True, slots=True)
class Mark:
    """When a statement about stock was true. `sequence` is the source's own counter, where it has one."""

    at: dt.datetime
    sequence: str | None = None


class Order(enum.StrEnum):
    BEFORE = "before"
    AFTER = "after"
    UNCLEAR = "unclear"


AHEAD = dt.timedelta(days=1)
"""No clock is further ahead; a day's difference is a zone or a year that was read wrongly."""


def not_yet(at: dt.datetime, heard_at: dt.datetime) -> bool:
    """A time that cannot be when something happened: it was heard of long before. Believed, a count of that day would
    outrank every other one until then."""
    return at > heard_at + AHEAD


def relation(statement: Mark, snapshot: Mark | None, skew: dt.timedelta = dt.timedelta(0)) -> Order:
    """Whether a statement is BEFORE (inside) the snapshot, AFTER it, or UNCLEAR within the declared clock skew."""
    if snapshot is None:
        return Order.AFTER
    if statement.sequence is not None and snapshot.sequence is not None:
        return Order.AFTER if sequence_key(statement.sequence) > sequence_key(snapshot.sequence) else Order.BEFORE
    if skew and abs(statement.at - snapshot.at) <= skew:
        return Order.UNCLEAR
    return Order.AFTER if statement.at > snapshot.at else Order.BEFORE


def later(one: Mark | None, other: Mark | None) -> Mark | None:
    """The newer of two statements; None stands for none."""
    if one is None or other is None:
        return other if one is None else one
    return one if relation(one, other) is Order.AFTER else other


def sequence_key(sequence: str) -> tuple[int, str]:
    """Counters compare as numbers where they are numbers ("9" before "10"), else as text."""
    return (len(sequence.lstrip("0")), sequence.lstrip("0")) if sequence.isdigit() else (len(sequence), sequence)


def movement_effect(delta: Decimal, movement: Mark, snapshot: Mark | None) -> Decimal:
    """What a movement changes on hand: its delta after the snapshot, nothing when the snapshot has it already."""
    return delta if relation(movement, snapshot) is not Order.BEFORE else ZERO


def on_hand_from_snapshot(stated: Decimal, held_outside: Decimal) -> Decimal:
    """On hand as the hub counts it: what the source states plus the reservations its number already excludes.

    `held_outside` is the quantity of live reservations in the stages that `Means` names, so that subtracting all
    reservations later does not subtract those twice.
    """
    return stated + held_outside
