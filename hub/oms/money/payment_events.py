"""What a payment provider says of a payment, by webhook or poll: facts, in whatever order they come.

Our own captures and voids come back here, often before their answer; they are recognised and booked once.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal

from hub.domain.decision import Decision, Incoming, Verdict
from hub.domain.events import Fact
from hub.domain.ids import derived_id
from hub.domain.money import decimal_text, money_text
from hub.domain.order import status
from hub.domain.payment import CallState, Capture, Payment, PaymentState
from hub.domain.snapshot import Snapshot
from hub.oms.desk.load import Case
from hub.oms.desk.save import save, tell
from hub.oms.desk.times import instant, instant_text
from hub.oms.money.authorisation import ENDED, authorised, expired, payment_lost
from hub.oms.money.pay import open_case_of, open_payment, payment_key
from hub.oms.money.payment_answers import capture_failed, capture_succeeded, over_captured, overtaken
from hub.oms.ports import Rules

ZERO = Decimal(0)
_DISPUTE = {"dispute_won": PaymentState.WON, "dispute_lost": PaymentState.LOST}


def handle_payment_event(rules: Rules) -> Callable[[Incoming, Snapshot, dt.datetime], Decision]:
    """The handler of the stream `payments`."""

    def apply_event(incoming: Incoming, snapshot: Snapshot, now: dt.datetime) -> Decision:
        record = incoming.record
        external_id = str(record["payment_external_id"])
        found, named = open_payment(snapshot, rules, now, incoming.id, incoming.connection, external_id), ""
        if found is None:
            named = external_id
            found = open_case_of(snapshot, rules, now, incoming.id, str(record.get("reference", "")))
        if found is None:
            waits_for = payment_key(incoming.connection, external_id)
            return Decision(Verdict.WAITING, waits_for=waits_for, message="the payment is not known")
        case, payment = found
        if record.get("currency", payment.currency) != payment.currency:
            message = f"it is in {record['currency']}, the payment in {payment.currency}"
            return Decision(Verdict.PARKED, code="other_currency", error_field="currency", message=message)
        _apply(case, payment, incoming, named)
        return save(case)

    return apply_event


def _apply(case: Case, payment: Payment, incoming: Incoming, named: str) -> None:
    """`named` is what the provider calls a payment that only our own key told apart: it came before the answer to the
    call, which would have said so."""
    record = incoming.record
    at = instant(record.get("occurred_at"))
    event, words = str(record["event"]), case.discreet(str(record.get("words", "no reason given")))
    amount = Decimal(str(record["amount"])) if "amount" in record else None
    if event == "authorised":
        if amount is not None and "reauthorising" not in payment.facts and amount > payment.authorised:
            authorised(case, payment, amount, named or None, record.get("expires_at"), again=False)
    elif event == "captured":
        _captured(case, payment, incoming, amount or ZERO)
    elif event == "capture_failed":
        capture = _ours(case, payment, incoming, amount)
        if capture is not None:
            capture_failed(case, payment, capture, words, instant_text(at or case.now))
    elif event == "voided":
        _voided(case, payment, amount)
    elif event == "expired":
        expired(case, payment, amount)
    elif event == "failed":
        payment.failed = True
        tell(case, Fact.PAYMENT_FAILED, incoming.fact_key, payment=payment.id, currency=payment.currency)
        if payment.authorised == 0 and status(case.order) not in ENDED:
            payment_lost(case, payment, words)
    else:
        _dispute(case, payment, event, incoming, amount, words)


def _captured(case: Case, payment: Payment, incoming: Incoming, amount: Decimal) -> None:
    external_id = str(incoming.record.get("external_id", "")) or None
    capture = _ours(case, payment, incoming, amount)
    if capture is not None:
        at = instant_text(instant(incoming.record.get("occurred_at")) or case.now)
        if not overtaken(capture, at):
            capture_succeeded(case, payment, capture, amount, external_id, at)
        return
    if amount <= 0:
        return
    covered = payment.see_captured(amount, external_id)
    row_id = derived_id("cp", payment.id, external_id or incoming.fact_key)
    capture = Capture(row_id, case.order.id, payment.id, amount, "observed", case.now, CallState.SUCCEEDED, external_id)
    case.captures.append(capture)
    told = {"payment": payment.id, "capture": capture.id, "amount": decimal_text(amount)}
    tell(case, Fact.PAYMENT_CAPTURED, capture.id, currency=payment.currency, **told)
    if not covered:
        over_captured(case, payment, amount)


def _ours(case: Case, payment: Payment, incoming: Incoming, amount: Decimal | None) -> Capture | None:
    """The capture that this tells of: by our key, by the provider's id, else one of as much that is unanswered."""
    parts = str(incoming.record.get("reference", "")).split("/")
    external_id = incoming.record.get("external_id")
    of_payment = [one for one in case.captures if one.payment_id == payment.id]
    for one in of_payment:
        if one.id in parts or (external_id and one.external_id == external_id):
            return one
    if parts != [""]:
        return None
    return next((one for one in of_payment if one.state.open and amount in (None, one.amount)), None)


def _voided(case: Case, payment: Payment, amount: Decimal | None) -> None:
    ours = payment.facts.get("voiding")
    payment.facts = {name: value for name, value in payment.facts.items() if name != "voiding"}
    gone = payment.see_voided(amount)
    if gone <= 0:
        return
    told = {"payment": payment.id, "amount": decimal_text(gone), "currency": payment.currency}
    tell(case, Fact.PAYMENT_VOIDED, f"{case.cause}/{payment.id}", **told)
    if ours is None and status(case.order) not in ENDED:
        payment_lost(case, payment, f"{money_text(gone, payment.currency)} were voided by somebody else")


def _dispute(case: Case, payment: Payment, event: str, incoming: Incoming, amount: Decimal | None, words: str) -> None:
    """A customer takes the money back through the bank. What the ledger holds stays; the payout shows what it cost."""
    cause_key = f"disputed/{payment.id}"
    told = {"payment": payment.id, "currency": payment.currency}
    at, known = str(incoming.record.get("occurred_at", "")), str(payment.facts.get("disputed_at", ""))
    if at < known:
        return
    payment.facts = {**payment.facts, "disputed_at": at} if at else payment.facts
    if event == "disputed":
        again = payment.dispute is PaymentState.WON and known and at > known
        if payment.dispute is not None and not again:
            return
        payment.dispute = PaymentState.DISPUTED
        until = incoming.record.get("respond_by")
        case.raise_exception(
            cause_key,
            "disputed",
            "A customer disputes a payment",
            f"{money_text(amount or payment.captured, payment.currency)} at {payment.connection}: {words}"
            + (f"; answer by {until}" if until else ""),
            "Send the provider the proof of delivery before the time is over.",
            f"hub orders show {case.order.id}",
        )
        tell(case, Fact.PAYMENT_DISPUTED, incoming.fact_key, **told)
        return
    payment.dispute = _DISPUTE[event]
    case.clear_exception(cause_key, "the dispute has ended")
    case.clear_exception(f"dispute-lost/{payment.id}", "it was decided anew")
    tell(case, Fact.PAYMENT_DISPUTE_ENDED, incoming.fact_key, outcome=payment.dispute.value, **told)
    if payment.dispute is PaymentState.LOST:
        case.raise_exception(
            f"dispute-lost/{payment.id}",
            "dispute_lost",
            "A disputed payment is lost",
            f"{money_text(amount or payment.captured, payment.currency)} at {payment.connection}: {words}",
            "Write it off in the ERP, or claim it from the customer.",
            f"hub orders show {case.order.id}",
        )
