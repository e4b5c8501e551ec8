"""What providers and channels answer to what they were asked about money, and how a capture or refund ends.

An answer, the event that tells the same, and a person's word end a call alike: whichever comes first moves the ledger,
the others find it moved.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hub.domain.events import Fact
from hub.domain.money import decimal_text, money_text
from hub.domain.order import status
from hub.domain.payment import STORE_CREDIT, CallState, Capture, MoneyKind, Payment, Purpose, Refund
from hub.oms.desk.load import Case
from hub.oms.desk.save import tell
from hub.oms.money.authorisation import ENDED as ENDED_ORDERS
from hub.oms.money.authorisation import authorise_answered
from hub.oms.money.credit import credit_what_went_back
from hub.oms.money.pay import HUB, give_back_what_waited, manages_money, tell_channel
from hub.oms.telling.tell import notify

ZERO = Decimal(0)
CAPABILITIES = frozenset({"authorise", "reauthorise", "capture", "refund", "void"})
DONE = frozenset({"success", "duplicate"})
AT = "at"
"""Of a capture: when that happened which was told of it last."""
ENDED = frozenset({"rejected", "refused", "gone", "abandoned", "withdrawn"})


def answered(case: Case, capability: str, key: str, record: dict[str, Any]) -> None:
    """What became of a call to a payment provider. `key` is `payment/<payment>/<part>`."""
    _, payment_id, part = key.split("/", 2)
    payment = payment_of(case, payment_id)
    if payment is None:
        return
    resolution, reply = str(record.get("resolution", "success")), record.get("reply") or {}
    accepted = resolution in DONE and reply.get("accepted") is not False
    refused = resolution in ENDED or (resolution in DONE and not accepted)
    external_id = str(reply.get("external_id") or record.get("external_id") or "") or None
    words = case.discreet(str(reply.get("reason") or record.get("words") or "no reason given"))
    if capability == "capture":
        capture = next((one for one in case.captures if one.id == part), None)
        if capture is not None:
            if accepted:
                amount = Decimal(str((reply.get("payment") or {}).get("amount", capture.amount)))
                capture_succeeded(case, payment, capture, amount, external_id)
            elif refused:
                capture_failed(case, payment, capture, words)
            else:
                capture.state = CallState.UNKNOWN if capture.state.open else capture.state
    elif capability == "refund":
        refund = next((one for one in case.refunds if one.id == part), None)
        if refund is not None and accepted and (reply.get("attributes") or {}).get("status") == "pending":
            # The provider has taken it on; how it ends, an event says.
            refund.external_id = external_id
        elif refund is not None:
            refund_answered(case, refund, payment.connection, accepted, refused, external_id, words)
    elif capability == "void":
        _void_answered(case, payment, accepted, refused, words)
    else:
        authorise_answered(case, payment, capability, accepted, refused, reply, words)


def payment_of(case: Case, payment_id: str | None) -> Payment | None:
    return next((one for one in case.payments if one.id == payment_id), None)


def capture_succeeded(
    case: Case, payment: Payment, capture: Capture, amount: Decimal, external_id: str | None, at: str = ""
) -> None:
    """The provider charged `amount` for a capture of ours. `at`: when, where an event tells it."""
    if capture.state is CallState.SUCCEEDED or (capture.state is CallState.FAILED and not at and AT in capture.facts):
        # Said again; or the yes of a call that an event has overtaken, which says how it ended.
        capture.external_id = capture.external_id or external_id
        return
    asked = capture.amount if capture.state.open else ZERO
    covered = payment.see_captured(amount, external_id, asked=asked)
    capture.state, capture.external_id, capture.amount = CallState.SUCCEEDED, external_id, amount
    _dated(capture, at)
    case.clear_exception(f"capture-failed/{capture.id}", "it was captured")
    told = {"payment": payment.id, "capture": capture.id, "amount": decimal_text(amount)}
    tell(case, Fact.PAYMENT_CAPTURED, capture.id, currency=payment.currency, **told)
    give_back_what_waited(case)
    settle_when_ended(case)
    if not covered:
        over_captured(case, payment, amount)


def overtaken(capture: Capture, at: str) -> bool:
    """Something later is known of the capture than what happened `at`."""
    return bool(at) and at < str(capture.facts.get(AT, ""))


def _dated(capture: Capture, at: str) -> None:
    if at:
        capture.facts = {**capture.facts, AT: at}


def settle_when_ended(case: Case) -> None:
    """The order ended while a capture was under way: what is left of its payments is settled now."""
    if status(case.order) in ENDED_ORDERS and not any(one.state.open for one in case.captures):
        case.task("settle_money", case.order.id, case.now)


def over_captured(case: Case, payment: Payment, amount: Decimal) -> None:
    """Somebody captured what no authorisation that we know covers. It is counted; a person is told."""
    case.raise_exception(
        f"over-captured/{payment.id}",
        "over_captured",
        "More was captured than was authorised",
        f"{payment.connection} captured {money_text(amount, payment.currency)} beyond what was open.",
        "Compare with the provider; refund what is too much.",
        f"hub payments list --order {case.order.id}",
    )


def capture_failed(case: Case, payment: Payment, capture: Capture, words: str, at: str = "") -> None:
    """The provider did not charge it, or took its yes back. Nothing is stopped silently: a person reads why, in the
    provider's words."""
    undone = capture.state is CallState.SUCCEEDED
    if capture.state is CallState.FAILED or overtaken(capture, at) or (undone and not at):
        return
    if undone:
        payment.capture_undone(capture.amount)
    else:
        payment.capture_failed(capture.amount)
    capture.state = CallState.FAILED
    capture.facts = {**capture.facts, "words": words}
    _dated(capture, at)
    case.raise_exception(
        f"capture-{'undone' if undone else 'failed'}/{capture.id}",
        "capture_undone" if undone else "capture_failed",
        "A payment that was captured has failed after all" if undone else "A payment could not be captured",
        f"{money_text(capture.amount, payment.currency)} at {payment.connection}: {words}",
        "Ask the customer for another way to pay, or try again.",
        f"hub payments capture {case.order.id} --reason WHY",
    )
    told = {"payment": payment.id, "capture": capture.id, "amount": decimal_text(capture.amount)}
    tell(case, Fact.PAYMENT_CAPTURE_FAILED, capture.id, currency=payment.currency, **told)
    give_back_what_waited(case)


