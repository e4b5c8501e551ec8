"""Exact money: an amount and its ISO 4217 currency, rounded only at declared edges.

Amounts are Decimal, never float. `round_to_minor` is the one place that rounds (half even), `apportion` the one place
that divides: by largest remainder, ties going to the lower line number, so that parts always add up to the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

ZERO = Decimal(0)

_NONE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"  # no minor unit in circulation
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_FOUR = "CLF UYW"

MINOR_UNITS: dict[str, int] = {
    **dict.fromkeys(_NONE.split(), 0),
    **dict.fromkeys(_THREE.split(), 3),
    **dict.fromkeys(_FOUR.split(), 4),
}
"""Digits after the point of a currency's minor unit where they are not two (ISO 4217, list one)."""


_CODES = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF
CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL
HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD
MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF
SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU
UYW UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
"""
CURRENCIES = frozenset(_CODES.split())
"""Currencies that something can be paid in (ISO 4217, list one)."""


def minor_units(currency: str) -> int:
    """Digits after the point of the currency's minor unit; two where the table says nothing else."""
    return MINOR_UNITS.get(currency, 2)


def smallest_amount(currency: str) -> Decimal:
    """The value of one minor unit: 0.01 EUR, 1 JPY, 0.001 KWD."""
    return Decimal(1).scaleb(-minor_units(currency))


def round_to_minor(amount: Decimal, currency: str) -> Decimal:
    """Round half even to the currency's minor unit. Called at edges only: postings, captures, invoices."""
    return amount.quantize(smallest_amount(currency), rounding=ROUND_HALF_EVEN)


def decimal_text(value: Decimal) -> str:
    """The shortest plain decimal text of a number: no exponent, no trailing zeros ("3", "1.5", "0.002")."""
    if value == value.to_integral_value():
        return str(int(value))
    return format(value.normalize(), "f")


def units_text(units: Decimal) -> str:
    """A quantity as people say it: "1 unit", "2 units", "1.5 units"."""
    return f"{decimal_text(units)} unit{'' if units == 1 else 's'}"


def amount_text(amount: Decimal, currency: str) -> str:
    """An amount as people read it: all digits of its currency, and more only where it has more ("12.50", "1500")."""
    digits = -_exponent(amount.normalize()) if amount else 0
    return f"{amount:.{max(minor_units(currency), digits)}f}"


def money_text(amount: Decimal, currency: str | None) -> str:
    """An amount with its currency: "12.50 USD", "1500 JPY"; without one that is known, the bare number."""
    return f"{amount_text(amount, currency)} {currency}" if currency else decimal_text(amount)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in a currency. Adding two currencies is an error, not a conversion."""

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        if not isinstance(self.amount, Decimal):
            raise TypeError("an amount is a Decimal")

    def __add__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.amount + other.amount, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.amount - other.amount, self.currency)

    def rounded(self) -> Money:
        return Money(round_to_minor(self.amount, self.currency), self.currency)

    def _same(self, other: Money) -> None:
        if self.currency != other.currency:
            raise ValueError(f"{self.currency} and {other.currency} do not add up without a rate")


def apportion(total: Decimal, weights: Sequence[Decimal], step: Decimal) -> list[Decimal]:
    """Divide `total` over `weights` in multiples of `step`, exactly.

    Largest remainder; equal remainders go to the earlier part (callers pass parts by line number). What is smaller than
    a step (a total with more digits than the currency) goes to the part with the largest weight. All weights zero:
    the parts are equal. A negative total is divided as its opposite. Weights are never negative.
    """
    if not weights:
        if total:
            raise ValueError("nothing to apportion an amount to")
        return []
    if any(weight < 0 for weight in weights):
        raise ValueError("a weight is never negative")
    if total < 0:
        return [-part for part in apportion(-total, weights, step)]
    whole = sum(weights, ZERO)
    shares = list(weights) if whole else [Decimal(1)] * len(weights)
    whole = whole or Decimal(len(weights))
    steps = int((total / step).to_integral_value(rounding=ROUND_FLOOR))
    dust = total - steps * step
    # Whole numbers: quotients of Decimals are rounded, and a rounded remainder could break a tie the wrong way.
    scale = max(-_exponent(share) for share in [*shares, whole])
    units = [int(share.scaleb(max(scale, 0))) for share in shares]
    all_units = sum(units)
    floors = [steps * unit // all_units for unit in units]
    remainders = [steps * unit % all_units for unit in units]
    missing = steps - sum(floors)
    for index in sorted(range(len(units)), key=lambda i: (-remainders[i], i))[:missing]:
        floors[index] += 1
    parts = [step * count for count in floors]
    if dust:
        parts[max(range(len(units)), key=lambda i: (units[i], -i))] += dust
    return parts


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int):
        raise ValueError("only a finite number has digits")
    return exponent
