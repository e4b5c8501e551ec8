"""Holds: placed by rules, mappings and people, released by their cause going away or by a person."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from hub.domain.decision import MappingHold
from hub.domain.events import Fact
from hub.domain.money import decimal_text
from hub.domain.order import FulfilledBy, Hold, OrderLine, OrderStatus, status
from hub.domain.validation import ACCEPT, CHECKS, Facts, Finding, HoldKind, Policy, Rule, check
from hub.oms.desk.load import Case, new_hold
from hub.oms.desk.save import tell
from hub.oms.desk.times import instant_text
from hub.oms.intake.doubles import doubles
from hub.oms.intake.hold_box import box
from hub.oms.intake.kits import explode, keep_in_step
from hub.oms.intake.listings import listings_of, take_our_name
from hub.oms.stock.reserve import count_unassigned

MANUAL = HoldKind.MANUAL.value
AUTHORISATION = "authorisation"
"""The rule of a payment hold: its provider's word places and releases it, no restate of the channel."""
BY_OTHERS = frozenset({MANUAL, AUTHORISATION, Rule.REPLACES.value})
"""Rules whose holds no restate releases."""
HUB = "hub"
QUIET = frozenset({Rule.REPLACES.value, Rule.PAYMENT.value, Rule.NO_LINES.value, Rule.PENDING.value, MANUAL})
"""Holds that are a normal wait, not trouble: they raise no exception."""


FROM_MAPPINGS = frozenset({Rule.MAPPING.value, Rule.PENDING.value})
TOLD_LATER = frozenset({Rule.ADDRESS, Rule.NO_LINES, Rule.PAYMENT, Rule.TOTALS})
"""What an order lacks as long as its channel has not let it go: missing it then is no finding of its own."""


def sync_holds(case: Case, record: Mapping[str, Any], mapping: Sequence[MappingHold] | None) -> None:
    """Place and release what the rules say of the order now. `mapping` None: keep what the mapping held before."""
    seen = record
    if case.order.facts.get("edits"):
        seen = {**record, **{name: said for name, said in record_of(case).items() if name in ("ship_to", "lines")}}
    findings = [] if _over(case) else check(_facts(case, seen, record))
    kept = [hold for hold in case.order.holds if hold.open and hold.rule in FROM_MAPPINGS]
    if any(said.rule == Rule.PENDING for said in (kept if mapping is None else mapping)):
        findings = [finding for finding in findings if finding.rule not in TOLD_LATER]
    wanted: dict[str, tuple[Hold, str]] = {}
    for finding in findings:
        hold = _hold(case, finding)
        wanted[hold.id] = (hold, finding.cause)
    if mapping is None:
        wanted.update({hold.id: (hold, "") for hold in kept})
    elif not _over(case):
        for said in mapping:
            hold = _mapping_hold(case, said, record)
            wanted[hold.id] = (hold, f"{case.order.channel}/{said.rule}")
    _place(case, wanted)
    for hold in case.order.holds:
        if hold.open and hold.rule not in BY_OTHERS and hold.id not in wanted:
            release(case, hold, HUB)


def recheck_holds(case: Case) -> None:
    """Look again after something was changed here: place and release what the rules say of the order as it is now.
    What only a statement of the source can cure stays as it is."""
    record = record_of(case)
    findings = [] if _over(case) else check(_facts(case, record, record))
    if any(hold.open and hold.rule == Rule.PENDING for hold in case.order.holds):
        findings = [finding for finding in findings if finding.rule not in TOLD_LATER]
    wanted = {}
    for finding in findings:
        if finding.rule not in BY_SOURCE:
            hold = _hold(case, finding)
            wanted[hold.id] = (hold, finding.cause)
    _place(case, wanted)
    for hold in case.order.holds:
        if hold.open and hold.rule in RECHECKED and hold.id not in wanted:
            release(case, hold, HUB)


BY_SOURCE = frozenset({Rule.TOTALS, Rule.PAYMENT, Rule.NO_LINES})
RECHECKED = frozenset(rule.value for rule in CHECKS if rule not in BY_SOURCE)


