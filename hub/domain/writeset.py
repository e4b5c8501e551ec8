"""A write set: everything one message or task decides, as rows and preconditions, applied together or not at all.

Pure data. Domain code and use cases build it on a read snapshot; the store applies up to 50 of them in one
transaction, each in a savepoint of its own. Values are Python values (Decimal, aware datetime, str, int, bool, bytes,
or a JSON-able tree for JSON columns); the store's column types turn them into what the database keeps.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Insert:
    """Add a row. `claim` makes it a precondition: if a row of the same unique key stands, the write set conflicts.

    `ignore` makes an existing row of the same unique key a silent no-op (events, journals with derived ids).
    """

    table: str
    row: Row
    claim: bool = False
    ignore: bool = False


@dataclass(frozen=True, slots=True)
class Update:
    """Change the rows whose columns equal `where`. `expect` (default one row) is the precondition; None = any number.

    A value in `where` may be a tuple: the column must be one of them. `add` increments numeric columns.
    """

    table: str
    where: Row
    values: Row = field(default_factory=dict)
    add: Row = field(default_factory=dict)
    expect: int | None = 1


@dataclass(frozen=True, slots=True)
class Delete:
    table: str
    where: Row
    expect: int | None = None


@dataclass(frozen=True, slots=True)
class StockChange:
    """Change the counters of one (sku, location) row of `stock`.

    All counters are added. `quarantine`, `damaged` and `in_transit` hold goods beside `on_hand` that nobody can be
    promised; they never go below zero (a conflict). With `reserve=True` the change needs `on_hand - soft - firm -
    safety >= soft + firm added` beforehand (never oversold) and changes no goods beside `on_hand`; otherwise it is
    unconditional except that counters of reservations never go below zero (a conflict). A missing row is created by
    unconditional changes and refuses a reserve.
    """

    sku: str
    location: str
    soft: Decimal = Decimal(0)
    firm: Decimal = Decimal(0)
    on_hand: Decimal = Decimal(0)
    quarantine: Decimal = Decimal(0)
    damaged: Decimal = Decimal(0)
    in_transit: Decimal = Decimal(0)
    safety: Decimal = Decimal(0)
    reserve: bool = False


@dataclass(frozen=True, slots=True)
class Wake:
    """Messages that wait for one of `subjects` are due at `due_at`: also those that began to wait after this was
    computed, as long as they had committed before this is. No precondition."""

    subjects: tuple[str, ...]
    due_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Await:
    """Something begins to wait for `subject`. This set and one that wakes the same subject are never open side by side:
    whichever comes later finds what the other committed. Nothing is written."""

    subject: str


Operation = Insert | Update | Delete | StockChange | Wake | Await


@dataclass(slots=True)
class WriteSet:
    """Operations of one decision. Order matters only within one table: preconditions run before plain inserts."""

    operations: list[Operation] = field(default_factory=list)

    def insert(self, table: str, row: Row, *, claim: bool = False, ignore: bool = False) -> None:
        self.operations.append(Insert(table, row, claim, ignore))

    def update(self, table: str, where: Row, values: Row, *, expect: int | None = 1) -> None:
        self.operations.append(Update(table, where, values, {}, expect))

    def stock(self, change: StockChange) -> None:
        self.operations.append(change)

    def wake(self, subjects: Iterable[str], due_at: dt.datetime) -> None:
        """Nothing, where there are no subjects."""
        named = tuple(sorted(set(subjects)))
        if named:
            self.operations.append(Wake(named, due_at))

    def extend(self, other: WriteSet) -> None:
        self.operations.extend(other.operations)


class Applied(enum.StrEnum):
    """What became of one write set of a batch. CONFLICT: a precondition failed, recompute this one."""

    APPLIED = "applied"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Outcome:
    applied: Applied
    failed: str = ""
