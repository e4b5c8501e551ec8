"""Quantity that a location gives up on request: the only way it comes back once it was released."""

from __future__ import annotations

from decimal import Decimal

from hub.domain.fulfilment import COMES_BACK, Answer, CancelRequest, FulfilmentOrder, WorkLine, WorkState
from hub.domain.order import OrderLine
from hub.domain.quantity import AT_LOCATION, Bucket
from hub.oms.desk.load import Case
from hub.oms.stock.reserve import release_firm
from hub.oms.telling.outgoing import never_sent


def accept(
    case: Case, work: FulfilmentOrder, request: CancelRequest, part: WorkLine, line: OrderLine, units: Decimal
) -> Decimal:
    """Apply an accepted quantity. Returns how much of it the location no longer had."""
    asked = request.line(part.line_id)
    assert asked is not None, "callers answer for lines that were asked about"
    accepted = asked.answer(Answer.ACCEPTED, units)
    for source, moved in part.take(AT_LOCATION, accepted):
        part.shift(source, Bucket.CANCELLED, moved)
        if request.purpose == "by_hand":
            # It has left already, from elsewhere: only now is it certain that it does not leave twice.
            line.ledger.advance(source, Bucket.SHIPPED, moved)
            line.hand_shipped += moved
        else:
            line.ledger.move(source, Bucket.CANCELLED, moved)
        if request.purpose == "no_show":
            line.cancelled_by_facts += moved
        elif request.purpose in COMES_BACK:
            line.ledger.move(Bucket.CANCELLED, Bucket.OPEN, moved)
        release_firm(case, work.id, part.line_id, moved)
        accepted -= moved
    return accepted


def accept_if_never_sent(case: Case, work: FulfilmentOrder, request: CancelRequest) -> bool:
    """A request for all that a fulfilment order has takes back its unsent request with it: nobody is to answer.

    The outbox withdraws both under the same condition, in the same write set: no attempt has started. If one starts in
    between, the write set conflicts and this is decided anew.
    """
    whole = all(work.waiting(line.line_id) == line.at_location for line in work.lines)
    key = f"{work.connection}/send_fulfilment_request/fulfilment-order/{work.id}@{work.version}"
    unheard = never_sent(case, key) if work.connection else work.state is WorkState.PLANNED
    if not whole or not unheard:
        return False
    for asked in request.lines:
        part, line = work.line(asked.line_id), case.order.line(asked.line_id)
        if part is not None and line is not None:
            accept(case, work, request, part, line, asked.waiting)
    work.settle()
    return True
