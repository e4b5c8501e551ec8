"""The handler table: which use case takes which stream and which task. The exchange calls it, runtime wires it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hub.domain.decision import MessageHandler, QueryHandler, TaskHandler
from hub.oms.acknowledge import handle_acknowledgement
from hub.oms.allocate import handle_allocate
from hub.oms.authorisation import handle_authorisation_expiry, handle_settle_money
from hub.oms.backorders import handle_backorder_end
from hub.oms.cancel import handle_cancel_request, handle_tell_cancellation
from hub.oms.capture import handle_order
from hub.oms.claims import REDEAL
from hub.oms.customer import handle_customer
from hub.oms.deadlines import handle_deadline
from hub.oms.expire import handle_reservation_expiry
from hub.oms.fulfil import handle_response, handle_silence
from hub.oms.hold_tasks import handle_hold_box, handle_recheck
from hub.oms.items import handle_item, handle_release_holds
from hub.oms.label import rate_query
from hub.oms.less_wanted import handle_less_wanted
from hub.oms.movements import handle_movement
from hub.oms.order_change import handle_order_change
from hub.oms.payment_events import handle_payment_event
from hub.oms.payouts import handle_payout
from hub.oms.pickup import handle_no_show, handle_reminder
from hub.oms.ports import Rules
from hub.oms.preorders import REPROMISE, handle_redeal, handle_repromise
from hub.oms.publish import handle_push_stock, handle_stock_stale
from hub.oms.receive import handle_return_inspection
from hub.oms.refund import handle_refund
from hub.oms.replaced import handle_carry_over
from hub.oms.replies import handle_reply
from hub.oms.return_notices import handle_return_notice
from hub.oms.return_scan import returns_scanned
from hub.oms.returns import handle_close_return, handle_return_expiry
from hub.oms.save import save
from hub.oms.ship import handle_notice
from hub.oms.signals import handle_watch_stock
from hub.oms.stock import handle_stock
from hub.oms.supply import handle_supply
from hub.oms.tracking import handle_scan
from hub.oms.transfer import handle_overdue


@dataclass(frozen=True, slots=True)
class Handlers:
    """`messages` by stream, `tasks` by kind, `queries` the tasks that ask something outside first."""

    messages: Mapping[str, MessageHandler]
    tasks: Mapping[str, TaskHandler]
    queries: Mapping[str, QueryHandler]


def build(rules: Rules) -> Handlers:
    """All handlers under one revision of the configuration."""
    allocate = handle_allocate(rules)
    return Handlers(
        messages={
            "orders": handle_order(rules),
            "order_changes": handle_order_change(rules),
            "cancel_requests": handle_cancel_request(rules),
            "refunds": handle_refund(rules),
            "payments": handle_payment_event(rules),
            "payouts": handle_payout(rules),
            "fulfilment_responses": handle_response(rules),
            "shipments": handle_notice(rules),
            "stock": handle_stock(rules),
            "stock_movements": handle_movement(rules),
            "supply": handle_supply(rules),
            "items": handle_item(rules),
            "customers": handle_customer(rules),
            "acknowledgements": handle_acknowledgement(rules),
            "replies": handle_reply(rules),
            "tracking": handle_scan(rules, returns_scanned),
            "returns": handle_return_notice(rules),
        },
        tasks={
            "allocate": allocate,
            "resource": allocate,
            "backorder_end": handle_backorder_end(rules),
            REDEAL: handle_redeal(rules),
            REPROMISE: handle_repromise(rules),
            "confirm": allocate,
            "push_stock": handle_push_stock(rules),
            "stock_stale": handle_stock_stale(rules),
            "watch_stock": handle_watch_stock(rules),
            "release_holds": handle_release_holds(rules),
            "carry_over": handle_carry_over(rules),
            "hold_box": handle_hold_box(rules),
            "recheck_holds": handle_recheck(rules),
            "reservation_expiry": handle_reservation_expiry(rules),
            "tell_cancellation": handle_tell_cancellation(rules),
            "silence": handle_silence(rules),
            "deadline": handle_deadline(rules, save),
            "authorisation_expiry": handle_authorisation_expiry(rules),
            "settle_money": handle_settle_money(rules),
            "less_wanted": handle_less_wanted(rules),
            "transfer_overdue": handle_overdue(rules),
            "no_show": handle_no_show(rules),
            "pickup_reminder": handle_reminder(rules),
            "return_expiry": handle_return_expiry(rules),
            "return_inspection": handle_return_inspection(rules),
            "close_return": handle_close_return(rules),
        },
        queries={"rate": rate_query(rules)},
    )