def refund_answered(
    case: Case, refund: Refund, by: str, accepted: bool, refused: bool, external_id: str | None, words: str
) -> None:
    if accepted:
        refund_succeeded(case, refund, by, external_id)
    elif refused:
        refund_failed(case, refund, by, words)
    elif refund.state.open:
        refund.state = CallState.UNKNOWN


def refund_succeeded(case: Case, refund: Refund, by: str, external_id: str | None) -> None:
    """The money went back, says the connection `by`. Said again, by it or another, it is the same money."""
    seen = refund.facts.get("seen", {})
    if external_id or by not in seen:
        refund.facts = {**refund.facts, "seen": {**seen, by: external_id or seen.get(by, "")}}
    if refund.state is CallState.SUCCEEDED or refund.facts.get("undone"):
        # Said again; or the yes of a call that came to nothing, as was told before.
        return
    payment = payment_of(case, refund.payment_id)
    asked = refund.amount if refund.state.open else ZERO
    if payment is not None and refund.tender == STORE_CREDIT:
        payment.see_store_credit(refund.amount, external_id, asked=asked)
    elif payment is not None:
        payment.see_refunded(refund.amount, external_id, asked=asked)
    else:
        journal_refund(case, refund, external_id)
    refund.state, refund.external_id = CallState.SUCCEEDED, external_id
    for cause in ("refund-failed", "refund-at-channel", "store-credit"):
        case.clear_exception(f"{cause}/{refund.id}", "the money went back")
    told = {"refund": refund.id, "amount": decimal_text(refund.amount), "currency": refund.currency}
    tell(case, Fact.REFUND_SUCCEEDED, refund.id, **told)
    credit_what_went_back(case)
    for one in case.returns:
        if refund.id in one.facts.get("refunds", ()):
            case.task("close_return", one.id, case.now, refund.id, payload={"order": case.order.id})
    if refund.purpose is not Purpose.OBSERVED:
        reason = str(refund.facts.get("reason", ""))
        notify(case, "refunded", refund.id, amount=decimal_text(refund.amount), reason=reason)
    told_us = case.order.channel in seen or refund.tender == STORE_CREDIT
    if payment is not None and payment.managed_by == HUB and not told_us and manages_money(case):
        tell_channel(case, refund)


