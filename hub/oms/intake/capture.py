"""Capturing orders: the merged view of what a channel stated becomes the canonical order.

Only what cannot be identified is parked. Everything else is captured, with holds that name rule, path and hint.
Allocation is a task of its own.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from hub.domain.decision import Decision, Incoming, Verdict
from hub.domain.events import Fact
from hub.domain.ids import derived_id
from hub.domain.money import decimal_text
from hub.domain.order import Effects, FulfilledBy, Order, OrderLine, OrderStatus, status
from hub.domain.quantity import Bucket, Ledger
from hub.domain.restate import BESIDE
from hub.domain.snapshot import Snapshot
from hub.domain.totals import check_totals
from hub.oms.change.cancel import cancel_whole, channel_has_cancelled, from_holds, tell_erp, too_late_to_cancel
from hub.oms.change.change_answers import STATED_ADDRESS, Change
from hub.oms.change.changes import ask_for_readdress, keep_change
from hub.oms.change.less_wanted import expect_a_reason
from hub.oms.change.reconcile import reconcile
from hub.oms.desk.load import Case, find_case, new_case, order_key
from hub.oms.desk.save import save, tell
from hub.oms.desk.times import instant
from hub.oms.intake.counter import sell_at_counter
from hub.oms.intake.doubles import duplicate_key
from hub.oms.intake.holds import LOOK_AGAIN, sync_holds
from hub.oms.intake.kits import explode
from hub.oms.intake.listings import LISTING, in_our_words
from hub.oms.intake.other_goods import take_other_goods, tell_of_other_goods
from hub.oms.intake.replaced import meet_replacement
from hub.oms.intake.restated import meet_edits, stated_changes
from hub.oms.intake.stated_payments import state_payments
from hub.oms.money.invoice import tell_if_invoiced_above_total
from hub.oms.ports import Rules
from hub.oms.stock.reserve import count_unassigned

ZERO = Decimal(0)

_LINE_DETAILS = (
    "title",
    "unit",
    "unit_price",
    "price_base_quantity",
    "total",
    "adjustments",
    "taxes",
    "weight_grams",
    "kit_parent",
    "method",
    "quantity",
    LISTING,
    "requested_by",
    "promised_by",
    "ship_by",
    "cancel_by",
    "pickup_location",
)
_FACTS = (
    "aliases",
    "presentment",
    "payment_state",
    "fulfilment_state",
    "method",
    "service_level",
    "pickup_location",
    "sold_by",
    "sold_at",
    "adjustments",
    "shipping_charges",
    "taxes_included",
    "totals",
    "tags",
    "closed_at",
)
_CONTACTS = ("buyer", "bill_to", "ship_to")


def handle_order(rules: Rules) -> Callable[[Incoming, Snapshot, dt.datetime], Decision]:
    """The handler of the stream `orders`."""

    def capture_order(incoming: Incoming, snapshot: Snapshot, now: dt.datetime) -> Decision:
        refused = _unidentified(incoming, rules)
        if refused is not None:
            return refused
        channel = rules.channels[incoming.connection]
        incoming = in_our_words(incoming, snapshot, channel)
        case = find_case(snapshot, rules, now, incoming.id, channel.id, incoming.scope, incoming.external_id)
        if case is None:
            case = new_case(snapshot, rules, now, incoming.id, channel, incoming.scope, incoming.external_id)
        elif (contradiction := _contradiction(case.order, incoming.restate)) is not None:
            return contradiction
        first_sight = case.new or not case.order.known
        if first_sight:
            _begin(case, incoming)
        _apply(case, incoming)
        if first_sight:
            _look_for_doubles(case)
            tell(case, Fact.ORDER_CAPTURED)
        elif _stated(incoming.previous) != _stated(incoming.record):
            tell(case, Fact.ORDER_CHANGED)
        return save(case)

    return capture_order


def _stated(record: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a record says in canonical fields; a webhook and a page of one version differ in what they carry beside."""
    found = {name: value for name, value in (record or {}).items() if name not in BESIDE}
    if "lines" in found:
        found["lines"] = [
            {name: value for name, value in line.items() if name not in BESIDE} for line in found["lines"]
        ]
    return found


