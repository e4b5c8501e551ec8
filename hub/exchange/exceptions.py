"""Exceptions: what needs a person, one open row per cause, with every subject it touches (docs: exceptions).

Raising counts up the open row of the cause or opens one; clearing takes one subject off, and the last one resolves it.
All guard the row they read, so that two at once never lose a subject: the loser recomputes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from hub.domain.decision import ExceptionClear, ExceptionRequest
from hub.domain.ids import derived_id
from hub.domain.masking import masked
from hub.domain.snapshot import Snapshot
from hub.domain.writeset import Insert, Update, WriteSet

Row = dict[str, Any]

ITSELF = " EXCEPTION"
"""How the hint of an exception names it; its id is known only once it is raised."""


def raise_rows(
    writes: WriteSet, snapshot: Snapshot, requests: Sequence[ExceptionRequest], cause: str, now: dt.datetime
) -> None:
    """Add the rows that raise `requests`. `cause` is the id of the message, task or delivery that asks."""
    if not requests:
        return
    by_cause: dict[str, list[ExceptionRequest]] = {}
    for request in requests:
        by_cause.setdefault(request.cause_key, []).append(request)
    opened = {
        row["cause_key"]: row
        for row in snapshot.rows("exceptions", {"cause_key": tuple(sorted(by_cause)), "state": "open"})
    }
    for cause_key, group in by_cause.items():
        first, known = group[0], opened.get(cause_key)
        if known is not None:
            exception_id = str(known["id"])
            writes.operations.append(
                Update(
                    "exceptions",
                    {"id": exception_id, "state": "open"},
                    {"detail": first.detail, "updated_at": later(known["updated_at"], now)},
                    {"count": len(group)},
                )
            )
        else:
            exception_id = derived_id("ex", cause_key, cause, now.isoformat())
            writes.insert("exceptions", _row(exception_id, first, len(group), now), claim=True)
        _subject_rows(writes, snapshot, exception_id, group, now, known is not None)


def later(seen: dt.datetime, now: dt.datetime) -> dt.datetime:
    """A time that differs from the one seen, so that it can serve as the row's version."""
    return max(now, seen + dt.timedelta(microseconds=1))


def _row(exception_id: str, request: ExceptionRequest, count: int, now: dt.datetime) -> Row:
    return {
        "id": exception_id,
        "cause_key": request.cause_key,
        "kind": request.kind,
        "connection": request.connection,
        "title": request.title,
        "detail": request.detail,
        "next_step": request.next_step,
        "hint": request.hint.replace(ITSELF, f" {exception_id}"),
        "owner": request.owner,
        "state": "open",
        "count": count,
        "raised_at": now,
        "updated_at": now,
    }


def _subject_rows(
    writes: WriteSet,
    snapshot: Snapshot,
    exception_id: str,
    group: Iterable[ExceptionRequest],
    now: dt.datetime,
    known: bool,
) -> None:
    subjects = {(request.subject_kind, request.subject_id): request for request in group}
    standing: dict[tuple[str, str], Row] = {}
    if known:
        ids = tuple(sorted({subject_id for _, subject_id in subjects}))
        found = snapshot.rows("exception_subjects", {"exception_id": exception_id, "subject_id": ids})
        standing = {(row["subject_kind"], row["subject_id"]): row for row in found}
    for (kind, subject_id), request in subjects.items():
        key = {"exception_id": exception_id, "subject_kind": kind, "subject_id": subject_id}
        before = standing.get((kind, subject_id))
        if before is None:
            writes.insert(
                "exception_subjects",
                {**key, "order_id": request.order_id, "added_at": now, "cleared_at": None},
                ignore=True,
            )
        elif before["cleared_at"] is not None:
            writes.update("exception_subjects", key, {"cleared_at": None}, expect=None)


def clear_rows(
    writes: WriteSet,
    snapshot: Snapshot,
    clears: Sequence[ExceptionClear],
    now: dt.datetime,
    raised: Sequence[ExceptionRequest] = (),
) -> None:
    """Add the rows that take subjects off open exceptions; `cause_key` "" means every cause, one
    that ends in "/" all that begin so.

    `raised` is what the same write set raises: those stay open, and what it raises is not cleared again.
    """
    again = {(request.cause_key, request.subject_kind, request.subject_id) for request in raised}
    for kind in sorted({clear.subject_kind for clear in clears}):
        group = [clear for clear in clears if clear.subject_kind == kind]
        _clear_kind(writes, snapshot, kind, group, now, again)


