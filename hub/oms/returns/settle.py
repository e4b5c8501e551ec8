"""What a customer gets for goods that came back: money, other goods, credit or nothing, once for each unit.

The value of a unit is its share in what was paid for its line, tax and discounts included; it is fixed when the first
of the order's units is settled, so that later restates of a total that refunds have lowered do not shrink it. Shares
add up to the cent. It does not matter where the goods lie by then: money and stock are decided apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hub.domain.events import Fact
from hub.domain.money import apportion, decimal_text, money_text, smallest_amount
from hub.domain.order import OrderLine
from hub.domain.payment import ORIGINAL, STORE_CREDIT
from hub.domain.return_policy import value_of
from hub.domain.returns import (
    BACK,
    CLAIMING,
    IllegalReturn,
    Return,
    ReturnLine,
    Stage,
    settled_of,
)
from hub.domain.totals import line_value
from hub.oms.desk.load import Case
from hub.oms.desk.save import tell
from hub.oms.money.by_line import given_without_goods
from hub.oms.money.pay import give_back
from hub.oms.money.payment_answers import refund_succeeded
from hub.oms.money.posting import post_credit_note
from hub.oms.money.store_credit import ISSUED
from hub.oms.money.whole import whole_of
from hub.oms.returns.kit_returns import count_settled_kits
from hub.oms.returns.returns import follow, policy_of

ZERO = Decimal(0)
BASIS = "refund_basis"


@dataclass(frozen=True, slots=True)
class Share:
    """What one part of a return is worth: `value` as paid, `kept` what is not given of it: by the policy, or because it
    was given before the goods came."""

    part: ReturnLine
    line: OrderLine
    units: Decimal
    value: Decimal
    kept: Decimal


@dataclass(frozen=True, slots=True)
class Worth:
    """What a settlement is worth, before it is decided how it is given."""

    shares: tuple[Share, ...]
    shipping: Decimal

    @property
    def amount(self) -> Decimal:
        return sum((share.value - share.kept for share in self.shares), self.shipping)

    @property
    def lines(self) -> list[tuple[OrderLine, Decimal]]:
        return [(share.line, share.units) for share in self.shares]


def settle_by_policy(case: Case, one: Return) -> None:
    """Refund what has arrived, or what was inspected of it, as the channel's policy says. Where the channel pays back
    by itself that is all; a person is asked where the policy leaves it to one, or other goods or credit are wanted."""
    policy = policy_of(case)
    if one.facts.get("settled_by") == "channel":
        settle(case, one, "nothing", everything_back(one), "the channel pays it back")
        return
    ready = everything_back(one) if policy.refund_on == "receipt" else _inspected(one)
    if not ready:
        return
    by_person = policy.settle != "refund" or one.facts.get("settled_by") == "person"
    if by_person or one.facts.get("wants") in ("exchange", "store_credit"):
        _ask_person(case, one)
        return
    settle(case, one, "refund", ready, one.reason or "returned")


def settle(
    case: Case,
    one: Return,
    kind: str,
    ready: Sequence[tuple[ReturnLine, Decimal]],
    words: str,
    amount: Decimal | None = None,
    reference: str = "",
) -> Decimal:
    """Give a customer what units are worth (`amount` instead, where a person says so); returns the amount.

    `kind`: refund | exchange | store_credit | nothing. Units may be settled before they arrive. Raises IllegalReturn.
    """
    worth = worth_of(case, one, ready)
    if not worth.shares:
        return ZERO
    given = ZERO if kind == "nothing" else worth.amount if amount is None else amount
    if given > worth.amount:
        raise IllegalReturn(
            f"{money_text(given, case.order.currency)} is more than the {money_text(worth.amount, case.order.currency)}"
            " that these goods are worth"
        )
    for share in worth.shares:
        share.part.settled += share.units
        # A channel that lowers what it wants for it takes nothing back that has not left.
        share.line.give_back(share.units)
    count_settled_kits(case, [share.line for share in worth.shares])
    if worth.shipping:
        case.order.facts = {**case.order.facts, "shipping_refunded": True}
    settlement = case.new_id("rs", one.id)
    key = f"return/{settlement}"
    refund = None
    if given > 0 and kind in ("refund", STORE_CREDIT):
        tender = STORE_CREDIT if kind == STORE_CREDIT else ORIGINAL
        issued = reference if tender == STORE_CREDIT else ""
        refund = give_back(case, given, key, words, worth.lines, tender=tender, issued=issued)
        for payer in (case, *case.linked) if issued else ():
            for row in payer.refunds:
                if row.key == key and row.facts.get(ISSUED):
                    refund_succeeded(payer, row, "person", issued)
    if given > 0:
        post_credit_note(case, key, given, worth.lines, words)
    if refund:
        one.facts = {**one.facts, "refunds": [*one.facts.get("refunds", []), refund]}
    _write(case, one, settlement, kind, given, refund, worth, words, reference)
    told = {"return": one.id, "number": one.number, "kind": kind, "amount": decimal_text(given)}
    told |= {"currency": case.order.currency} if case.order.currency else {}
    tell(case, Fact.RETURN_SETTLED, settlement, **told)
    follow(case, one)
    return given


def worth_of(case: Case, one: Return, ready: Sequence[tuple[ReturnLine, Decimal]]) -> Worth:
    """What units of a return are worth to the cent. Raises IllegalReturn for more than it still has."""
    currency = case.order.currency
    if currency is None:
        raise IllegalReturn("the order has no currency")
    policy, shares, given = policy_of(case), [], given_without_goods(case)
    before: dict[str, Decimal] = {}
    for part, units in ready:
        line = case.order.line(part.line_id) if part.line_id else None
        if line is None or units <= 0:
            continue
        open_units = part.sum(CLAIMING) - part.over - part.settled
        if units > open_units:
            raise IllegalReturn(
                f"{decimal_text(units)} of {part.sku} named, {decimal_text(max(open_units, ZERO))} are not settled yet"
            )
        paid, of_units = paid_for(case, line)
        start = before.get(line.id, settled_of(case.returns, line.id) + gave_up(case, line.id))
        value = value_of(paid, of_units, start, units, currency)
        before[line.id] = start + units
        kept = policy.kept_back(value, part.grade, part.reason or one.reason, currency)
        if line.id in given:
            paid_units, already = given[line.id]
            kept = min(kept + value_of(already, paid_units, start, units, currency), value)
        shares.append(Share(part, line, units, value, kept))
    shipping = ZERO
    if shares and policy.refund_shipping == "when_all_returned" and not case.order.facts.get("shipping_refunded"):
        settled = {line.id: settled_of(case.returns, line.id) for line in case.order.lines} | before
        if all(settled[line.id] >= line.live for line in case.order.lines if line.live > 0 and not line.is_kit):
            shipping = Decimal(case.order.facts.get(BASIS, {}).get("shipping", "0"))
    return Worth(tuple(shares), shipping)


def everything_back(one: Return) -> list[tuple[ReturnLine, Decimal]]:
    """What arrived and is not settled."""
    return [(part, part.settleable) for part in one.lines if part.line_id and part.settleable > 0]


def _inspected(one: Return) -> list[tuple[ReturnLine, Decimal]]:
    """What was inspected and is not settled."""
    found = [(part, units - part[Stage.RECEIVED]) for part, units in everything_back(one)]
    return [(part, units) for part, units in found if units > 0]


def paid_for(case: Case, line: OrderLine) -> tuple[Decimal, Decimal]:
    """What was paid for all of a line without shipping, and for how many units; fixed when it is first asked for.
    Nothing for no units where all of the line was cancelled: what comes back of it had not been paid for."""
    kept: dict[str, Any] = case.order.facts.get(BASIS, {})
    if line.id not in kept:
        kept = {**kept, **_basis(case)} | kept
        case.order.facts = {**case.order.facts, BASIS: kept}
    said = kept.get(line.id, {"amount": "0", "units": "0"})
    return Decimal(said["amount"]), Decimal(said["units"])


def gave_up(case: Case, line_id: str) -> Decimal:
    """Units of a line that did not arrive and were paid back (hub.oms.returns.undelivered)."""
    return Decimal(case.order.facts.get("gave_up", {}).get(line_id, "0"))


def _basis(case: Case) -> dict[str, Any]:
    """Shares of every live line in what the order comes to, to the cent, and its shipping."""
    order, whole = case.order, whole_of(case.order)
    assert order.currency is not None
    lines = [line for line in order.lines if line.live > 0 and not line.is_kit]
    included = bool(order.facts.get("taxes_included"))
    weights = [max(_weight(line, included), ZERO) for line in lines]
    parts = apportion(whole.amount - whole.shipping, weights, smallest_amount(order.currency)) if lines else []
    basis: dict[str, Any] = {
        line.id: {"units": decimal_text(line.live), "amount": decimal_text(max(part, ZERO))}
        for line, part in zip(lines, parts, strict=True)
    }
    return basis | {"shipping": decimal_text(whole.shipping)}


def _weight(line: OrderLine, taxes_included: bool) -> Decimal:
    details, ordered = line.details, line.ledger.ordered
    goods = line_value({**details, "quantity": decimal_text(ordered)}, line.live)
    adjustments = details.get("adjustments", ())
    discount = sum((abs(Decimal(one["amount"])) for one in adjustments if one["type"] == "discount"), ZERO)
    taxes = details.get("taxes", ())
    tax = ZERO if taxes_included else sum((Decimal(one["amount"]) for one in taxes), ZERO)
    return goods + (tax - discount) * line.live / ordered if ordered else goods


def _write(
    case: Case,
    one: Return,
    settlement: str,
    kind: str,
    amount: Decimal,
    refund: str | None,
    worth: Worth,
    words: str,
    reference: str,
) -> None:
    document: dict[str, Any] = {
        "lines": [
            {
                "line": share.line.id,
                "return_line": share.part.id,
                "units": decimal_text(share.units),
                "value": decimal_text(share.value),
                "kept": decimal_text(share.kept),
            }
            for share in worth.shares
        ],
        "shipping": decimal_text(worth.shipping),
        "reason": case.discreet(words),
    }
    document |= {"reference": reference} if reference else {}
    case.decision.writes.insert(
        "return_settlements",
        {
            "id": settlement,
            "order_id": case.order.id,
            "return_id": one.id,
            "kind": kind,
            "currency": case.order.currency,
            "amount": amount,
            "refund_id": refund,
            "document": document,
            "at": case.now,
        },
    )


def _ask_person(case: Case, one: Return) -> None:
    cause_key = f"return-unsettled/{one.id}"
    if cause_key in case.raised:
        return
    case.raise_exception(
        cause_key,
        "return_unsettled",
        "A customer waits for what their return is worth",
        f"Return {one.number}: {decimal_text(one.sum(BACK))} units are back.",
        "Give a refund, an exchange, credit, or say that nothing is given.",
        f"hub returns settle {one.id} --refund",
    )