def record_of(case: Case) -> dict[str, Any]:
    """The order as the rules look at it, with what was decided here over what its source states."""
    order = case.order
    facts = ("method", "sold_at", "payment_state", "totals", "adjustments", "shipping_charges", "taxes_included")
    record: dict[str, Any] = {name: order.facts[name] for name in facts if name in order.facts}
    record |= {"currency": order.currency} if order.currency else {}
    record |= {"placed_at": instant_text(order.placed_at)} if order.placed_at else {}
    record |= {role: case.contacts[role] for role in ("buyer", "ship_to") if case.contacts.get(role)}
    record["lines"] = [_stated_line(line) for line in sorted(order.lines, key=lambda line: line.number) if not line.kit]
    return record


def _stated_line(line: OrderLine) -> dict[str, Any]:
    said = {
        **line.details,
        "external_line_id": line.external_line_id,
        "quantity": decimal_text(line.wish),
        "fulfilled_by": str(FulfilledBy.US if line.is_kit else line.fulfilled_by),
        "requires_shipping": line.requires_shipping,
    }
    return {**said, "sku": line.sku} if line.sku else said


def release(case: Case, hold: Hold, by: str) -> None:
    hold.released_at = case.now
    hold.released_by = by
    case.clear_exception(f"hold-overdue/{hold.id}", by)
    if not any(other.open and other.rule == hold.rule for other in case.order.holds):
        case.clear_exception(f"hold/{hold.rule}/", by)
    elif hold.rule == Rule.UNKNOWN_SKU:
        _forget_known_skus(case, by)
    tell(case, Fact.ORDER_RELEASED, f"{case.cause}/{hold.id}", rule=hold.rule)


def _forget_known_skus(case: Case, by: str) -> None:
    """Each SKU is a cause of its own: the order may still be held for others."""
    prefix = f"{case.order.id}/{Rule.UNKNOWN_SKU}/"
    lines = [
        case.order.external_line(hold.id.removeprefix(prefix))
        for hold in case.order.holds
        if hold.open and hold.rule == Rule.UNKNOWN_SKU
    ]
    unknown = {f"hold/{Rule.UNKNOWN_SKU}/{line.sku}" for line in lines if line is not None}
    over = [key for key in case.raised if key.startswith(f"hold/{Rule.UNKNOWN_SKU}/") and key not in unknown]
    case.forget(over, by)


def _place(case: Case, wanted: Mapping[str, tuple[Hold, str]]) -> None:
    known = {hold.id: hold for hold in case.order.holds}
    for hold_id, (hold, cause) in wanted.items():
        before = known.get(hold_id)
        if before is None:
            case.order.holds.append(hold)
            box(case, hold)
            _trouble(case, hold, cause)
        elif not before.open and before.released_by == HUB:
            before.released_at = before.released_by = None
            before.placed_at, before.path, before.hint = case.now, hold.path, hold.hint
            before.until, before.then = None, ""
            box(case, before)
            _trouble(case, before, cause)
        elif before.open:
            before.path, before.hint, before.line_id = hold.path, hold.hint, hold.line_id


def place(case: Case, hold: Hold) -> None:
    """Place a hold that the hub decided on itself."""
    _place(case, {hold.id: (hold, "")})


LOOK_AGAIN = dt.timedelta(seconds=15)
"""An item that another process imported at this very moment did not see that this order waits: it looks once more."""


def _trouble(case: Case, hold: Hold, cause: str) -> None:
    if hold.rule == Rule.UNKNOWN_SKU:
        case.task("release_holds", cause, case.now + LOOK_AGAIN, hold.id, payload={"order": case.order.id})
    if hold.rule in QUIET:
        return
    # One exception for all orders of one cause: what it says to do names none of them.
    cause_key = f"hold/{hold.rule}/{cause or case.order.channel}"
    if hold.rule == Rule.MAPPING:
        case.raise_exception(
            cause_key,
            "hold",
            f"Orders are held: mapping {cause}",
            hold.hint,
            "Correct the mapping and retry: the orders are read again, and the hold goes where everything maps.",
            "correct the mapping, apply, then: hub exceptions retry EXCEPTION; or: "
            "hub orders release ORDER --reason WHY",
        )
        return
    case.raise_exception(
        cause_key,
        "hold",
        f"Orders are held: {hold.rule.replace('_', ' ')}" + (f" {cause}" if cause else ""),
        hold.hint,
        "Remove the cause; the hold then releases itself. Or release it by hand.",
        "hub orders release ORDER --reason WHY",
    )


