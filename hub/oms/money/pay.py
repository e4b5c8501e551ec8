"""Paying: charge what leaves, give back what is owed, let go of what is not needed, collect a difference.

Where the hub manages the money it asks the provider, within what is authorised and captured; the answer moves the
ledger. Where the channel does, what it owes is written down and it is told; its own refund settles that.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from hub.domain.decision import EffectRequest, TaskRequest
from hub.domain.events import Fact
from hub.domain.ids import derived_id
from hub.domain.link import LinkRole
from hub.domain.money import decimal_text, money_text, round_to_minor
from hub.domain.order import Effects, OrderLine
from hub.domain.payment import (
    ORIGINAL,
    STORE_CREDIT,
    CallState,
    Capture,
    Charge,
    Payment,
    PaymentState,
    Purpose,
    Refund,
    in_order,
    spread,
)
from hub.domain.snapshot import Snapshot
from hub.oms.desk.load import Case, open_case
from hub.oms.desk.save import tell
from hub.oms.desk.times import instant_text
from hub.oms.intake.linked import also_open
from hub.oms.money.collect_there import ask_channel_to_charge
from hub.oms.money.store_credit import ISSUED, issue
from hub.oms.ports import Rules
from hub.oms.telling.tell import push_refund

ZERO = Decimal(0)
HUB, CHANNEL = "hub", "channel"
Quantities = Sequence[tuple[OrderLine, Decimal]]


def manages_money(case: Case) -> bool:
    """The hub captures and refunds for the order's channel (its single payments may still be the channel's)."""
    return case.channel is not None and case.channel.money == HUB


def charge(case: Case, key: str, charge: Charge, shipment_id: str) -> None:
    """Goods have left that cost this: capture what is not paid yet, on the payments in their declared order.

    Called once a `key`, for every shipment and handover. What was paid in advance counts first.
    """
    if not manages_money(case) or not case.acts:
        return
    _owe(case, key, charge.amount)
    if not case.payments:
        _nothing_to_capture(case, charge.amount)
        return
    capture_what_is_due(case, key, {"shipment": shipment_id})


PAID = frozenset({"paid", "partially_refunded", "refunded"})


def _nothing_to_capture(case: Case, amount: Decimal) -> None:
    """The channel named no payment. Where it says that all is paid, there is nothing to do."""
    if amount <= 0 or case.order.facts.get("payment_state") in PAID:
        return
    case.raise_exception(
        f"capture-short/{case.order.id}",
        "capture_short",
        "What has left is not paid for",
        f"{money_text(amount, case.order.currency)} are owed; {case.order.channel} named no payment of the order.",
        "Have the channel name the order's payments, or charge the customer another way.",
        f"hub payments list --order {case.order.id}",
    )


def payer_of(case: Case) -> Case:
    """The order whose payments pay for this one: for goods that went out in exchange, the order they were exchanged
    for. It is saved with this one."""
    order = case.order
    if case.payments or not order.made_here:
        return case
    where = {"order_id": order.id, "role": LinkRole.EXCHANGE_FOR.value}
    links = case.snapshot.rows("order_links", where, limit=1)
    if not links:
        return case
    first = str(links[0]["other_order_id"])
    found = next((one for one in case.linked if one.order.id == first), None) or also_open(case, first)
    return case if found is None else payer_of(found)


def collect(case: Case, amount: Decimal, key: str, reason: str) -> None:
    """The customer owes more than the order came to (an exchange, an edit): charge the difference, once a `key`.

    What no authorisation covers is authorised anew on the payment that allows it.
    """
    payer = payer_of(case)
    if payer is not case:
        collect(payer, amount, key, reason)
        return
    if amount <= 0 or not case.acts or key in owed(case):
        return
    if not manages_money(case) or not case.payments:
        ask_channel_to_charge(case, amount, key, reason)
        return
    _owe(case, key, amount)
    short = _capture_due(case, key, {"reason": reason})
    if short > 0 and not _authorise_more(case, short, key):
        _short(case, short)


def _authorise_more(case: Case, amount: Decimal, key: str) -> bool:
    """Ask the provider to authorise an amount anew, with the means of a payment that stands."""
    able = case.rules.takers.get("authorise", ())
    sources = [one for one in of_order(case) if one.connection in able and one.captured > 0 and one.external_id]
    if not sources:
        return False
    source = in_order(sources, case.rules.capture_order)[0]
    payment = Payment(
        derived_id("py", case.order.id, "collect", key),
        case.order.id,
        source.connection,
        HUB,
        source.currency,
        method=source.method,
        priority=max(one.priority for one in case.payments) + 1,
        facts={"source": source.external_id, "wanted": decimal_text(amount)},
    )
    case.payments.append(payment)
    ask(case, payment, "authorise", "authorise", amount)
    return True


def capture_what_is_due(case: Case, key: str, facts: dict[str, Any]) -> None:
    """Ask for the captures that are missing between what is owed and what was taken or is being taken."""
    short = _capture_due(case, key, facts)
    if short > 0:
        _short(case, short)


def _capture_due(case: Case, key: str, facts: dict[str, Any]) -> Decimal:
    """Returns what no authorisation is left for; not what is being authorised."""
    order = case.order
    payments = of_order(case)
    taken = sum((one.captured + one.capturing for one in payments), ZERO)
    due = round_to_minor(sum(owed(case).values(), ZERO), order.currency or "") - taken
    if due <= 0:
        case.clear_exception(f"capture-short/{order.id}", "everything owed is paid")
        return ZERO
    chargeable = [one for one in in_order(payments, case.rules.capture_order) if one.managed_by == HUB]
    rooms = [ZERO if "voiding" in one.facts else one.open for one in chargeable]
    parts = spread(due, rooms)
    for payment, part in zip(chargeable, parts, strict=True):
        if part > 0:
            _capture(case, payment, part, key, facts)
    coming = sum(
        (
            Decimal(one.facts["wanted"])
            for one in payments
            if one.facts.get("wanted") and one.state is PaymentState.CREATED
        ),
        ZERO,
    )
    short = max(due - sum(parts, ZERO) - coming, ZERO)
    if not short:
        case.clear_exception(f"capture-short/{order.id}", "an authorisation covers it")
    return short


def _short(case: Case, short: Decimal) -> None:
    case.raise_exception(
        f"capture-short/{case.order.id}",
        "capture_short",
        "What has left is not paid for",
        f"{money_text(short, case.order.currency)} are owed and no authorisation is left to take them from.",
        "Get another authorisation from the customer; it is charged as soon as it is known.",
        f"hub payments list --order {case.order.id}",
    )


def _capture(case: Case, payment: Payment, amount: Decimal, key: str, facts: dict[str, Any]) -> None:
    payment.ask_capture(amount)
    capture = Capture(
        case.new_id("cp", payment.id), case.order.id, payment.id, amount, key, case.now, facts=dict(facts)
    )
    case.captures.append(capture)
    final = payment.open == 0
    ask(case, payment, "capture", capture.id, amount, final=final)
    told = {"payment": payment.id, "capture": capture.id, "amount": decimal_text(amount)}
    tell(case, Fact.PAYMENT_CAPTURE_ASKED, capture.id, currency=payment.currency, **told)


def give_back(
    case: Case,
    amount: Decimal,
    key: str,
    reason: str,
    lines: Quantities = (),
    purpose: Purpose = Purpose.CREDIT,
    tender: str = ORIGINAL,
    issued: str = "",
) -> str | None:
    """Give money back to the payments in their declared order, or as store credit (`tender`), once a `key`. `issued`:
    the number of credit that a person has given already. Returns the refund's id, or None where nothing is left to give
    back. Never more than was captured: what a capture under way may still bring waits for it, what lacks then raises an
    exception."""
    order, payer = case.order, payer_of(case)
    if payer is not case:
        # Lines are this order's; those of the paying order are others.
        return give_back(payer, amount, key, reason, (), purpose, tender, issued)
    rest, key = f"{key}{REST}", _as_promised(case, key)
    refund_id = derived_id("rf", order.id, key)
    if key in _owed_back(case) or any(one.key == key or one.key.startswith(rest) for one in case.refunds):
        return refund_id
    payments = in_order(of_order(case), case.rules.refund_order)
    wanted = round_to_minor(amount, order.currency or "")
    parts = spread(wanted, [one.refundable for one in payments])
    given = sum(parts, ZERO)
    waits = min(wanted - given, sum((one.capturing for one in payments), ZERO))
    if waits > 0:
        _wait_for_captures(case, key, waits, reason, () if given else lines, purpose, tender)
    disputed = any(one.dispute is not None and not one.refundable for one in payments)
    if given + waits < wanted:
        case.raise_exception(
            f"refund-not-covered/{order.id}/{key}",
            "refund_not_covered",
            "More is owed back than can be given back",
            f"{money_text(wanted, order.currency)} for {reason};"
            f" {money_text(given, order.currency)} can be given back"
            + (", a payment is disputed: its customer may have the money from their bank." if disputed else "."),
            "Pay the rest another way, or correct the amount.",
            f"hub payments list --order {order.id}",
        )
    facts: dict[str, Any] = {"reason": reason} | ({ISSUED: issued} if issued else {})
    named = {"lines": [[line.id, decimal_text(units)] for line, units in lines]} if lines else {}
    number = 0
    for payment, part in zip(payments, parts, strict=True):
        if part <= 0:
            continue
        row_id = refund_id if number == 0 else derived_id("rf", refund_id, str(number))
        of = payment.id or None
        refund = Refund(row_id, order.id, of, payment.currency, part, key, purpose, case.now, tender=tender)
        _refund(case, payment, refund, facts if number else {**facts, **named})
        number += 1
    if not number:
        return refund_id if waits else None
    tell(case, Fact.REFUND_ASKED, refund_id, refund=refund_id, amount=decimal_text(given), reason=reason)
    return refund_id


REST = "/rest"
"""What follows the key of a refund of which a part, or all, waited for a capture."""


def _as_promised(case: Case, key: str) -> str:
    """The key that was asked for, also where all of it waited for a capture: whoever asked looks for that one."""
    asked = key.split(REST, 1)[0]
    return key if any(one.key == asked for one in case.refunds) else asked


def _owed_back(case: Case) -> dict[str, dict[str, Any]]:
    """What waits for captures under way to be given back, by key."""
    return dict(case.order.facts.get("owed_back", {}))


def _wait_for_captures(
    case: Case, key: str, amount: Decimal, reason: str, lines: Quantities, purpose: Purpose, tender: str
) -> None:
    said = {"amount": decimal_text(amount), "reason": reason, "purpose": purpose.value, "tender": tender}
    units = [[line.id, decimal_text(quantity)] for line, quantity in lines]
    entry: dict[str, Any] = {**said, "lines": units} if units else dict(said)
    case.order.facts = {**case.order.facts, "owed_back": {**_owed_back(case), key: entry}}


def give_back_what_waited(case: Case) -> None:
    """A capture has ended, well or not: what waited for it is given back, or a person is told that it cannot be."""
    waiting = _owed_back(case)
    if not waiting:
        return
    case.order.facts = {name: value for name, value in case.order.facts.items() if name != "owed_back"}
    known = {line.id: line for line in case.order.lines}
    for key, entry in waiting.items():
        lines = [(known[line_id], Decimal(units)) for line_id, units in entry.get("lines", ()) if line_id in known]
        purpose = Purpose(entry["purpose"])
        amount, reason, tender = Decimal(entry["amount"]), str(entry["reason"]), str(entry.get("tender", ORIGINAL))
        give_back(case, amount, f"{key}{REST}", reason, lines, purpose, tender)


def _refund(case: Case, payment: Payment, refund: Refund, facts: dict[str, Any]) -> None:
    payment.ask_refund(refund.amount)
    refund.facts = dict(facts)
    case.refunds.append(refund)
    if refund.tender == STORE_CREDIT:
        issue(case, refund)
        return
    if payment.managed_by == HUB:
        ask(case, payment, "refund", refund.id, refund.amount, reason=str(facts["reason"]))
        return
    if case.channel is not None and "push_refund" in case.channel.capabilities:
        tell_channel(case, refund)
        return
    case.raise_exception(
        f"refund-at-channel/{refund.id}",
        "refund_at_channel",
        "The channel must give money back, and the hub cannot tell it so",
        f"{money_text(refund.amount, refund.currency)} for {case.order.number or case.order.external_id} at"
        f" {case.order.channel}: {facts['reason']}.",
        "Refund it at the channel, then say so. Where the channel tells of its refunds, this clears by itself.",
        f"hub payments refunded {case.order.id} --refund {refund.id} --external-id ID",
    )


def tell_channel(case: Case, refund: Refund) -> None:
    """Have the channel pay back, or tell it that we have."""
    known = {line.id: line for line in case.order.lines}
    said = refund.facts.get("lines", ())
    lines = [(known[line_id], Decimal(units)) for line_id, units in said if line_id in known]
    push_refund(case, refund.id, refund.amount, lines, str(refund.facts.get("reason", "")))


def release_authorisation(case: Case, reason: str) -> None:
    """Void what was authorised and will not be captured any more."""
    for payment in case.payments:
        if payment.managed_by != HUB:
            continue
        if payment.lapsed:
            payment.give_up()
        elif payment.open > 0 and payment.capturing == 0 and "voiding" not in payment.facts:
            number = str(int(payment.facts.get("voids", 0)) + 1)
            payment.facts = {**payment.facts, "voids": int(number), "voiding": decimal_text(payment.open)}
            ask(case, payment, "void", f"void/{number}", payment.open, reason=reason)


def ask(
    case: Case, payment: Payment, capability: str, part: str, amount: Decimal, *, reason: str = "", final: bool = False
) -> None:
    """Ask the payment's provider. `part` makes the business key: the capture's or refund's id, or what else it is."""
    order = case.order
    key = f"payment/{payment.id}/{part}"
    record: dict[str, Any] = {
        "key": key,
        "payment": payment.id,
        "order": order.id,
        "order_number": order.number or order.external_id,
        "currency": payment.currency,
        "amount": decimal_text(amount),
    }
    if payment.external_id:
        record["payment_external_id"] = payment.external_id
    if reason:
        record["reason"] = reason
    if capability == "capture":
        record["final"] = final
    source = payment.facts.get("source")
    if capability == "authorise" and source:
        record["source_external_id"] = source
    case.decision.effects.append(
        EffectRequest(
            destination=payment.connection,
            capability=capability,
            key=key,
            aggregate=payment.id,
            lane="money",
            record=record,
            order_id=order.id,
            subject=part,
            echo="RefundEvent" if capability == "refund" else "PaymentEvent",
            refs={"payment": payment.id},
            suppressed=order.effects == Effects.OBSERVE,
        )
    )


