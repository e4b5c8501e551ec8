"""Preorders: what has no stock and is to come gets a date, and keeps its buyer told when that moves.

A line that begins to wait is promised from what supply has left. When a purchase order moves, shrinks or grows, all of
the SKU's supply is dealt anew, first in the queue, first date, and every line whose dates changed says so.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from hub.domain.backorder import Turn
from hub.domain.decision import Decision, DueTask, TaskRequest, Verdict
from hub.domain.events import Fact
from hub.domain.money import decimal_text
from hub.domain.order import OrderLine
from hub.domain.quantity import Bucket
from hub.domain.snapshot import Snapshot
from hub.domain.supply import Arriving, Claim, Place, Share, deal, promisable
from hub.oms.desk.load import Case, open_case
from hub.oms.desk.save import save, tell
from hub.oms.desk.times import instant, instant_text
from hub.oms.ports import Rules
from hub.oms.promise.place import place_of
from hub.oms.promise.promise import MOST
from hub.oms.returns.claims import change_claim, claims_of, redeal_soon, settle_claims
from hub.oms.stock.reserve import UNASSIGNED
from hub.oms.telling.tell import notify, push_order_status, writes

ZERO = Decimal(0)
NOT_BEFORE = "not before "
"""How the turn of demand begins whose item is not released yet."""
REPROMISE = "repromise"
"""Kind of the task that gives the lines of an order the dates that the deal of now has for them."""
DELAYS_TOLD = "delays_told"
"""Where an order keeps, by line, the dates whose delay its buyer was written about."""
DAY = len("2026-12-01")
Row = Mapping[str, Any]


def not_before(case: Case, lines: Sequence[OrderLine]) -> dict[str, dt.datetime]:
    """Line -> the day before which its item may not be sent; only those whose day is to come."""
    known = case.items([line.sku for line in lines if line.sku])
    days = {sku: instant(document.get("available_from")) for sku, document in known.items()}
    return {line.id: day for line in lines if line.sku and (day := days.get(line.sku)) is not None and day > case.now}


def promise_dates(case: Case, lines: Sequence[OrderLine], released: Mapping[str, dt.datetime]) -> None:
    """Give what waits of these lines a date from what supply has left; what has one keeps it. `released`: the day of
    the item's release, which is a date by itself."""
    for line in lines:
        waits = line.ledger.sum((Bucket.BACKORDERED, Bucket.PREORDERED))
        settle_claims(case)
        if waits <= 0 or not line.sku:
            continue
        kept = tuple(Share(one.supply_id, one.quantity, one.due_at) for one in claims_of(case, line))
        missing = waits - sum((share.quantity for share in kept), ZERO)
        supply = _supply(case, line.sku) if missing > 0 else []
        ahead = case.rules.backorders.fairness != "fifo" or case.order.confirmed_at is not None
        if supply and ahead:
            case.decision.tasks.append(redeal_soon(line.sku, case.now))  # it may stand before others who have dates
        left = [_arriving(row, _promisable(row) - row["promised"]) for row in supply]
        fresh = deal([Place(line.id, "", missing)], left)[line.id] if missing > 0 else ()
        _promise(case, line, (*kept, *fresh), waits, released.get(line.id), supply)


def handle_redeal(rules: Rules) -> Callable[[DueTask, Snapshot, dt.datetime], Decision]:
    """The task `redeal_supply`: subject is a SKU; asks each order whose dates the deal of now changes."""
    del rules

    def redeal_supply(task: DueTask, snapshot: Snapshot, now: dt.datetime) -> Decision:
        sku = task.subject
        claims: dict[str, dict[str, Decimal]] = {}
        claimed = snapshot.rows("supply_claims", {"sku": sku}, limit=MOST)
        for claim in claimed:
            if claim["quantity"] > 0 and claim["supply_id"]:
                claims.setdefault(claim["line_id"], {})[claim["supply_id"]] = claim["quantity"]
        dates = {row["id"]: row["expected_at"] for row in snapshot.rows("supply", {"sku": sku})}
        due = {(claim["line_id"], claim["supply_id"]): claim["due_at"] for claim in claimed}
        queue = _queue(snapshot, sku, set(claims))
        dealt = deal([Place(row["line_id"], row["place"], row["quantity"]) for row in queue], _all(snapshot, sku))
        decision = Decision(subject=sku)
        changed: dict[str, None] = {}
        for row in queue:
            line = row["line_id"]
            wanted = {share.supply_id: share.quantity for share in dealt[line]}
            moved = any(due[(line, one)] != dates.get(one) for one in claims.get(line, ()))
            if wanted != claims.get(line, {}) or moved:
                changed[row["order_id"]] = None
        for order_id in changed:
            key = f"{REPROMISE}/{order_id}/{task.id}"
            decision.tasks.append(TaskRequest(REPROMISE, order_id, now, key, {"sku": sku}))
        return decision

    return redeal_supply


