"""Control numbers of what goes out: taken in the write set of the delivery that carries them, so never twice and never
lost. A number is used when its delivery is committed; one that was only tried leaves no gap."""

from __future__ import annotations

import datetime as dt
import weakref
from dataclasses import dataclass
from typing import Any

from hub.domain.snapshot import Snapshot
from hub.domain.writeset import WriteSet

HIGHEST = 999_999_999
"""ISA13 has nine digits, GS06 and ST02 at most nine; after it they begin again at 1 (X12.6)."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """Of one interchange with one group with one set."""

    interchange: int
    functional_group: int
    transaction_set: int


_NONE = Numbers(0, 0, 0)
_taken: weakref.WeakKeyDictionary[Any, dict[str, Numbers]] = weakref.WeakKeyDictionary()
"""Numbers taken on a snapshot by decisions that are not committed yet. The next decision on it goes on behind them; the
store applies both in order, and where the first fails the second's precondition fails too."""


def take(snapshot: Snapshot, partner: str, now: dt.datetime) -> tuple[Numbers, WriteSet]:
    """The next numbers, and the rows that make them taken; two that take the same conflict, and one decides anew."""
    mine = _taken.setdefault(snapshot, {})
    writes = WriteSet()
    last = mine.get(partner)
    fresh = False
    if last is None:
        row = snapshot.row("edi_counters", {"partner": partner})
        fresh = row is None
        last = _NONE if row is None else Numbers(row["interchange"], row["functional_group"], row["transaction_set"])
    taken = Numbers(*(value % HIGHEST + 1 for value in _values(last)))
    row_now = {**_columns(taken), "updated_at": now}
    if fresh:
        writes.insert("edi_counters", {"partner": partner, **row_now}, claim=True)
    else:
        writes.update("edi_counters", {"partner": partner, **_columns(last)}, row_now)
    mine[partner] = taken
    return taken, writes


def _values(numbers: Numbers) -> tuple[int, int, int]:
    return numbers.interchange, numbers.functional_group, numbers.transaction_set


def _columns(numbers: Numbers) -> dict[str, int]:
    return {
        "interchange": numbers.interchange,
        "functional_group": numbers.functional_group,
        "transaction_set": numbers.transaction_set,
    }


def skip(snapshot: Snapshot, partner: str, connection: str, count: int, reason: str, now: dt.datetime) -> WriteSet:
    """Jump over numbers (after a restore, or because the partner has seen them): each is recorded as void."""
    writes = WriteSet()
    for _ in range(count):
        taken, rows = take(snapshot, partner, now)
        writes.extend(rows)
        writes.insert("edi_documents", document_row(partner, connection, "", taken, "", now, void=reason))
    return writes


def document_row(
    partner: str,
    connection: str,
    document: str,
    numbers: Numbers,
    delivery_id: str,
    now: dt.datetime,
    *,
    void: str = "",
) -> dict[str, Any]:
    """What a control number was used for; `void` says why it was not."""
    return {
        "id": f"{partner}/{numbers.interchange:09d}/{delivery_id or 'void'}",
        "partner": partner,
        "connection": connection,
        "document": document,
        **_columns(numbers),
        "delivery_id": delivery_id,
        "state": "void" if void else "frozen",
        "reason": void or None,
        "created_at": now,
    }