def _hold(case: Case, finding: Finding) -> Hold:
    line = case.order.external_line(finding.external_line_id) if finding.external_line_id else None
    key = finding.external_line_id or finding.path
    line_id = line.id if line is not None and not finding.holds_order else None
    return new_hold(case, finding.kind, str(finding.rule), finding.path, finding.hint, line_id, key)


def _mapping_hold(case: Case, said: MappingHold, record: Mapping[str, Any]) -> Hold:
    """A mapping hold on `lines.N...` holds that line, any other the order."""
    parts = said.field.split(".")
    lines = record.get("lines") or ()
    line = None
    if parts[0] == "lines" and len(parts) > 1 and parts[1].isdigit() and int(parts[1]) < len(lines):
        line = case.order.external_line(str(lines[int(parts[1])]["external_line_id"]))
    key = f"{line.external_line_id}.{'.'.join(parts[2:])}" if line else said.field
    rule = Rule.PENDING if said.rule == Rule.PENDING else Rule.MAPPING
    return new_hold(case, "validation", rule, said.field, said.hint, line.id if line else None, key)


def _over(case: Case) -> bool:
    """Nothing can be held of an order that is cancelled, has ended, or is only captured."""
    return case.order.cancelled or not case.acts or status(case.order) in (OrderStatus.CANCELLED, OrderStatus.CLOSED)


def _facts(case: Case, record: Mapping[str, Any], stated: Mapping[str, Any]) -> Facts:
    rules, channel = case.rules, case.channel
    policy = Policy(
        unknown_sku=rules.unknown_sku,
        address=rules.address,
        payment_require=rules.payment_require,
        totals_difference_up_to=rules.totals_difference_up_to,
        totals_otherwise=rules.totals_otherwise,
        values=rules.values,
        value_limits=channel.value_limits if channel is not None else {},
    )
    items = case.items([str(line["sku"]) for line in record.get("lines") or () if line.get("sku")])
    known = None if rules.unknown_sku == ACCEPT else set(items)
    increments = {sku: Decimal(str(item["increment"])) for sku, item in items.items() if item.get("increment")}
    return Facts(record, stated, policy, known, doubles(case), _listed(case, record, known), increments)


def _listed(case: Case, record: Mapping[str, Any], known: set[str] | None) -> dict[str, str]:
    """What the channel has called by the SKUs that are none of ours, at other times than the order's."""
    if known is None or case.channel is None:
        return {}
    unknown = sorted({str(line["sku"]) for line in record.get("lines") or () if line.get("sku")} - known)
    found = {sku: listings_of(case.snapshot, case.channel, sku) for sku in unknown}
    return {sku: ", ".join(one.words for one in listings) for sku, listings in found.items() if listings}


def release_known_skus(case: Case) -> None:
    """Release unknown_sku holds whose SKU is an item now, or is listed as one, and go on with the order."""
    order = case.order
    prefix = f"{order.id}/{Rule.UNKNOWN_SKU}/"
    held = [
        (hold, order.external_line(hold.id.removeprefix(prefix)))
        for hold in _open(order.holds)
        if hold.id.startswith(prefix)
    ]
    for _, line in held:
        if line is not None and case.channel is not None:
            take_our_name(line, case.snapshot, case.channel, order.placed_at)
    known = case.items([line.sku for _, line in held if line is not None and line.sku])
    released = [hold for hold, line in held if line is not None and line.sku in known]
    for hold in released:
        release(case, hold, HUB)
    if released:
        explode(case)
        keep_in_step(case)
        count_unassigned(case)
    if released and case.acts and not order.open_holds():
        case.task("allocate", order.id, case.now)


def _open(holds: Sequence[Hold]) -> list[Hold]:
    return [hold for hold in holds if hold.open]
