"""Correcting stock by hand, and what lies behind a promise."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from hub.actions.once import Once
from hub.domain.decision import Decision, Verdict
from hub.domain.snapshot import Snapshot
from hub.domain.writeset import WriteSet
from hub.exchange.decisions import Writer
from hub.exchange.exceptions import audit
from hub.exchange.verbs import Refused
from hub.oms.people import adjust_stock
from hub.oms.promise.availability import explain_availability
from hub.runtime.hub import Hub
from hub.runtime.levels import CannotCompare
from hub.sdk.errors import CallFailed, TransportError


def adjust_to(hub: Hub, who: str, sku: str, location: str, quantity: str, reason: str) -> dict[str, Any]:
    """Make what is on hand this much: the difference to what is known now, refused where that changes meanwhile."""
    wanted = _amount(quantity)
    with hub.store.read() as snapshot:
        row = snapshot.row("stock", {"sku": sku, "location": location})
    known = row["on_hand"] if row is not None else Decimal(0)
    if wanted == known:
        raise Refused(f"{sku} at {location} has {format(known, 'f')} on hand already")
    return adjust(hub, who, sku, location, format(wanted - known, "f"), reason, expected=known)


def adjust(
    hub: Hub,
    who: str,
    sku: str,
    location: str,
    delta: str,
    reason: str,
    once: Once | None = None,
    expected: Decimal | None = None,
) -> dict[str, Any]:
    """Change what is on hand by a difference; the location's next count takes over again.

    `expected`: only while this much is on hand.
    """
    amount = _amount(delta)
    if not sku or "\x00" in sku:
        raise Refused("an adjustment needs a SKU")
    cause = hub.ids.new("ac", hub.clock.now())
    answer: dict[str, Any] = {
        "sku": sku,
        "location": location,
        "delta": format(amount, "f"),
        "message": f"{sku} at {location}: on hand changed by {format(amount, 'f')}",
    }

    def decide(snapshot: Snapshot, now: dt.datetime) -> Decision:
        old = once.look(snapshot, now) if once else False
        row = snapshot.row("stock", {"sku": sku, "location": location}) if expected is not None else None
        if row is not None and row["on_hand"] != expected:
            raise Refused(f"{sku} at {location} has changed meanwhile; look again")
        decision = adjust_stock(snapshot, hub.rules, now, cause, sku, location, amount, who, reason)
        if decision.verdict is Verdict.APPLIED:
            audit(decision.writes, "inventory.adjust", f"{sku}@{location}", who, reason, now, {"delta": str(amount)})
            if once:
                once.keep(decision.writes, answer, now, old=old)
        return decision

    decision = hub.commit_decision(decide, cause)
    if decision.verdict is not Verdict.APPLIED:
        raise Refused(decision.message)
    return answer


def explain(hub: Hub, who: str, sku: str, channel: str | None = None, at: str | None = None) -> dict[str, Any]:
    """What channels may sell of a SKU, term by term; `at` is a day or a time until which supply counts."""
    del who
    try:
        until = _until(at) if at else None
        with hub.store.read() as snapshot:
            found = explain_availability(snapshot, hub.rules, sku, hub.clock.now(), channel, until)
    except LookupError as error:
        raise Refused(str(error.args[0])) from error
    if found is None:
        raise Refused(f"Nothing is known of {sku}: neither an item nor stock, supply or demand")
    return found


def reconcile(hub: Hub, who: str, connection: str) -> dict[str, Any]:
    """Compare what a channel shows with what it may sell; what differs is told anew."""
    cause = hub.ids.new("ac", hub.clock.now())

    def asked(writer: Writer) -> WriteSet:
        writes = WriteSet()
        audit(writes, "inventory.reconcile", connection, who, "", writer.now)
        return writes

    try:
        found = hub.levels.compare(connection, cause)
    except CannotCompare as error:
        raise Refused(str(error)) from error
    except (CallFailed, TransportError) as error:
        raise Refused(f"{connection} did not tell what it shows: {error}") from error
    hub.commit(asked, cause)
    hub.store.wake()
    return found


def _until(text: str) -> dt.datetime:
    """The end of a day (2026-12-24, UTC), or a time with its zone. Raises LookupError."""
    try:
        if len(text) == DAY:
            return dt.datetime.combine(dt.date.fromisoformat(text), dt.time.max, tzinfo=dt.UTC)
        at = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise LookupError(f"{text!r} is neither a day such as 2026-12-24 nor a time of RFC 3339") from error
    if at.tzinfo is None:
        raise LookupError(f"{text!r} has no zone; write 2026-12-24T12:00:00Z")
    return at.astimezone(dt.UTC)


def _amount(text: str) -> Decimal:
    """Raises Refused."""
    amount = Decimal(text)
    if abs(amount) >= MOST or amount != round(amount, 6):
        raise Refused("an adjustment has at most 9 digits before the point and 6 after it")
    return amount


MOST = Decimal(10) ** 9
DAY = len("2026-12-24")