def _unidentified(incoming: Incoming, rules: Rules) -> Decision | None:
    if incoming.connection not in rules.channels:
        return _parked(
            "no_channel", "", f"{incoming.connection} is not configured as a channel", "add its orders stream"
        )
    if not incoming.external_id:
        return _parked("required", "external_id", "the order has no id of its own", "map external_id")
    if not incoming.record.get("currency"):
        return _parked("required", "currency", "the order names no currency", "map currency")
    return None


def _parked(code: str, field: str, message: str, hint: str) -> Decision:
    return Decision(Verdict.PARKED, code=code, error_field=field, message=message, hint=hint)


def fingerprint(record: Mapping[str, Any]) -> dict[str, str]:
    """What tells two orders of one id apart: when, in which money, and for whom (hashed)."""
    found = {}
    placed_at = instant(record.get("placed_at"))
    if placed_at is not None:
        found["placed_at"] = placed_at.isoformat()
    if record.get("currency") and "total" in (record.get("totals") or {}):
        # Without an amount a currency is what its channel usually takes, not what was paid in.
        found["currency"] = str(record["currency"])
    buyer = (record.get("buyer") or {}).get("external_id")
    if buyer:
        found["buyer"] = derived_id("by", str(buyer))
    return found


def _contradiction(order: Order, restate: Mapping[str, Any]) -> Decision | None:
    """A restate of another order under the same id. A buyer alone may change (accounts are merged), so it only counts
    where there is no time to compare."""
    known, said = order.facts.get("fingerprint", {}), fingerprint(restate)
    differing = [
        name for name in ("placed_at", "currency") if name in known and known[name] != said.get(name, known[name])
    ]
    if "placed_at" not in known and known.get("buyer", "") and said.get("buyer", known["buyer"]) != known["buyer"]:
        differing.append("buyer")
    if not differing:
        return None
    return _parked(
        "identity_reused",
        differing[0],
        f"order {order.external_id} was placed with another {' and '.join(differing)} before",
        "either the source re-uses ids (give the stream a scope) or it corrected the order (accept it as the same)",
    )


def _begin(case: Case, incoming: Incoming) -> None:
    """First sight: decide once whether the hub may act for this order, and when its grace ends."""
    order, record, channel = case.order, incoming.record, case.rules.channels[incoming.connection]
    order.facts.pop("tombstone", None)
    why = _without_effects(record, channel.start_from)
    if why is not None:
        order.effects = Effects.NONE
        order.facts = {**order.facts, "no_effects": why}
    else:
        order.effects = Effects.ON if channel.effects and incoming.effects else Effects.OBSERVE
        order.grace_until = incoming.received_at + dt.timedelta(seconds=channel.grace_seconds)
    case.decision.wakes = [order_key(channel.id, incoming.scope, incoming.external_id)]


def _look_for_doubles(case: Case) -> None:
    """An order that another process captures at this very moment is not seen: it is looked for once more."""
    if case.order.duplicate_key is not None and case.acts:
        case.task("recheck_holds", case.order.id, case.now + LOOK_AGAIN)


def _without_effects(record: Mapping[str, Any], start_from: dt.datetime | None) -> str | None:
    """Why an order is captured only: test, older than the start, fulfilled already, or fulfilled by its channel."""
    placed_at = instant(record.get("placed_at"))
    if record.get("test"):
        return "test order"
    if start_from is not None and placed_at is not None and placed_at < start_from:
        return "placed before start_from"
    if record.get("fulfilment_state") == "fulfilled" and not record.get("sold_at"):
        return "fulfilled already"
    lines = record.get("lines") or ()
    if lines and all(line.get("fulfilled_by", "us") == "channel" for line in lines):
        return "fulfilled by the channel"
    return None


