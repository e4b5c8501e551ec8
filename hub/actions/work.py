"""What the people of locations do: report on fulfilment orders, see buyers arrive, move goods between locations."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from hub.actions.once import Once
from hub.actions.orders import found
from hub.domain.decision import Decision, Verdict
from hub.domain.masking import masked, private_texts
from hub.domain.snapshot import Snapshot
from hub.exchange.exceptions import audit
from hub.exchange.verbs import Refused
from hub.oms.fulfilment.staff import buyer_arrived, collect_elsewhere, report_work
from hub.oms.stock.move_stock import transfer_stock
from hub.runtime.hub import Hub

Decide = Callable[[Snapshot, dt.datetime, str], Decision]


def _do(
    hub: Hub, action: str, subject: str, who: str, words: str, decide: Decide, once: Once | None, told: dict[str, Any]
) -> dict[str, Any]:
    """Decide, audit and keep the answer in one write set. Raises Refused."""
    cause = hub.ids.new("ac", hub.clock.now())
    answer: dict[str, Any] = {}

    def compute(snapshot: Snapshot, now: dt.datetime) -> Decision:
        old = once.look(snapshot, now) if once else False
        decision = decide(snapshot, now, cause)
        if decision.verdict is Verdict.APPLIED:
            order = decision.subject
            contacts = snapshot.rows("contacts", {"order_id": order})
            said = masked(words, private_texts(row["data"] for row in contacts))
            audit(decision.writes, action, subject or order, who, said, now, told)
            answer.clear()
            answer.update({**told, "order": order, "message": decision.message or f"{subject}: done"})
            if once:
                once.keep(decision.writes, answer, now, old=old)
        return decision

    decision = hub.commit_decision(compute, cause)
    if decision.verdict is not Verdict.APPLIED:
        raise Refused(decision.message)
    return answer


def report(
    hub: Hub, who: str, fulfilment_order: str, status: str, once: Once | None = None, **record: Any
) -> dict[str, Any]:
    """`record`: lines [{line, quantity}], reason, proof, by, packages, cancel_request, carrier, service,
    tracking_number; what is not given is left out."""
    given: Mapping[str, Any] = {name: value for name, value in record.items() if value not in (None, "", [])}
    told = {"fulfilment_order": fulfilment_order, "status": status}

    def decide(snapshot: Snapshot, now: dt.datetime, cause: str) -> Decision:
        decision = report_work(snapshot, hub.rules, now, cause, fulfilment_order, status, given)
        decision.message = decision.message or f"{fulfilment_order}: {status.replace('_', ' ')}"
        return decision

    return _do(hub, "work.report", fulfilment_order, who, str(given.get("reason", "")), decide, once, told)


def arrived(hub: Hub, who: str, reference: str, note: str, once: Once | None = None) -> dict[str, Any]:
    """The buyer waits outside; the note is theirs and is shown to the store."""
    order = found(hub, reference)

    def decide(snapshot: Snapshot, now: dt.datetime, cause: str) -> Decision:
        decision = buyer_arrived(snapshot, hub.rules, now, cause, order, note)
        decision.message = decision.message or f"{order}: the store is told that its buyer is there"
        return decision

    return _do(hub, "orders.arrived", order, who, "", decide, once, {})


def elsewhere(hub: Hub, who: str, reference: str, store: str, reason: str, once: Once | None = None) -> dict[str, Any]:
    """The buyer agreed to another store."""
    order = found(hub, reference)

    def decide(snapshot: Snapshot, now: dt.datetime, cause: str) -> Decision:
        decision = collect_elsewhere(snapshot, hub.rules, now, cause, order, store)
        decision.message = decision.message or f"{order}: what is left is collected at {store}"
        return decision

    return _do(hub, "orders.collect_elsewhere", order, who, reason, decide, once, {"store": store})


def transfer(
    hub: Hub, who: str, sku: str, source: str, destination: str, quantity: str, reason: str, once: Once | None = None
) -> dict[str, Any]:
    """Move units of a SKU from one location to another."""
    amount = Decimal(quantity)

    def decide(snapshot: Snapshot, now: dt.datetime, cause: str) -> Decision:
        return transfer_stock(snapshot, hub.rules, now, cause, sku, source, destination, amount, reason)

    told = {"sku": sku, "from": source, "to": destination, "quantity": format(amount, "f")}
    return _do(hub, "inventory.transfer", "", who, reason, decide, once, told)
