"""What a location says of its work: acknowledged, in progress, packed, ready, handed over, short, rejected, received,
not collected, or the answer to a request.

Nothing a location reports is refused. What cannot be (quantities it does not have, an answer nobody asked for) is
applied as far as it goes and raises an exception. Quantity comes back only by its word, never by its silence.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hub.domain.decision import Decision, Incoming, Verdict
from hub.domain.events import Fact
from hub.domain.fulfilment import COMES_BACK, Answer, CancelRequest, FulfilmentOrder, WorkState
from hub.domain.money import decimal_text, units_text
from hub.domain.quantity import AT_LOCATION, Bucket
from hub.domain.snapshot import Snapshot
from hub.oms.change.accept import accept
from hub.oms.change.cancel import tell_erp
from hub.oms.change.reconcile import reconcile
from hub.oms.desk.load import Case, work_key
from hub.oms.desk.save import save, tell
from hub.oms.fulfilment.label import drop_unneeded, packed
from hub.oms.fulfilment.pickup import (
    became_ready,
    give_up,
    not_collected,
    see_collected,
    tell_kept,
    tell_turned_down,
    turned_down,
)
from hub.oms.fulfilment.ship import hand_over
from hub.oms.fulfilment.transfer import for_shelves, on_the_way_key, receive
from hub.oms.fulfilment.work import all_of, end_requests, is_pickup, named_line, open_work, quantities_of, unexpected
from hub.oms.ports import Rules
from hub.oms.sourcing.source import exclude_location, source_again
from hub.oms.stock.reserve import count_unassigned, release_firm

ZERO = Decimal(0)
RETURNABLE = (Bucket.RELEASED, Bucket.ACCEPTED, Bucket.PICKED, Bucket.READY_FOR_PICKUP)
"""From where a location can give back; what is packed comes back through a cancel request."""

_PROGRESS = {
    "acknowledged": (WorkState.ACKNOWLEDGED, Bucket.ACCEPTED),
    "in_progress": (WorkState.IN_PROGRESS, Bucket.ACCEPTED),
    "picked": (WorkState.IN_PROGRESS, Bucket.PICKED),
    "packed": (WorkState.IN_PROGRESS, Bucket.PACKED),
    "ready_for_pickup": (WorkState.IN_PROGRESS, Bucket.READY_FOR_PICKUP),
}


def handle_response(rules: Rules) -> Callable[[Incoming, Snapshot, dt.datetime], Decision]:
    """The handler of the stream `fulfilment_responses`."""

    def apply_response(incoming: Incoming, snapshot: Snapshot, now: dt.datetime) -> Decision:
        record = incoming.record
        found = open_work(snapshot, rules, now, incoming.id, str(record["fulfilment_order"]))
        if found is None:
            waits_for = work_key(str(record["fulfilment_order"]))
            return Decision(Verdict.WAITING, waits_for=waits_for, message="the fulfilment order is not known")
        case, work = found
        if record.get("external_id"):
            work.external_id = str(record["external_id"])
        if record["status"] == "received":
            if not receive(case, work, record):
                waits_for = on_the_way_key(work)
                return Decision(Verdict.WAITING, waits_for=waits_for, message="nothing of the transfer has left yet")
        else:
            report(case, work, str(record["status"]), record)
        return save(case)

    return apply_response


def report(case: Case, work: FulfilmentOrder, said: str, record: dict[str, Any]) -> None:
    """Apply one report to the work and the lines behind it."""
    quantities, before = quantities_of(case, work, record.get("lines") or ()), work.state
    case.clear_exception(f"silence/{work.id}", "answered")
    if said in _PROGRESS:
        _progress(case, work, said, quantities)
        if said == "packed":
            packed(case, work, record)
    elif said == "handed_over":
        hand_over(case, work, record)
        see_collected(case, work)
    elif said == "not_collected":
        not_collected(case, work, quantities or all_of(work), case.discreet(str(record.get("reason", "not collected"))))
    elif said == "short":
        _give_back(case, work, quantities, case.discreet(str(record.get("reason", "short"))), rejected=False)
    elif said == "rejected":
        why = case.discreet(str(record.get("reason", "rejected")))
        _give_back(case, work, quantities or all_of(work), why, rejected=True)
    else:
        answer = Answer.ACCEPTED if said == "cancel_accepted" else Answer.REFUSED
        request = work.cancel_request(str(record.get("cancel_request", "")))
        if request is None:
            unexpected(case, work, f"it answered a cancel request that is not ours ({said})")
        else:
            _answer_cancel(case, work, request, {line: (answer, units) for line, units in quantities.items()}, answer)
    became_ready(case, work, before)
    tell(case, Fact.WORK_REPORTED, case.cause, fulfilment_order=work.id, status=said)


def _progress(case: Case, work: FulfilmentOrder, said: str, quantities: dict[str, Decimal]) -> None:
    state, bucket = _PROGRESS[said]
    lower = AT_LOCATION[: AT_LOCATION.index(bucket)]
    for line_id, units in (quantities or all_of(work)).items():
        pair = named_line(case, work, line_id)
        if pair is None:
            continue
        part, line = pair
        if units > part.quantity:
            unexpected(case, work, f"it says {decimal_text(units)} of {part.sku}, of which it was asked for less")
        for source, moved in part.take(tuple(reversed(lower)), units):
            part.shift(source, bucket, moved)
            line.ledger.advance(source, bucket, moved)
    work.reach(state)
    if bucket in (Bucket.PACKED, Bucket.READY_FOR_PICKUP):
        work.settle()


def _give_back(case: Case, work: FulfilmentOrder, quantities: dict[str, Decimal], reason: str, rejected: bool) -> None:
    """A location cannot deliver: its reservation ends, the quantity is open again and sourced elsewhere."""
    freed = ZERO
    lines = []
    for line_id, units in quantities.items():
        pair = named_line(case, work, line_id)
        if pair is None:
            continue
        part, line = pair
        left, before = units, freed
        for source, moved in part.take(RETURNABLE, units):
            part.shift(source, None, moved)
            line.ledger.move(source, Bucket.OPEN, moved)
            release_firm(case, work.id, line_id, moved)
            left -= moved
            freed += moved
        if freed > before:
            lines.append((line, freed - before))
        if left > 0:
            unexpected(case, work, f"it is short of {decimal_text(left)} of line {line.number} that it no longer has")
    work.settle(rejected=rejected)
    end_requests(work, Answer.ACCEPTED)
    if freed <= 0:
        return
    tell(case, Fact.WORK_REJECTED if rejected else Fact.WORK_SHORT, case.cause, fulfilment_order=work.id, reason=reason)
    drop_unneeded(case, work, reason)
    exclude_location(case, work.location, reason)
    if for_shelves(case):
        for line, units in lines:  # nobody else sends it: a transfer is from one location to one location
            line.cancelled_by_facts += units
    if is_pickup(work):
        tell_turned_down(case, work, freed, reason, *turned_down(case, work, lines, reason))
    reconcile(case)
    count_unassigned(case)
    if any(line.ledger[Bucket.OPEN] > 0 and not line.is_kit for line in case.order.lines):
        if not is_pickup(work) or case.rules.pickup.on_reject != "ask":
            source_again(case, reason)
    else:
        tell_erp(case, reason)


def answer_cancel(
    case: Case,
    work: FulfilmentOrder,
    request: CancelRequest,
    answers: dict[str, tuple[Answer, Decimal]],
    otherwise: Answer | None,
) -> None:
    """Apply per-line answers. No line named: `otherwise` answers everything that still waits."""
    before = work.state
    _answer_cancel(case, work, request, answers, otherwise)
    became_ready(case, work, before)


def _answer_cancel(
    case: Case,
    work: FulfilmentOrder,
    request: CancelRequest,
    answers: dict[str, tuple[Answer, Decimal]],
    otherwise: Answer | None,
) -> None:
    if not answers and otherwise is not None:
        answers = {line.line_id: (otherwise, line.waiting) for line in request.lines}
    given_up = []
    for line_id, (answer, units) in answers.items():
        asked, pair = request.line(line_id), named_line(case, work, line_id)
        if asked is None or pair is None:
            unexpected(case, work, f"it answered for a line ({line_id}) that was not asked about")
            continue
        if answer is Answer.ACCEPTED:
            before = pair[0][Bucket.CANCELLED]
            missing = accept(case, work, request, *pair, units)
            given_up.append((pair[1], pair[0][Bucket.CANCELLED] - before))
            if missing > 0:
                unexpected(case, work, f"it gave up {decimal_text(missing)} of {pair[1].sku} that it no longer has")
        else:
            refused = asked.answer(answer, units)
            if refused and request.purpose not in COMES_BACK:
                _refused(case, work, request, refused)
    work.settle()
    case.clear_exception(f"silence/{work.id}", "answered")
    drop_unneeded(case, work, request.reason)
    if request.purpose == "no_show":
        give_up(case, work, [(line, units) for line, units in given_up if units > 0], request.reason)
    tell(case, Fact.WORK_CANCEL_ANSWERED, case.cause, fulfilment_order=work.id, cancel_request=request.id)
    reconcile(case)
    count_unassigned(case)
    if request.purpose == "resource":
        if any(units > 0 for _, units in given_up):  # one that keeps it is asked again when more of the order is open
            exclude_location(case, work.location, request.reason)
            source_again(case, request.reason)
    elif any(line.ledger[Bucket.OPEN] > 0 and not line.is_kit for line in case.order.lines):
        case.task("allocate", case.order.id, case.now)
    tell_erp(case, request.reason)


def _refused(case: Case, work: FulfilmentOrder, request: CancelRequest, units: Decimal) -> None:
    if request.purpose == "no_show":
        tell_kept(case, work)
        return
    case.raise_exception(
        f"cancel-refused/{work.id}",
        "cancel_refused",
        "A location will ship what should be cancelled",
        f"{work.location} refused to cancel {units_text(units)} ({request.reason}).",
        "Tell the customer, or stop the parcel with the carrier.",
        f"hub orders show {case.order.id}",
    )