def _apply(case: Case, incoming: Incoming) -> None:
    order, record = case.order, incoming.record
    _header(case, incoming)
    moved = _contacts(case, record)
    if _lines(case, record, incoming.highest):
        # Facts about lines that were not known yet have waited for this, as those about an unknown order.
        case.decision.wakes = [order_key(order.channel, order.scope, order.external_id)]
    reason = case.discreet(str(record.get("cancel_reason", "")))
    if record.get("cancelled_at"):
        cancel_whole(case, "channel", reason, record["cancelled_at"])
    elif order.cancelled:
        _conflicting_edit(case, incoming)
    explode(case)
    meet_replacement(case, record)
    meet_edits(case)
    channel_has_cancelled(case, bool(record.get("cancelled_at")))
    if record.get("payments") and case.acts:
        state_payments(case, record["payments"])
    sync_holds(case, record, incoming.holds if incoming.newest else None)
    too_late = reconcile(case)
    if order.cancelled:
        # A cancellation that came first did not know yet whom it named.
        said = order.facts["cancelled"]
        order.facts = {**order.facts, "cancelled": {**said, "reason": case.discreet(said["reason"])}}
        too_late_to_cancel(case, too_late)
        from_holds(case)
    else:
        sell_at_counter(case, record)
        expect_a_reason(case, too_late, bool(stated_changes(incoming.previous or {}, record)))
        _keep_change(case, incoming, moved)
    if order.confirmed_at is not None:
        tell_erp(case, reason)
        tell_if_invoiced_above_total(case)
    _what_next(case, incoming)


def _conflicting_edit(case: Case, incoming: Incoming) -> None:
    """The order was cancelled here, and its channel goes on changing what it wants: ours stands, a person is told."""
    by = str(case.order.facts["cancelled"]["by"])
    if by in ("channel", "customer") or incoming.previous is None:
        return
    changed = [
        f"{line}: {decimal_text(before)} before, {decimal_text(now)} now"
        for line, before, now in stated_changes(incoming.previous, incoming.record)
    ]
    if not changed:
        return
    case.raise_exception(
        f"conflicting-edit/{case.order.id}",
        "conflicting_edit",
        "The channel changes an order that was cancelled here",
        f"{by} cancelled it here; {case.order.channel} wants {'; '.join(changed)}.",
        "The cancellation stands. Cancel it at the channel too, or place a new order.",
        f"hub orders show {case.order.id}",
    )


def _what_next(case: Case, incoming: Incoming) -> None:
    order = case.order
    if not case.acts:
        return
    if status(order) is OrderStatus.CANCELLED or order.open_holds():
        count_unassigned(case)
        return
    if incoming.previous is None or _any_to_source(order):
        case.task("allocate", order.id, case.now)


def _any_to_source(order: Order) -> bool:
    """Anything unconfirmed may be sourced anew; later, only what is open again, or was while something held it."""
    return order.confirmed_at is None or any(
        line.ledger.moves or (line.ours and line.ledger[Bucket.OPEN]) for line in order.lines
    )


def _header(case: Case, incoming: Incoming) -> None:
    order, record = case.order, incoming.record
    order.number = record.get("number", order.number)
    order.order_type = record.get("order_type", order.order_type)
    order.currency = record.get("currency", order.currency)
    order.placed_at = instant(record.get("placed_at")) or order.placed_at
    order.source_version = record.get("source_version") or incoming.source_version or order.source_version
    totals = record.get("totals") or {}
    if "total" in totals:
        order.total = _money(totals["total"])
    facts = {**order.facts, **{name: record[name] for name in _FACTS if name in record}}
    facts["fingerprint"] = {**facts.get("fingerprint", {}), **fingerprint(record)}
    difference = check_totals(record).difference
    facts.pop("totals_difference", None)
    if difference:
        facts["totals_difference"] = decimal_text(difference)
    order.facts = facts
    order.duplicate_key = duplicate_key(case, record)


