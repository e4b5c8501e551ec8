"""Authorisations over time: watched before they end, asked for again, given up when the order has ended.

An authorisation that ends unused takes the payment from under goods that may have been promised: the order is held, a
person is told and the buyer written to, until another one is known.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hub.domain.decision import Decision, DueTask, Verdict
from hub.domain.events import Fact
from hub.domain.ids import derived_id
from hub.domain.money import decimal_text, money_text
from hub.domain.order import OrderStatus, status
from hub.domain.payment import CallState, Payment, Purpose
from hub.domain.snapshot import Snapshot
from hub.oms.desk.load import Case, new_hold, open_case
from hub.oms.desk.save import save, tell
from hub.oms.desk.times import instant, instant_text
from hub.oms.intake.holds import AUTHORISATION, HUB, release
from hub.oms.money.exchanged import give_back_unsent
from hub.oms.money.invoice import invoice_rest
from hub.oms.money.pay import HUB as HUB_MANAGED
from hub.oms.money.pay import ask, capture_what_is_due, give_back, of_order, owed, release_authorisation, watch_expiry
from hub.oms.ports import Rules
from hub.oms.telling.tell import notify

ZERO = Decimal(0)
ENDED = (OrderStatus.CLOSED, OrderStatus.CANCELLED)


def handle_authorisation_expiry(rules: Rules) -> Callable[[DueTask, Snapshot, dt.datetime], Decision]:
    """The task `authorisation_expiry`: subject is a payment, due some time before its authorisation ends and then."""

    def look(task: DueTask, snapshot: Snapshot, now: dt.datetime) -> Decision:
        case = open_case(snapshot, rules, now, task.id, str(task.payload["order"]))
        payment = next((one for one in case.payments if one.id == task.subject), None) if case else None
        if case is None or payment is None:
            return Decision(Verdict.IGNORED, message="there is no such payment any more")
        ends = payment.expires_at
        if ends is None or payment.open <= 0 or instant_text(ends) != task.payload["ends"]:
            message = "nothing of it is open, or it lasts longer now"
            return Decision(Verdict.IGNORED, subject=case.order.id, message=message)
        if status(case.order) in ENDED:
            release_authorisation(case, "the order has ended")
        elif now < ends:
            _again(case, payment)
        else:
            expired(case, payment)
        return save(case)

    return look


def expired(case: Case, payment: Payment, amount: Decimal | None = None) -> None:
    """What was open has lapsed. It is asked for again; where that cannot be, the order waits for another payment."""
    gone = payment.see_voided(amount, expired=True)
    if gone <= 0:
        return
    told = {"payment": payment.id, "amount": decimal_text(gone), "currency": payment.currency}
    tell(case, Fact.PAYMENT_EXPIRED, f"{case.cause}/{payment.id}", **told)
    if status(case.order) in ENDED:
        payment.give_up()
    elif "reauthorising" not in payment.facts and not _ask_again(case, payment, gone):
        payment_lost(case, payment, f"{money_text(gone, payment.currency)} were authorised and have expired")


def _again(case: Case, payment: Payment) -> None:
    if "reauthorising" in payment.facts or _ask_again(case, payment, payment.open):
        return
    assert payment.expires_at is not None
    case.raise_exception(
        f"authorisation-ends/{payment.id}",
        "authorisation_ends",
        "An authorisation ends before its goods have left",
        f"{money_text(payment.open, payment.currency)} at {payment.connection}, which cannot authorise again.",
        "Ship before it ends, or get another payment from the customer.",
        f"hub payments list --order {case.order.id}",
    )


def _ask_again(case: Case, payment: Payment, amount: Decimal) -> bool:
    if payment.connection not in case.rules.takers.get("reauthorise", ()):
        return False
    number = int(payment.facts.get("reauthorisations", 0)) + 1
    payment.facts = {**payment.facts, "reauthorisations": number, "reauthorising": decimal_text(amount)}
    ask(case, payment, "reauthorise", f"reauthorise/{number}", amount)
    return True


def ask_first(case: Case, payment: Payment, amount: Decimal) -> None:
    """The channel names means of payment that nobody has authorised yet: the provider is asked, the order waits."""
    if payment.connection not in case.rules.takers.get("authorise", ()):
        payment_lost(case, payment, "it is not authorised, and the provider is not asked for authorisations")
        return
    payment.facts = {**payment.facts, "source": payment.external_id, "wanted": decimal_text(amount), "first": True}
    _hold(case, payment, "the provider is asked to authorise it")
    ask(case, payment, "authorise", "authorise", amount)


def payment_lost(case: Case, payment: Payment, words: str) -> None:
    """What has not left waits for another payment: a hold, a person, a letter to the buyer."""
    _hold(case, payment, words)
    case.raise_exception(
        f"payment-lost/{payment.id}",
        "payment_lost",
        "An order is not paid for any more",
        f"{payment.connection}: {words}",
        "Get another payment from the customer; the order goes on when it is known. Or cancel the order.",
        f"hub payments list --order {case.order.id}",
    )
    notify(case, "payment_failed", f"payment/{payment.id}/{case.cause}")


def _hold(case: Case, payment: Payment, words: str) -> None:
    hold = new_hold(case, "payment", AUTHORISATION, "payments", words, None, payment.id)
    before = next((one for one in case.order.holds if one.id == hold.id), None)
    if before is None:
        case.order.holds.append(hold)
        return
    before.hint = words
    if not before.open:
        before.released_at = before.released_by = None


def payment_found(case: Case, payment: Payment) -> None:
    """Money can be taken again: the order goes on, and what has left meanwhile is charged."""
    case.clear_exception(f"payment-lost/{payment.id}", "authorised")
    case.clear_exception(f"authorisation-ends/{payment.id}", "authorised")
    held = [hold for hold in case.order.holds if hold.open and hold.rule == AUTHORISATION]
    for hold in held:
        release(case, hold, HUB)
    if held and case.acts and not case.order.open_holds():
        case.task("allocate", case.order.id, case.now, "paid")
    if owed(case):
        capture_what_is_due(case, f"authorised/{case.cause}", {})


def authorised(
    case: Case, payment: Payment, amount: Decimal, external_id: str | None, ends: str | None, *, again: bool
) -> None:
    """The provider authorised `amount`: anew, or in the place of what was open before."""
    if again:
        payment.authorised_again(amount, external_id)
    else:
        payment.see_authorised(amount, external_id)
    rename(case, payment, external_id)
    until = instant(ends)
    if until is not None:
        payment.expires_at = until
        watch_expiry(case, payment)
    tell(
        case,
        Fact.PAYMENT_AUTHORISED,
        f"{case.cause}/{payment.id}",
        payment=payment.id,
        amount=decimal_text(amount),
        currency=payment.currency,
    )
    payment_found(case, payment)


def rename(case: Case, payment: Payment, external_id: str | None) -> None:
    """The provider calls the payment otherwise now; what it says under the old name is of this payment still."""
    old = payment.external_id
    if not external_id or external_id == old:
        return
    payment.external_id = external_id
    if old:
        case.decision.writes.insert(
            "cross_references",
            {
                "id": derived_id("xr", payment.connection, "payment", old),
                "system": payment.connection,
                "entity": "payment",
                "external_id": old,
                "role": "alias",
                "internal_id": payment.id,
                "valid_from": case.now,
                "valid_to": None,
            },
            ignore=True,
        )


def authorise_answered(
    case: Case, payment: Payment, capability: str, accepted: bool, refused: bool, reply: dict[str, Any], words: str
) -> None:
    """The answer to authorise or reauthorise."""
    said = reply.get("payment") or {}
    external_id = str(said.get("external_id") or reply.get("external_id") or "") or None
    if capability == "reauthorise":
        asked = payment.facts.get("reauthorising")
        if asked is None or not (accepted or refused):
            return
        payment.facts = {name: value for name, value in payment.facts.items() if name != "reauthorising"}
        if accepted:
            amount = Decimal(str(said.get("amount", asked)))
            authorised(case, payment, amount, external_id, said.get("expires_at"), again=True)
        else:
            payment_lost(case, payment, words)
        return
    if accepted and payment.authorised == 0:
        amount = Decimal(str(said.get("amount", payment.facts["wanted"])))
        authorised(case, payment, amount, external_id, said.get("expires_at"), again=False)
    elif refused and payment.authorised == 0:
        payment.failed = True
        tell(case, Fact.PAYMENT_FAILED, payment.id, payment=payment.id, currency=payment.currency)
        if payment.facts.get("first"):
            payment_lost(case, payment, words)
            return
        case.raise_exception(
            f"collect-failed/{payment.id}",
            "collect_failed",
            "A difference could not be charged",
            f"{payment.facts['wanted']} {payment.currency} at {payment.connection}: {words}",
            "Ask the customer for another way to pay.",
            f"hub payments list --order {case.order.id}",
        )


def handle_settle_money(rules: Rules) -> Callable[[DueTask, Snapshot, dt.datetime], Decision]:
    """The task `settle_money`: subject is an order that has ended. What was paid for goods that never left goes back,
    in money or in goods; what is authorised still is given up, unless something that has left is not paid yet."""

    def settle(task: DueTask, snapshot: Snapshot, now: dt.datetime) -> Decision:
        case = open_case(snapshot, rules, now, task.id, task.subject)
        if case is None:
            return Decision(Verdict.IGNORED, message="there is no such order any more")
        if status(case.order) not in ENDED:
            return Decision(Verdict.IGNORED, subject=case.order.id, message="the order goes on")
        if status(case.order) is OrderStatus.CLOSED:
            invoice_rest(case)
        give_back_unsent(case)
        if not case.order.facts.get("hub_payments"):
            return save(case)
        if any(one.state.open for one in case.captures):
            return save(case)
        too_much = paid_too_much(case)
        if too_much >= 0:
            release_authorisation(case, "the order has ended")
        # Of money that went back for other reasons nothing is left to be given back again.
        too_much = min(too_much, sum((one.refundable for one in of_order(case)), ZERO))
        if too_much > 0:
            give_back(case, too_much, f"overpaid/{task.id}", "paid for what never left", purpose=Purpose.OVERPAID)
        return save(case)

    return settle


def paid_too_much(case: Case) -> Decimal:
    """What was captured beyond what is owed and was not given back for that, in the order's currency; below zero where
    something is owed still.

    What others gave back without saying why counts as given back for that: money must not go out twice.
    """
    taken = sum((one.captured for one in of_order(case) if one.managed_by == HUB_MANAGED), ZERO)
    back = sum(
        (
            one.amount
            for one in case.refunds
            if one.currency == case.order.currency
            and one.purpose is not Purpose.CREDIT
            and one.state is not CallState.FAILED
        ),
        ZERO,
    )
    return taken - sum(owed(case).values(), ZERO) - back