def handle_repromise(rules: Rules) -> Callable[[DueTask, Snapshot, dt.datetime], Decision]:
    """The task `repromise`: subject is the order, `sku` of the payload what was dealt anew."""

    def repromise(task: DueTask, snapshot: Snapshot, now: dt.datetime) -> Decision:
        case = open_case(snapshot, rules, now, task.id, task.subject)
        if case is None or not case.acts:
            return Decision(Verdict.IGNORED, message="there is no such order any more")
        sku = str(task.payload["sku"])
        lines = [line for line in case.order.lines if line.sku == sku]
        others = [row for row in _queue(snapshot, sku, set()) if row["order_id"] != case.order.id]
        queue = [Place(row["line_id"], row["place"], row["quantity"]) for row in others]
        waits = {line.id: line.ledger.sum((Bucket.BACKORDERED, Bucket.PREORDERED)) for line in lines}
        queue += [Place(line.id, place_of(case), waits[line.id]) for line in lines if waits[line.id] > 0]
        dealt = deal(queue, _all(snapshot, sku))
        released = not_before(case, lines)
        for line in lines:
            if waits[line.id] > 0:
                _promise(case, line, dealt[line.id], waits[line.id], released.get(line.id), _supply(case, sku))
        return save(case)

    return repromise


def _promise(
    case: Case,
    line: OrderLine,
    shares: Sequence[Share],
    waits: Decimal,
    released: dt.datetime | None,
    supply: Sequence[Row],
) -> None:
    """Make these shares what the line is promised, and tell where that is other than before."""
    before = _dates(claims_of(case, line))
    wanted: dict[str, Share] = {}
    for share in shares:
        known = wanted.get(share.supply_id)
        due = max(share.due_at, released) if released is not None else share.due_at
        units = share.quantity + (known.quantity if known is not None else ZERO)
        wanted[share.supply_id] = Share(share.supply_id, units, due)
    rest = waits - sum((share.quantity for share in wanted.values() if share.supply_id), ZERO)
    wanted.pop("", None)
    if released is not None and rest > 0:
        wanted[""] = Share("", rest, released)
    versions = {row["id"]: row["version"] for row in supply}
    _claim(case, line, wanted, versions)
    promised = sum((share.quantity for share in wanted.values()), ZERO)
    has = line.ledger[Bucket.PREORDERED]
    if promised > has:
        for bucket, part in line.ledger.take((Bucket.BACKORDERED,), promised - has):
            line.ledger.move(bucket, Bucket.PREORDERED, part)
    elif promised < has:
        line.ledger.move(Bucket.PREORDERED, Bucket.BACKORDERED, has - promised)
    case.settled_moves[line.id] = len(line.ledger.moves)
    _tell(case, line, before, _dates(claims_of(case, line)), waits)


def _claim(case: Case, line: OrderLine, wanted: Mapping[str, Share], versions: Mapping[str, int]) -> None:
    assert line.sku
    standing = {claim.supply_id: claim for claim in case.claims if claim.line_id == line.id}
    for supply_id, claim in standing.items():
        if supply_id not in wanted and claim.quantity > 0:
            change_claim(case, claim, ZERO)
    for supply_id, share in wanted.items():
        known = standing.get(supply_id)
        if known is None:
            known = Claim(
                case.new_id("sc", line.id, supply_id), case.order.id, line.id, line.sku, supply_id, ZERO, share.due_at
            )
            case.claims.append(known)
        known.due_at = share.due_at
        change_claim(case, known, share.quantity, versions.get(supply_id))