def _contacts(case: Case, record: Mapping[str, Any]) -> bool:
    """Take over what the source says of people; True if the address goods go to has changed. An address that was
    decided here stands; the stated one is kept beside it."""
    said = {role: record[role] for role in _CONTACTS if record.get(role)}
    if not said:
        return False
    contacts = case.contacts
    if "ship_to" in said and "ship_to" in case.order.facts.get("edits", {}):
        contacts[STATED_ADDRESS] = said.pop("ship_to")
    moved = "ship_to" in said and "ship_to" in contacts and contacts["ship_to"] != said["ship_to"]
    contacts.update(said)
    if moved and any(line.at_location for work in case.work for line in work.lines):
        case.raise_exception(
            f"address-changed/{case.order.id}",
            "address_changed",
            "The address changed after the work was released",
            "A location already works on this order with the address as it was; it was asked to give the work back.",
            "Tell the location. This clears when it has answered.",
            f"hub orders show {case.order.id}",
        )
    return moved


def _keep_change(case: Case, incoming: Incoming, moved: bool) -> None:
    """What the channel changed about an order that it had stated before, as a change set of its own."""
    order, previous = case.order, incoming.previous
    if previous is None or not case.acts:
        return
    change = Change(case.new_id("ch", order.id), by=order.channel, overlays=False)
    asked = []
    for external_id, before, now in stated_changes(previous, incoming.record):
        line = order.external_line(external_id)
        if line is not None and line.edited is None:
            change.lines[line.id] = (before, now)
            asked.append({"line": line.id, "from": decimal_text(before), "to": decimal_text(now)})
    request: dict[str, Any] = {"lines": asked} if asked else {}
    if moved:
        old, new = previous.get("ship_to") or {}, incoming.record.get("ship_to") or {}
        request["ship_to"] = sorted(part for part in {*old, *new} if old.get(part) != new.get(part))
        change.requests = ask_for_readdress(case, "the address changed")
        facts = {name: value for name, value in order.facts.items() if name != "sourced_for"}
        order.facts = facts
    if request:
        keep_change(
            case, change, order.channel, "", request, _present_total(incoming.record) - _present_total(previous)
        )


def _present_total(record: Mapping[str, Any]) -> Decimal:
    totals = record.get("totals") or {}
    return Decimal(str(totals.get("current_total", totals.get("total", "0"))))


def _lines(case: Case, record: Mapping[str, Any], highest: Mapping[str, str]) -> bool:
    """Take over the stated lines; True if one of them is new."""
    order, kept = case.order, []
    before = len(order.lines)
    delivered = record.get("fulfilment_state") == "fulfilled" and not record.get("sold_at")
    for position, stated in enumerate(record.get("lines") or ()):
        external_id = str(stated["external_line_id"])
        line = order.external_line(external_id)
        if line is None:
            line = OrderLine(
                id=derived_id("ln", order.id, external_id),
                order_id=order.id,
                number=position + 1,
                external_line_id=external_id,
                sku=None,
                ledger=Ledger(),
            )
            order.lines.append(line)
        quantity = Decimal(str(stated.get("quantity", "0")))
        line.number = position + 1
        as_stated = not stated.get("sku") or take_other_goods(case, line, str(stated["sku"]))
        if not as_stated:
            kept.append((line, str(stated["sku"])))
        line.wanted = Decimal(str(stated.get("current_quantity", quantity)))
        if not line.is_kit:
            line.fulfilled_by = FulfilledBy(stated.get("fulfilled_by", line.fulfilled_by))
        line.requires_shipping = bool(stated.get("requires_shipping", line.requires_shipping))
        line.stated_shipped = Decimal(str(stated.get("fulfilled_quantity", line.wanted if delivered else ZERO)))
        if as_stated:
            line.details = {name: stated[name] for name in _LINE_DETAILS if name in stated}
        line.ledger.grow(max(Decimal(highest.get(external_id, "0")), quantity))
    own = max((line.number for line in order.lines if line.as_sold), default=0)
    for further, line in enumerate((line for line in order.lines if line.added_here), 1):
        line.number = own + further
    tell_of_other_goods(case, kept)
    return len(order.lines) > before


def _money(text: str) -> Decimal:
    return Decimal(text)