def refund_failed(case: Case, refund: Refund, by: str, words: str, *, told: bool = False) -> None:
    """The money did not go back, or came back to us. `told`: not by the answer to our call, but later."""
    undone = refund.state is CallState.SUCCEEDED
    if refund.state is CallState.FAILED or (undone and not told):
        return
    payment = payment_of(case, refund.payment_id)
    if undone and payment is not None and refund.tender == STORE_CREDIT:
        payment.see_store_credit(-refund.amount, refund.external_id)
    elif undone and payment is not None:
        payment.refund_undone(refund.amount, refund.external_id)
    elif undone:
        journal_refund(case, refund, refund.external_id, -refund.amount)
    elif payment is not None:
        payment.refund_failed(refund.amount)
    refund.state = CallState.FAILED
    refund.facts = {**refund.facts, "words": words} | ({"undone": True} if told else {})
    case.raise_exception(
        f"refund-{'undone' if undone else 'failed'}/{refund.id}",
        "refund_undone" if undone else "refund_failed",
        "Money that was given back has come back" if undone else "Money could not be given back",
        f"{money_text(refund.amount, refund.currency)} at {by}: {words}",
        "Give it back another way, or try again.",
        f"hub orders refund {case.order.id} --amount {decimal_text(refund.amount)} --reason WHY",
    )
    data = {"refund": refund.id, "amount": decimal_text(refund.amount), "currency": refund.currency}
    tell(case, Fact.REFUND_FAILED, refund.id, **data)


def journal_refund(case: Case, refund: Refund, external_id: str | None, amount: Decimal | None = None) -> None:
    """A refund of money that no payment of the order stands for has its journal entry all the same."""
    case.decision.writes.insert(
        "money_moves",
        {
            "id": case.new_id("mm", refund.id),
            "order_id": case.order.id,
            "payment_id": None,
            "kind": MoneyKind.STORE_CREDIT.value if refund.tender else MoneyKind.REFUNDED.value,
            "currency": refund.currency,
            "amount": refund.amount if amount is None else amount,
            "external_id": external_id,
            "document": {"refund": refund.id},
            "at": case.now,
        },
    )


def store_credit_answered(case: Case, key: str, record: dict[str, Any]) -> None:
    """The answer to issue_store_credit: its yes is the credit."""
    refund = next((one for one in case.refunds if one.id in key.split("/")), None)
    if refund is None:
        return
    resolution, reply = str(record.get("resolution", "success")), record.get("reply") or {}
    accepted = resolution in DONE and reply.get("accepted") is not False
    refused = resolution in ENDED or (resolution in DONE and not accepted)
    external_id = str(reply.get("external_id") or record.get("external_id") or "") or None
    words = case.discreet(str(reply.get("reason") or record.get("words") or "no reason given"))
    refund_answered(case, refund, str(record["destination"]), accepted, refused, external_id, words)


def channel_answered(case: Case, key: str, record: dict[str, Any]) -> None:
    """The answer to push_refund: where the channel manages the money, its yes is the refund."""
    refund = next((one for one in case.refunds if one.id in key.split("/")), None)
    if refund is None:
        return
    payment = payment_of(case, refund.payment_id)
    resolution, reply = str(record.get("resolution", "success")), record.get("reply") or {}
    accepted = resolution in DONE and reply.get("accepted") is not False
    external_id = str(reply.get("external_id") or record.get("external_id") or "") or None
    by = str(record.get("destination") or case.order.channel)
    if payment is not None and payment.managed_by == HUB:
        if accepted:
            refund.facts = {**refund.facts, "seen": {**refund.facts.get("seen", {}), by: external_id or ""}}
        return
    refused = resolution in ENDED or (resolution in DONE and not accepted)
    words = case.discreet(str(reply.get("reason") or record.get("words") or "no reason given"))
    refund_answered(case, refund, by, accepted, refused, external_id, words)


def _void_answered(case: Case, payment: Payment, accepted: bool, refused: bool, words: str) -> None:
    voiding = payment.facts.get("voiding")
    if voiding is None or not (accepted or refused):
        return
    payment.facts = {name: value for name, value in payment.facts.items() if name != "voiding"}
    if accepted:
        gone = payment.see_voided(Decimal(voiding))
        case.clear_exception(f"void-failed/{payment.id}", "it was voided")
        tell(case, Fact.PAYMENT_VOIDED, f"{case.cause}/{payment.id}", payment=payment.id, amount=decimal_text(gone))
        return
    case.raise_exception(
        f"void-failed/{payment.id}",
        "void_failed",
        "An authorisation could not be given up",
        f"{voiding} {payment.currency} at {payment.connection}: {words}",
        "Void it at the provider; otherwise it lapses when it expires.",
        f"hub payments list --order {case.order.id}",
    )
