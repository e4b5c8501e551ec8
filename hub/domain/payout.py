"""Payouts: what a provider or channel paid out, and whether its lines come to it.

Settlement files leave columns empty and use them for other things: a line's net is what counts, and where a line does
not state one, it is its gross less its fee. A fee is what was kept from us, whichever sign it was written with.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

ZERO = Decimal(0)


class Matched(enum.StrEnum):
    """What a line of a payout was found to pay for. NONE_NEEDED: it is of no order (a reserve, a monthly fee)."""

    NOTHING = "nothing"
    CAPTURE = "capture"
    REFUND = "refund"
    PAYMENT = "payment"
    ORDER = "order"
    NONE_NEEDED = "none_needed"


OF_NO_ORDER = frozenset({"fee", "adjustment", "reserve"})
"""Types of lines that need no order; they are matched all the same where they name one."""


@dataclass(frozen=True, slots=True)
class PaidLine:
    """A line as it counts: `net = gross - fee`, money for us above zero. `fee` is below zero where one came back."""

    number: int
    type: str
    gross: Decimal
    fee: Decimal
    net: Decimal
    reference: str
    payment: str
    order: str


def paid_line(number: int, said: Mapping[str, Any]) -> PaidLine:
    """Read a line: from two of gross, fee and net the third follows; a lone amount is gross and net alike."""
    gross, fee, net = (_amount(said.get(name)) for name in ("gross", "fee", "net"))
    if net is None:
        net = (gross or ZERO) - abs(fee or ZERO)
    if gross is None:
        gross = net + (fee or ZERO)
    return PaidLine(
        number,
        str(said["type"]),
        gross,
        gross - net,
        net,
        str(said.get("reference", "")).strip(),
        str(said.get("payment_external_id", "")).strip(),
        str(said.get("order_reference", "")).strip(),
    )


def _amount(text: object) -> Decimal | None:
    """None for a column that says nothing."""
    said = "" if text is None else str(text).strip()
    return Decimal(said) if said else None
