"""Holding, releasing, editing and cancelling an order by hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from hub.config.units import UnitError, parse_duration
from hub.domain.change import Addition, Edit, LineEdit
from hub.domain.decision import Decision, Verdict
from hub.domain.masking import masked, private_texts
from hub.domain.money import decimal_text
from hub.domain.snapshot import Snapshot
from hub.domain.validation import HoldKind
from hub.exchange.exceptions import audit
from hub.exchange.verbs import Refused
from hub.mapping.schemas import schema, validate
from hub.oms.change.cancel_by_hand import LineAnswer, cancel_lines
from hub.oms.change.changes import change_id_of, edit_order
from hub.oms.desk.times import instant_text
from hub.oms.intake.hold_box import RELEASE, THEN
from hub.oms.people import hold_order, release_order
from hub.oms.ports import Rules
from hub.oms.sourcing.reroute import reroute_order, what_if
from hub.runtime.hub import Hub

LARGEST = Decimal(10) ** 9
MOST_MORE_SHIPMENTS = 20


class Changed(Refused):
    """The order is not any more at the version that the person looked at."""


def _find(snapshot: Snapshot, reference: str) -> str:
    found = {str(row["id"]) for row in snapshot.rows("orders", {"id": reference})}
    for column in ("number", "external_id"):
        found |= {str(row["id"]) for row in snapshot.rows("orders", {column: (reference, f"#{reference}")}, limit=20)}
    if not found:
        raise Refused(f"There is no order {reference!r}")
    if len(found) > 1:
        raise Refused(f"{reference!r} fits several orders: {', '.join(sorted(found))}")
    return found.pop()


def found(hub: Hub, reference: str) -> str:
    """The id of the order that a person means. Raises Refused."""
    with hub.store.read() as snapshot:
        return _find(snapshot, reference)


Verb = Callable[[Snapshot, Rules, dt.datetime, str, str, str, str], Decision]


def _do(
    hub: Hub, action: str, verb: Verb, who: str, reference: str, reason: str, version: int | None, words: str
) -> dict[str, Any]:
    """`version`: only while the order is at this one. Raises Refused, Changed."""
    with hub.store.read() as snapshot:
        order = _find(snapshot, reference)
    cause = hub.ids.new("ac", hub.clock.now())

    def decide(snapshot: Snapshot, now: dt.datetime) -> Decision:
        row = snapshot.row("orders", {"id": order}) if version is not None else None
        if row is not None and row["version"] != version:
            raise Changed(f"{order} is at version {row['version']} by now, not {version}")
        decision = verb(snapshot, hub.rules, now, cause, order, who, reason)
        if decision.verdict is Verdict.APPLIED:
            contacts = snapshot.rows("contacts", {"order_id": order})
            said = masked(reason, private_texts(row["data"] for row in contacts))
            audit(decision.writes, f"orders.{action}", order, who, said, now)
        return decision

    decision = hub.commit_decision(decide, cause)
    if decision.verdict is not Verdict.APPLIED:
        raise Refused(decision.message or f"{order} cannot be changed so")
    return {"order": order, "cause": cause, "message": f"{order}: {decision.message or words}"}


def hold(
    hub: Hub,
    who: str,
    reference: str,
    reason: str,
    version: int | None = None,
    kind: str = HoldKind.MANUAL.value,
    until: str | None = None,
    then: str = RELEASE,
) -> dict[str, Any]:
    """`until`: a time (RFC 3339) or a duration from now ("2h"), after which `then` happens."""
    if kind not in PLACED:
        raise Refused(f"there is no hold of the kind {kind!r} for a person to place; {', '.join(PLACED)}")
    if then not in THEN:
        raise Refused(f"{then!r} is none of {', '.join(THEN)}")
    at = _until(until, hub.clock.now())

    def verb(
        snapshot: Snapshot, rules: Rules, now: dt.datetime, cause: str, order: str, who: str, reason: str
    ) -> Decision:
        return hold_order(snapshot, rules, now, cause, order, who, reason, kind, at, then)

    words = "is held; nothing more of it is sent"
    if at is not None:
        words += f"; at {instant_text(at.replace(microsecond=0))}: {THEN[then]}"
    return _without_cause(_do(hub, "hold", verb, who, reference, reason, version, words))


PLACED = tuple(kind.value for kind in HoldKind if kind != HoldKind.STOCK)


def _until(said: str | None, now: dt.datetime) -> dt.datetime | None:
    if said is None:
        return None
    try:
        return now + parse_duration(said)
    except UnitError:
        pass
    try:
        at = dt.datetime.fromisoformat(said)
    except ValueError as error:
        raise Refused(f"{said!r} is no time (2026-11-24T12:00:00Z) and no duration (2h)") from error
    if at.tzinfo is None:
        raise Refused(f"{said!r} names no zone; write Z or an offset")
    return at.astimezone(dt.UTC)


def reroute(
    hub: Hub,
    who: str,
    reference: str,
    reason: str,
    version: int | None = None,
    leaving: str = "",
    more_shipments: int = 0,
) -> dict[str, Any]:
    """`leaving`: only what this location has; else what any has. `more_shipments`: nothing is asked back, what waits
    may go in so many shipments more than its strategy allows."""
    if not 0 <= more_shipments <= MOST_MORE_SHIPMENTS:
        raise Refused(f"more_shipments is 1 to {MOST_MORE_SHIPMENTS}")

    def verb(
        snapshot: Snapshot, rules: Rules, now: dt.datetime, cause: str, order: str, who: str, reason: str
    ) -> Decision:
        return reroute_order(snapshot, rules, now, cause, order, who, reason, leaving, more_shipments)

    return _without_cause(_do(hub, "reroute", verb, who, reference, reason, version, "is sourced anew"))


def where_else(hub: Hub, who: str, reference: str, leaving: str = "") -> dict[str, Any]:
    """What rerouting would come to, as it stands now; changes nothing, so `who` is not noted."""
    with hub.store.read() as snapshot:
        found = what_if(snapshot, hub.rules, hub.clock.now(), _find(snapshot, reference), leaving)
    assert found is not None, "it was found a moment ago"
    return found


def release(
    hub: Hub, who: str, reference: str, reason: str, version: int | None = None, kind: str | None = None
) -> dict[str, Any]:
    def verb(
        snapshot: Snapshot, rules: Rules, now: dt.datetime, cause: str, order: str, who: str, reason: str
    ) -> Decision:
        return release_order(snapshot, rules, now, cause, order, who, reason, kind)

    return _without_cause(_do(hub, "release", verb, who, reference, reason, version, "goes on"))


def cancel(
    hub: Hub,
    who: str,
    reference: str,
    reason: str,
    version: int | None = None,
    lines: Sequence[Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """`lines` are {line, quantity}; without them the whole order. Says for each line what became of it."""
    told: list[dict[str, Any]] = []
    wanted = [(str(one["line"]), _number(one["quantity"], "quantity")) for one in lines or ()]

    def verb(
        snapshot: Snapshot, rules: Rules, now: dt.datetime, cause: str, order: str, who: str, reason: str
    ) -> Decision:
        decision, answers = cancel_lines(snapshot, rules, now, cause, order, who, reason, wanted)
        told[:] = [_told(answer) for answer in answers]
        return decision

    done = _do(hub, "cancel", verb, who, reference, reason, version, "is being cancelled")
    return {**_without_cause(done), "lines": told}


def _told(answer: LineAnswer) -> dict[str, Any]:
    quantities = ("cancelled", "asked", "kept", "left")
    said = {name: decimal_text(getattr(answer, name)) for name in quantities}
    return {"line": answer.line.number, "sku": answer.line.sku or "", **said}


def edit(
    hub: Hub,
    who: str,
    reference: str,
    reason: str,
    version: int,
    lines: Sequence[Mapping[str, Any]] = (),
    add: Sequence[Mapping[str, Any]] = (),
    ship_to: Mapping[str, Any] | None = None,
    whole_address: bool = False,
    as_channel: bool = False,
) -> dict[str, Any]:
    """Change an order that is at `version`: quantities of `lines` (line, quantity), further lines to `add` (sku,
    quantity, unit_price, title), parts of the address. Raises Refused, Changed where somebody was faster."""
    wanted = Edit(
        lines=[LineEdit(str(one["line"]), _number(one["quantity"], "quantity")) for one in lines],
        additions=[
            Addition(
                str(one["sku"]),
                _number(one["quantity"], "quantity"),
                _number(one["unit_price"], "unit_price"),
                str(one.get("title", "")),
            )
            for one in add
        ],
        ship_to=_address(ship_to or {}),
        whole_address=whole_address,
        as_channel=as_channel,
    )

    def verb(
        snapshot: Snapshot, rules: Rules, now: dt.datetime, cause: str, order: str, who: str, reason: str
    ) -> Decision:
        return edit_order(snapshot, rules, now, cause, order, who, reason, wanted)

    done = _do(hub, "edit", verb, who, reference, reason, version, "is changed")
    with hub.store.read() as snapshot:
        row = snapshot.row("changes", {"id": change_id_of(done["cause"])})
    assert row is not None, "an edit that was applied has written its change"
    return {
        "order": done["order"],
        "change": row["id"],
        "state": row["state"],
        "price_effect": decimal_text(row["price_effect"]),
        "currency": row["currency"],
        "why": row["why"],
        "message": done["message"],
    }


def _number(said: Any, name: str) -> Decimal:
    try:
        found = Decimal(str(said))
    except InvalidOperation as error:
        raise Refused(f"{name} {said!r} is no decimal number such as 12 or 1.5") from error
    if not found.is_finite() or abs(found) >= LARGEST or found != round(found, 6):
        raise Refused(f"{name} {said!r} is not below 1000000000 with at most 6 digits after the point")
    return found


def _address(said: Mapping[str, Any]) -> dict[str, Any]:
    """Parts of a canonical Address. Raises Refused where it is none."""
    found = dict(said)
    problem = next(iter(validate(found, "Address")), None)
    if problem is not None:
        where = f"{problem.field}: " if problem.field else ""
        properties = schema("Address")["properties"]
        assert isinstance(properties, Mapping)
        known = ", ".join(properties)
        raise Refused(f"the address is not in form: {where}{problem.message}; an address has {known}")
    return found


def _without_cause(done: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in done.items() if name != "cause"}
