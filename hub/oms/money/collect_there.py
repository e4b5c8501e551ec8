"""What a customer owes beyond what was paid and only the channel can charge: one exception an order, with the sum.

A person has the channel charge it and resolves the exception: that much is collected then, and the next difference
begins a new one.
"""

from __future__ import annotations

from decimal import Decimal

from hub.domain.money import decimal_text, money_text
from hub.oms.desk.load import Case

ZERO = Decimal(0)
TO_COLLECT = "to_collect"
"""Where an order keeps, by what for, [amount, reason] of what its open exception asks for."""


def ask_channel_to_charge(case: Case, amount: Decimal, key: str, reason: str) -> None:
    """Add an amount to what a person is to have charged; once a `key`."""
    kept = _open(case)
    if key not in kept:
        _show(case, {**kept, key: [decimal_text(amount), reason]})


def collect_less(case: Case, amount: Decimal, key: str, reason: str) -> Decimal:
    """Take an amount back from what nobody has charged yet; returns how much of it that could be, the rest was paid."""
    kept = _open(case)
    less = min(amount, _sum(kept))
    if less <= 0 or key in kept:
        return ZERO
    kept = {**kept, key: [decimal_text(-less), reason]}
    if _sum(kept):
        _show(case, kept)
    else:
        _keep(case, {})
        case.clear_exception(_cause_key(case), "nothing is to be charged any more")
    return less


def _show(case: Case, kept: dict[str, list[str]]) -> None:
    _keep(case, kept)
    cause_key, currency = _cause_key(case), case.order.currency
    parts = [f"{money_text(Decimal(amount), currency)} for {reason}" for amount, reason in kept.values()]
    case.decision.exceptions = [one for one in case.decision.exceptions if one.cause_key != cause_key]
    case.raise_exception(
        cause_key,
        "collect_at_channel",
        "The customer owes a difference that only the channel can charge",
        f"{parts[0]}." if len(parts) == 1 else f"{money_text(_sum(kept), currency)} in all: {', '.join(parts)}.",
        "Have the channel charge it, then resolve this.",
        "hub exceptions resolve EXCEPTION --reason WHY",
    )


def _open(case: Case) -> dict[str, list[str]]:
    """What the open exception asks for; nothing where a person has resolved it."""
    cause_key = _cause_key(case)
    if any(one.cause_key == cause_key for one in case.decision.exceptions) or case.snapshot.rows(
        "exceptions", {"cause_key": cause_key, "state": "open"}, limit=1
    ):
        return dict(case.order.facts.get(TO_COLLECT, {}))
    return {}


def _keep(case: Case, kept: dict[str, list[str]]) -> None:
    facts = {name: value for name, value in case.order.facts.items() if name != TO_COLLECT}
    case.order.facts = {**facts, TO_COLLECT: kept} if kept else facts


def _sum(kept: dict[str, list[str]]) -> Decimal:
    return sum((Decimal(amount) for amount, _ in kept.values()), ZERO)


def _cause_key(case: Case) -> str:
    return f"collect-at-channel/{case.order.id}"