def of_order(case: Case) -> list[Payment]:
    """Payments in the order's own currency; nothing is converted. Where nobody named one, what the channel says the
    order came to counts as paid at the channel, by one payment that stands in no table."""
    order = case.order
    found = [one for one in case.payments if one.currency == order.currency]
    if case.payments or not order.currency or not order.total:
        return found
    payment = Payment(
        "", order.id, order.channel, CHANNEL, order.currency, captured=order.total, authorised=order.total
    )
    for refund in case.refunds:
        if refund.currency == order.currency and refund.payment_id is None:
            if refund.state.open:
                payment.refunding += refund.amount
            elif refund.state is CallState.SUCCEEDED:
                payment.see_refunded(refund.amount)
    return [payment]


def payment_key(connection: str, external_id: str) -> str:
    """What a provider's word about a payment that nobody knows yet waits for."""
    return f"payment|{connection}|{external_id}"


def open_payment(
    snapshot: Snapshot, rules: Rules, now: dt.datetime, cause: str, connection: str, external_id: str
) -> tuple[Case, Payment] | None:
    """The order of a payment and the payment, by any id that its provider gave it; None where it is not known."""
    found = snapshot.rows("payments", {"connection": connection, "external_id": external_id}, limit=1)
    if found:
        payment_id, order_id = str(found[0]["id"]), str(found[0]["order_id"])
    else:
        where = {"system": connection, "entity": "payment", "external_id": external_id}
        older = snapshot.rows("cross_references", where, limit=1)
        row = snapshot.row("payments", {"id": older[0]["internal_id"]}) if older else None
        if row is None:
            return None
        payment_id, order_id = str(row["id"]), str(row["order_id"])
    case = open_case(snapshot, rules, now, cause, order_id)
    payment = next((one for one in case.payments if one.id == payment_id), None) if case else None
    return None if case is None or payment is None else (case, payment)


