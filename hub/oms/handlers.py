"""The handler table: which use case takes which stream and which task. The exchange calls it, runtime wires it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hub.domain.decision import MessageHandler, QueryHandler, TaskHandler
from hub.oms.change.cancel import handle_cancel_request, handle_tell_cancellation
from hub.oms.change.less_wanted import handle_less_wanted
from hub.oms.desk.save import save
from hub.oms.fulfilment.fulfil import handle_response
from hub.oms.fulfilment.label import rate_query
from hub.oms.fulfilment.pickup import handle_no_show, handle_reminder
from hub.oms.fulfilment.ship import handle_notice
from hub.oms.fulfilment.silence import handle_silence
from hub.oms.fulfilment.tracking import handle_scan
from hub.oms.fulfilment.transfer import handle_overdue
from hub.oms.intake.capture import handle_order
from hub.oms.intake.customer import handle_customer
from hub.oms.intake.hold_tasks import handle_hold_box, handle_recheck, handle_recheck_held
from hub.oms.intake.items import handle_item, handle_release_holds
from hub.oms.intake.order_change import handle_order_change
from hub.oms.intake.replaced import handle_carry_over
from hub.oms.money.authorisation import handle_authorisation_expiry, handle_settle_money
from hub.oms.money.payment_events import handle_payment_event
from hub.oms.money.payouts import handle_payout
from hub.oms.money.refund import handle_refund
from hub.oms.ports import Rules
from hub.oms.promise.backorders import handle_backorder_end
from hub.oms.promise.preorders import REPROMISE, handle_redeal, handle_repromise
from hub.oms.promise.publish import handle_push_all, handle_push_stock, handle_stock_stale
from hub.oms.promise.supply import handle_supply
from hub.oms.returns.claims import REDEAL
from hub.oms.returns.receive import handle_return_inspection
from hub.oms.returns.return_notices import handle_return_notice
from hub.oms.returns.return_scan import returns_scanned
from hub.oms.returns.returns import handle_close_return, handle_return_expiry
from hub.oms.sourcing.allocate import handle_allocate
from hub.oms.sourcing.deadlines import handle_deadline
from hub.oms.stock.expire import handle_reservation_expiry
from hub.oms.stock.movements import handle_movement
from hub.oms.stock.signals import handle_watch_stock
from hub.oms.stock.stock import handle_stock
from hub.oms.telling.acknowledge import handle_acknowledgement
from hub.oms.telling.replies import handle_reply


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
            "push_all": handle_push_all(rules),
            "stock_stale": handle_stock_stale(rules),
            "watch_stock": handle_watch_stock(rules),
            "release_holds": handle_release_holds(rules),
            "carry_over": handle_carry_over(rules),
            "hold_box": handle_hold_box(rules),
            "recheck_holds": handle_recheck(rules),
            "recheck_held": handle_recheck_held(rules),
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
