"""Money by hand: give it back, try to take it again, look once more for what a payout paid for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from hub.actions.once import Once
from hub.actions.orders import Changed, found
from hub.domain.decision import Decision, Verdict
from hub.domain.masking import masked, private_texts
from hub.domain.money import decimal_text, money_text
from hub.domain.payment import ORIGINAL, STORE_CREDIT
from hub.domain.snapshot import Snapshot
from hub.domain.writeset import Insert
from hub.exchange.exceptions import audit
from hub.exchange.verbs import Refused
from hub.oms.money.payment_actions import capture_again, refund_made, refund_order
from hub.oms.money.payouts import match_again
from hub.oms.ports import Rules
from hub.runtime.hub import Hub

MATCHED_AT_ONCE = 500
"""Lines that one call looks at; each takes up to five look-ups."""


def refund(
    hub: Hub,
    who: str,
    reference: str,
    reason: str,
    amount: str | None = None,
    lines: Mapping[str, str] | None = None,
    tender: str = ORIGINAL,
    version: int | None = None,
    once: Once | None = None,
) -> dict[str, Any]:
    """Give an amount back, or what units of lines were charged ({line: units}). Moves no goods. `tender`: "" is what
    the order was paid with, else store_credit. Raises Refused."""
    if tender not in (ORIGINAL, STORE_CREDIT):
        raise Refused(f"{tender} is no tender: leave it out, or say store_credit")
    if (amount is None) == (not lines):
        raise Refused("A refund is of an amount or of units of lines, one of the two")
    wanted = None if amount is None else _decimal(amount)
    units = {line: _decimal(text) for line, text in (lines or {}).items()}
    order = found(hub, reference)
    answer: dict[str, Any] = {"order": order}

    def verb(snapshot: Snapshot, rules: Rules, now: dt.datetime, cause: str) -> Decision:
        decision = refund_order(snapshot, rules, now, cause, order, who, reason, wanted, units, tender)
        rows = [one.row for one in decision.writes.operations if isinstance(one, Insert) and one.table == "refunds"]
        given = sum((row["amount"] for row in rows), Decimal(0))
        currency = rows[0]["currency"] if rows else ""
        answer.update(amount=decimal_text(given), currency=currency, refund=rows[0]["id"] if rows else "")
        how = " as store credit" if tender == STORE_CREDIT else ""
        answer["message"] = f"{order}: {money_text(given, currency)} is being given back{how}"
        return decision

    _do(hub, "orders.refund", order, verb, who, reason, version, answer, once)
    return answer


def refunded(
    hub: Hub, who: str, reference: str, reason: str, external_id: str, refund: str = "", version: int | None = None
) -> dict[str, Any]:
    """Say that a refund which only a person can make at the channel was made there. Raises Refused, Changed."""
    order = found(hub, reference)
    answer = {"order": order, "external_id": external_id, "message": f"{order}: the refund counts as made"}

    def verb(snapshot: Snapshot, rules: Rules, now: dt.datetime, cause: str) -> Decision:
        return refund_made(snapshot, rules, now, cause, order, who, refund, external_id)

    _do(hub, "payments.refunded", order, verb, who, reason, version, answer, None)
    return answer


def capture(hub: Hub, who: str, reference: str, reason: str, version: int | None = None) -> dict[str, Any]:
    """Try once more to take what has left and is not paid. Raises Refused, Changed."""
    order = found(hub, reference)
    answer = {"order": order, "message": f"{order}: what is due is being captured again"}

    def verb(snapshot: Snapshot, rules: Rules, now: dt.datetime, cause: str) -> Decision:
        return capture_again(snapshot, rules, now, cause, order, who, reason)

    _do(hub, "payments.capture", order, verb, who, reason, version, answer, None)
    return answer


def _do(
    hub: Hub,
    action: str,
    order: str,
    verb: Callable[[Snapshot, Rules, dt.datetime, str], Decision],
    who: str,
    reason: str,
    version: int | None,
    answer: dict[str, Any],
    once: Once | None,
) -> None:
    cause = hub.ids.new("ac", hub.clock.now())

    def decide(snapshot: Snapshot, now: dt.datetime) -> Decision:
        old = once.look(snapshot, now) if once else False
        row = snapshot.row("orders", {"id": order}) if version is not None else None
        if row is not None and row["version"] != version:
            raise Changed(f"{order} is at version {row['version']} by now, not {version}")
        decision = verb(snapshot, hub.rules, now, cause)
        if decision.verdict is Verdict.APPLIED:
            contacts = snapshot.rows("contacts", {"order_id": order})
            said = masked(reason, private_texts(one["data"] for one in contacts))
            told = {"amount": answer["amount"]} if "amount" in answer else {}
            audit(decision.writes, action, order, who, said, now, told)
            if once:
                once.keep(decision.writes, answer, now, old=old)
        return decision

    decision = hub.commit_decision(decide, cause)
    if decision.verdict is not Verdict.APPLIED:
        raise Refused(decision.message or f"nothing can be done about the money of {order}")


def match(hub: Hub, who: str) -> dict[str, Any]:
    """Look once more for what unmatched lines of payouts pay for: their orders may have come since."""
    cause = hub.ids.new("ac", hub.clock.now())
    count = 0

    def decide(snapshot: Snapshot, now: dt.datetime) -> Decision:
        nonlocal count
        decision = match_again(snapshot, MATCHED_AT_ONCE)
        count = len(decision.writes.operations)
        audit(decision.writes, "payments.match", cause, who, "", now, {"matched": str(count)})
        return decision

    hub.commit_decision(decide, cause)
    return {"matched": count, "message": f"{count} lines of payouts are matched now"}


def _decimal(text: str) -> Decimal:
    try:
        found = Decimal(str(text))
    except InvalidOperation:
        raise Refused(f"{text!r} is no amount such as 12.50") from None
    if not found.is_finite() or found <= 0:
        raise Refused(f"{text} is not above zero")
    return found