def open_case_of(
    snapshot: Snapshot, rules: Rules, now: dt.datetime, cause: str, reference: str
) -> tuple[Case, Payment] | None:
    """The order and payment that a key of ours names: a payment whose provider's id is not known yet."""
    named = [part for part in reference.split("/") if part.startswith("py_")]
    row = snapshot.row("payments", {"id": named[0]}) if named else None
    case = open_case(snapshot, rules, now, cause, str(row["order_id"])) if row else None
    payment = next((one for one in case.payments if one.id == named[0]), None) if case else None
    return None if case is None or payment is None else (case, payment)


def watch_expiry(case: Case, payment: Payment) -> None:
    """Look at an authorisation before it ends, and when it does. One that lasts shorter than it is looked at ahead is
    looked at halfway: else a new one would be asked for at once, and again."""
    assert payment.expires_at is not None
    ends, kind = payment.expires_at, "authorisation_expiry"
    ahead = min(case.rules.reauthorise_before, max(ends - case.now, dt.timedelta(0)) / 2)
    payload = {"order": case.order.id, "ends": instant_text(ends)}
    for name, due_at in (("before", ends - ahead), ("end", ends)):
        dedupe_key = f"{kind}/{payment.id}/{payload['ends']}/{name}"
        case.decision.tasks.append(TaskRequest(kind, payment.id, due_at, dedupe_key, payload))


def owed(case: Case) -> dict[str, Decimal]:
    """What the customer owes so far, by what for."""
    return {key: Decimal(amount) for key, amount in case.order.facts.get("owed", {}).items()}


def _owe(case: Case, key: str, amount: Decimal) -> None:
    owed = case.order.facts.get("owed", {})
    case.order.facts = {**case.order.facts, "owed": {**owed, key: decimal_text(amount)}}