def _tell(
    case: Case, line: OrderLine, before: Mapping[str, Decimal], now: Mapping[str, Decimal], waits: Decimal
) -> None:
    if before == now:
        return
    if not before:
        tell(case, Fact.LINE_PROMISED, f"{line.id}/{case.cause}", line=line.id, sku=line.sku or "", now=_words(now))
        return
    said = {"line": line.id, "sku": line.sku or "", "before": _words(before), "now": _words(now) or "no date"}
    tell(case, Fact.PROMISE_CHANGED, f"{line.id}/{case.cause}", **said)
    key = f"{line.id}/{case.cause}"
    data = {"promised_at": max(now)} if now and sum(now.values(), ZERO) >= waits else {}
    push_order_status(case, "promise_moved", key, [(line, waits)], **data)
    if _by_the_day(before) == _by_the_day(now):
        return  # buyers are told days
    if _later(before, now, waits) and writes(case, "delayed"):
        _tell_delay(case, line, waits, data)
        return
    shown = {"sku": line.sku or "", "line": str(line.number), "before": said["before"], "now": said["now"], **data}
    notify(case, "promise_moved", key, **shown)


def _tell_delay(case: Case, line: OrderLine, waits: Decimal, data: Mapping[str, str]) -> None:
    """Once a new date, however often supply moves there and back."""
    day = data.get("promised_at", "no date")[:DAY]
    known = case.order.facts.get(DELAYS_TOLD, {})
    if day in known.get(line.id, ()):
        return
    case.order.facts = {**case.order.facts, DELAYS_TOLD: {**known, line.id: [*known.get(line.id, ()), day]}}
    notify(case, "delayed", f"{line.id}/{day}", [(line, waits)], **data)


def _by_the_day(dates: Mapping[str, Decimal]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for at, units in dates.items():
        found[at[:DAY]] = found.get(at[:DAY], ZERO) + units
    return found


def _later(before: Mapping[str, Decimal], now: Mapping[str, Decimal], waits: Decimal) -> bool:
    """The last of it comes on a later day than was said, or nobody knows any more when."""
    if sum(now.values(), ZERO) < min(waits, sum(before.values(), ZERO)):
        return True
    return max(now)[:DAY] > max(before)[:DAY]


def _words(dates: Mapping[str, Decimal]) -> str:
    """ "3 by 2026-12-01T08:00:00Z, 2 by ..."; "" without a date."""
    return ", ".join(f"{decimal_text(units)} by {day}" for day, units in sorted(dates.items()))


def _dates(claims: Sequence[Claim]) -> dict[str, Decimal]:
    """Day -> units promised by then."""
    found: dict[str, Decimal] = {}
    for claim in claims:
        day = instant_text(claim.due_at)
        found[day] = found.get(day, ZERO) + claim.quantity
    return found


def _queue(snapshot: Snapshot, sku: str, promised: set[str]) -> list[dict[str, Any]]:
    """Who is dealt to: all who wait but what is held, unless it was promised something."""
    rows = snapshot.rows("reservations", {**UNASSIGNED, "sku": sku}, order_by=("place", "id"), limit=MOST)
    return [row for row in rows if row["turn"] != Turn.HELD or row["line_id"] in promised or _by_day(row)]


def _by_day(row: Row) -> bool:
    """Held by nothing but its item's day of release: it is promised supply as everybody."""
    return str(row["why"]).startswith(NOT_BEFORE)


def _all(snapshot: Snapshot, sku: str) -> list[Arriving]:
    rows = snapshot.rows("supply", {"sku": sku, "status": ("open", "closed")}, order_by=("expected_at", "id"))
    return [_arriving(row, _promisable(row)) for row in rows]


def _supply(case: Case, sku: str) -> list[dict[str, Any]]:
    where = {"sku": sku, "status": ("open", "closed")}
    return case.snapshot.rows("supply", where, order_by=("expected_at", "id"))


def _promisable(row: Row) -> Decimal:
    return promisable(row["quantity"], row["received"], row["fulfilled"], row["status"])


def _arriving(row: Row, units: Decimal) -> Arriving:
    return Arriving(row["id"], row["reference"], row["location"], row["expected_at"], max(ZERO, units))
