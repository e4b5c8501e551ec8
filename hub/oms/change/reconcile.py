"""Bringing the ledgers of an order in step with what its source wants now.

Called after every fact that may change what is wanted or what has shipped. It takes quantities back where nobody else
holds them, asks locations for the rest, and never frees what a location has until it says so.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from hub.domain.events import Fact
from hub.domain.fulfilment import FINISHED, Asked, CancelRequest, FulfilmentOrder
from hub.domain.money import decimal_text
from hub.domain.order import OrderLine
from hub.domain.quantity import DECREASE, Bucket
from hub.oms.change.accept import accept_if_never_sent
from hub.oms.change.change_answers import settle_changes
from hub.oms.desk.load import Case
from hub.oms.desk.save import tell
from hub.oms.intake.kits import follow_components, keep_in_step
from hub.oms.stock.reserve import trim
from hub.oms.telling.outgoing import cancel_work

ZERO = Decimal(0)
HEIR = "heir"
"""The fact of an order that another replaces: that other one's id. It minds what leaves here all the same."""


def reconcile(case: Case, reason: str = "no longer wanted") -> Decimal:
    """Settle every line. Returns what should be cancelled but has left already (the caller decides if that matters)."""
    too_late, reopened = ZERO, False
    wishes: dict[str, dict[str, Decimal]] = {}
    keep_in_step(case)
    for line in case.order.lines:
        if line.is_kit:
            continue
        _see_hand_shipments(case, line)
        asked = sum((work.asked(line.id) for work in case.work), ZERO)
        before = line.ledger[Bucket.CANCELLED]
        missing = line.settle_wanted(case.order.cancelled, asked)
        reopened |= line.ledger[Bucket.CANCELLED] < before
        trim(case, line)
        if missing > 0:
            missing -= unclaim(case, line, missing)
        if missing > 0:
            too_late += _wish(case, line, missing, wishes)
    ask(case, wishes, "cancel", reason)
    follow_components(case)
    settle_changes(case)
    if reopened and case.acts:  # whatever told us that it is wanted after all, it needs a location again
        case.task("allocate", case.order.id, case.now)
    heir = case.order.facts.get(HEIR)
    if heir and any(line.ledger.moves for line in case.order.lines):
        case.task("carry_over", str(heir), case.now, case.order.id)
    return too_late


def unclaim(case: Case, line: OrderLine, units: Decimal) -> Decimal:
    """A line lets go of goods on their way to where it was to be collected; they arrive as anybody's. Nobody is asked:
    they are in no location's hands. Returns how much."""
    left = units
    for transit in case.transits:
        if transit.line_id == line.id and left > 0:
            given = transit.unclaim(min(left, line.ledger[Bucket.PACKED]))
            line.ledger.move(Bucket.PACKED, Bucket.CANCELLED, given)
            left -= given
    return units - left


def ask(case: Case, wishes: dict[str, dict[str, Decimal]], purpose: str, reason: str) -> None:
    """Write one cancel request a fulfilment order: `wishes` is work id -> line id -> quantity."""
    for work in case.work:
        quantities = wishes.get(work.id)
        if not quantities:
            continue
        request = CancelRequest(
            id=case.new_id("cr", work.id),
            purpose=purpose,
            reason=reason,
            lines=[Asked(line_id, quantity) for line_id, quantity in sorted(quantities.items())],
        )
        work.cancel_requests.append(request)
        cancel_work(case, work, request)
        units = decimal_text(sum(quantities.values(), ZERO))
        tell(case, Fact.WORK_CANCEL_ASKED, request.id, fulfilment_order=work.id, units=units, purpose=purpose)
        accept_if_never_sent(case, work, request)
        if request.waiting > 0:
            case.task("silence", work.id, case.now + dt.timedelta(hours=case.rules.silence_hours), request.id)


def _wish(case: Case, line: OrderLine, missing: Decimal, wishes: dict[str, dict[str, Decimal]]) -> Decimal:
    """Spread a quantity over the work that has it, the latest planned first. Returns what nobody has any more."""
    for work in reversed(case.work):
        part = work.line(line.id)
        if part is None or work.state in FINISHED:
            continue
        free = part.at_location - _waiting(work, line.id, wishes)
        units = min(missing, free)
        if units > 0:
            quantities = wishes.setdefault(work.id, {})
            quantities[line.id] = quantities.get(line.id, ZERO) + units
            missing -= units
        # What comes back anyway is taken from there when it does.
        missing -= min(missing, work.coming_back(line.id))
    return missing


def _waiting(work: FulfilmentOrder, line_id: str, wishes: dict[str, dict[str, Decimal]]) -> Decimal:
    return work.waiting(line_id) + wishes.get(work.id, {}).get(line_id, ZERO)


def _see_hand_shipments(case: Case, line: OrderLine) -> None:
    """The channel fulfilled by hand: the goods are gone, so ours must not go too.

    What nobody has in hand is shipped at once. What a location has is asked back first, and counts as shipped by hand
    when the location gives it up; if it ships as well, it has left twice.
    """
    unseen = line.unseen_hand_shipments()
    if unseen <= 0:
        return
    for bucket, units in line.ledger.take(DECREASE, unseen):
        line.ledger.advance(bucket, Bucket.SHIPPED, units)
        line.hand_shipped += units
        unseen -= units
    unseen -= sum((work.asked_back(line.id) for work in case.work), ZERO)
    wishes: dict[str, dict[str, Decimal]] = {}
    unseen = _wish(case, line, max(unseen, ZERO), wishes)
    ask(case, wishes, "by_hand", "the channel has shipped it already")
    for bucket, units in line.ledger.take((Bucket.CANCELLED,), unseen):
        line.ledger.advance(bucket, Bucket.SHIPPED, units)
        line.hand_shipped += units
        unseen -= units
        _shipped_though_cancelled(case, line, units)
    if unseen > 0:
        line.ledger.over_shipped += unseen
        line.hand_shipped += unseen
        _shipped_twice(case, line, unseen)


def _shipped_twice(case: Case, line: OrderLine, units: Decimal) -> None:
    case.raise_exception(
        f"shipped-twice/{case.order.id}",
        "shipped_twice",
        "More has left than was ordered",
        f"The channel shipped {decimal_text(units)} of line {line.number} ({line.sku}) that had left already.",
        "Agree on a return with the customer, or charge what is kept.",
        f"hub orders show {case.order.id}",
    )


def _shipped_though_cancelled(case: Case, line: OrderLine, units: Decimal) -> None:
    case.raise_exception(
        f"cancelled-shipped/{case.order.id}",
        "cancelled_shipped",
        "Cancelled goods were shipped",
        f"{decimal_text(units)} of line {line.number} ({line.sku}) left although they were cancelled.",
        "Agree on a return with the customer, or charge what is kept.",
        f"hub orders show {case.order.id}",
    )