def _clear_kind(
    writes: WriteSet,
    snapshot: Snapshot,
    kind: str,
    clears: Sequence[ExceptionClear],
    now: dt.datetime,
    again: set[tuple[str, str, str]],
) -> None:
    subjects = snapshot.rows(
        "exception_subjects",
        {
            "subject_kind": kind,
            "subject_id": tuple(sorted({clear.subject_id for clear in clears})),
            "cleared_at": None,
        },
    )
    if not subjects:
        return
    exceptions = snapshot.rows(
        "exceptions", {"id": tuple(sorted({row["exception_id"] for row in subjects})), "state": "open"}
    )
    for row in exceptions:
        cleared = {
            subject["subject_id"]: clear.by
            for subject in subjects
            for clear in clears
            if subject["exception_id"] == row["id"]
            and subject["subject_id"] == clear.subject_id
            and _means(clear.cause_key, row["cause_key"])
            and (row["cause_key"], kind, clear.subject_id) not in again
        }
        if cleared and any(cause_key == row["cause_key"] for cause_key, _, _ in again):
            _take_off(writes, row, kind, cleared, now)
        elif cleared:
            _clear_of_one(writes, snapshot, row, kind, cleared, now)


def _means(said: str, cause_key: str) -> bool:
    return cause_key.startswith(said) if not said or said.endswith("/") else cause_key == said


def _take_off(writes: WriteSet, row: Row, kind: str, subject_ids: Iterable[str], now: dt.datetime) -> None:
    for subject_id in subject_ids:
        key = {"exception_id": row["id"], "subject_kind": kind, "subject_id": subject_id}
        writes.update("exception_subjects", key, {"cleared_at": now}, expect=None)


def _clear_of_one(
    writes: WriteSet, snapshot: Snapshot, row: Row, kind: str, cleared: dict[str, str], now: dt.datetime
) -> None:
    left = snapshot.rows("exception_subjects", {"exception_id": row["id"], "cleared_at": None}, limit=len(cleared) + 1)
    _take_off(writes, row, kind, cleared, now)
    values: Row = {"updated_at": later(row["updated_at"], now)}
    if all(entry["subject_kind"] == kind and entry["subject_id"] in cleared for entry in left):
        by = next(iter(cleared.values()))
        values |= {"state": "resolved", "resolved_at": now, "resolved_by": by}
    # The guard: whoever raised or cleared in between has moved updated_at, and this one recomputes.
    writes.update("exceptions", {"id": row["id"], "state": "open", "updated_at": row["updated_at"]}, values)


def resolve(snapshot: Snapshot, exception_id: str, who: str, reason: str, now: dt.datetime) -> WriteSet:
    """A person says it is done, whatever its subjects. No rows where it is not open."""
    writes = WriteSet()
    row = snapshot.row("exceptions", {"id": exception_id})
    if row is None or row["state"] != "open":
        return writes
    writes.update(
        "exception_subjects", {"exception_id": exception_id, "cleared_at": None}, {"cleared_at": now}, expect=None
    )
    writes.update(
        "exceptions",
        {"id": exception_id, "state": "open"},
        {"state": "resolved", "resolved_at": now, "resolved_by": who, "updated_at": later(row["updated_at"], now)},
    )
    audit(writes, "exceptions.resolve", exception_id, who, reason, now)
    return writes


def assign(snapshot: Snapshot, exception_id: str, owner: str, who: str, now: dt.datetime) -> WriteSet:
    """Give an open exception to somebody else. No rows where it is not open."""
    writes = WriteSet()
    row = snapshot.row("exceptions", {"id": exception_id})
    if row is None or row["state"] != "open":
        return writes
    writes.update(
        "exceptions",
        {"id": exception_id, "state": "open"},
        {"owner": owner, "updated_at": later(row["updated_at"], now)},
    )
    audit(writes, "exceptions.assign", exception_id, who, "", now, {"from": row["owner"], "to": owner})
    return writes


def audit(
    writes: WriteSet, action: str, subject: str, who: str, reason: str, now: dt.datetime, data: Row | None = None
) -> None:
    """One audit row; `data` holds ids and masked values only."""
    said = masked(reason)
    row = {"at": now, "who": who, "action": action, "subject": subject, "reason": said, "data": data or {}}
    identity = derived_id("au", action, subject, who, reason, now.isoformat())
    writes.operations.append(Insert("audit", {"id": identity, **row}, ignore=True))
