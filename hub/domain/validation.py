"""Rules that an order must pass before it goes on. A finding names rule, path and hint and becomes a hold.

Nothing here parks an order: it is captured, found, cancelled and refunded like any other, and the hold releases itself
when its cause is gone. `CHECKS` is the pipeline: named rules, in order, each a function of the same facts.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hub.domain.money import CURRENCIES, decimal_text
from hub.domain.postal import missing_parts, wrong_admin_area, wrong_country, wrong_postal_code
from hub.domain.totals import check_totals

ZERO = Decimal(0)
ACCEPT = "accept"
HOLD_ORDER = "hold_order"


class Rule(enum.StrEnum):
    UNKNOWN_SKU = "unknown_sku"
    NO_SKU = "no_sku"
    ADDRESS = "address"
    PAYMENT = "payment"
    TOTALS = "totals"
    MAPPING = "mapping"
    NO_STOCK = "no_stock"
    NO_STORE = "no_store"
    NO_LINES = "no_lines"
    PENDING = "pending"
    VALUES = "values"
    DUPLICATE = "duplicate"
    VALUE_LIMIT = "value_limit"
    REPLACES = "replaces"


class HoldKind(enum.StrEnum):
    VALIDATION = "validation"
    ADDRESS = "address"
    PAYMENT = "payment"
    FRAUD = "fraud"
    STOCK = "stock"
    MANUAL = "manual"


HOLD_KINDS: Mapping[HoldKind, str] = {
    HoldKind.VALIDATION: "something the order says cannot be meant, or is not known here",
    HoldKind.ADDRESS: "it cannot be shipped there as the address stands",
    HoldKind.PAYMENT: "the money is not there",
    HoldKind.FRAUD: "somebody should look whether it is meant: too large, or placed twice",
    HoldKind.STOCK: "nobody has the goods, and the routing says to hold it then",
    HoldKind.MANUAL: "a person said so",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """`external_line_id` names the line it is about; `holds_order` says whether the whole order waits for it. `kind` is
    the hold's. `cause` groups the same trouble of many orders."""

    rule: str
    path: str
    hint: str
    kind: str = HoldKind.VALIDATION
    external_line_id: str | None = None
    holds_order: bool = True
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """Verdicts: hold_line | hold_order | accept. `payment_require`: states that let an order go on; empty = any.
    `value_limits`: currency -> the total above which somebody must look."""

    unknown_sku: str = "hold_line"
    address: str = HOLD_ORDER
    payment_require: Collection[str] = ()
    totals_difference_up_to: Decimal = Decimal("0.02")
    totals_otherwise: str = HOLD_ORDER
    values: str = HOLD_ORDER
    value_limits: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules look at. `record`: the merged canonical Order, with what was decided here over it; `stated` as its
    source states it. `known_skus` None accepts every SKU. `doubles`: numbers of earlier orders that say the same.
    `listed`: for a SKU that is none of ours, what its channel called so, and when. `increments`: SKU -> what quantities
    of it are multiples of, where its item says so."""

    record: Mapping[str, Any]
    stated: Mapping[str, Any]
    policy: Policy
    known_skus: Collection[str] | None = None
    doubles: Sequence[str] = ()
    listed: Mapping[str, str] = field(default_factory=dict)
    increments: Mapping[str, Decimal] = field(default_factory=dict)

    @property
    def lines(self) -> Sequence[Mapping[str, Any]]:
        found: Sequence[Mapping[str, Any]] = self.record.get("lines") or ()
        return found


Check = Callable[[Facts], Iterator[Finding]]


def check(facts: Facts) -> list[Finding]:
    """Every finding of every rule, in the order of the pipeline."""
    return [finding for rule in CHECKS.values() for finding in rule(facts)]


def _no_lines(facts: Facts) -> Iterator[Finding]:
    if not facts.lines:
        yield Finding(Rule.NO_LINES, "lines", "the order has no lines yet; a later restate may bring them")


def _values(facts: Facts) -> Iterator[Finding]:
    """Values that have the right form and cannot be meant."""
    if facts.policy.values == ACCEPT:
        return
    currency = str(facts.record.get("currency") or "")
    if currency and currency not in CURRENCIES:
        hint = f"{currency} is no currency (ISO 4217); correct it at the source"
        yield Finding(Rule.VALUES, "currency", hint)
    for position, line in enumerate(facts.lines):
        line_id, whole = str(line["external_line_id"]), facts.policy.values == HOLD_ORDER
        if Decimal(str(line.get("quantity", "1"))) < 0:
            hint = "a quantity is never below zero; what comes back is a refund or a return"
            path = f"lines.{position}.quantity"
            yield Finding(Rule.VALUES, path, hint, external_line_id=line_id, holds_order=whole)
        step = facts.increments.get(str(line.get("sku", "")))
        if step and Decimal(str(line.get("quantity", "1"))) % step:
            hint = f"{line['sku']} is sold in steps of {decimal_text(step)}; correct the quantity, or its item"
            yield Finding(Rule.VALUES, f"lines.{position}.quantity", hint, external_line_id=line_id, holds_order=whole)
        if Decimal(str(line.get("unit_price", "0"))) < 0:
            hint = "a price is never below zero; what is taken off is an adjustment of the type discount"
            path = f"lines.{position}.unit_price"
            yield Finding(Rule.VALUES, path, hint, external_line_id=line_id, holds_order=whole)


def _no_sku(facts: Facts) -> Iterator[Finding]:
    if facts.policy.unknown_sku == ACCEPT:
        return
    for position, line in _to_ship(facts.lines):
        if not line.get("sku"):
            hint = "the line has no SKU but must be shipped; give it one at the source or map it"
            yield _of_sku(facts, Rule.NO_SKU, position, line, hint)


def _unknown_sku(facts: Facts) -> Iterator[Finding]:
    if facts.policy.unknown_sku == ACCEPT or facts.known_skus is None:
        return
    for position, line in _to_ship(facts.lines):
        sku = line.get("sku")
        if sku and sku not in facts.known_skus:
            hint = f"no item has the SKU {sku}; import it (hub import items) or correct it at the source"
            if sku in facts.listed:
                said = facts.listed[sku]
                hint = f"{sku} is listed as {said}, but as nothing certain when it was ordered; list it for then"
            yield _of_sku(facts, Rule.UNKNOWN_SKU, position, line, hint, str(sku))


def _of_sku(facts: Facts, rule: Rule, position: int, line: Mapping[str, Any], hint: str, cause: str = "") -> Finding:
    return Finding(
        rule,
        f"lines.{position}.sku",
        hint,
        external_line_id=str(line["external_line_id"]),
        holds_order=facts.policy.unknown_sku == HOLD_ORDER,
        cause=cause,
    )


def _address(facts: Facts) -> Iterator[Finding]:
    record = facts.record
    over_the_counter = record.get("sold_at") and not record.get("method")
    sent = [line for _, line in _to_ship(facts.lines) if line.get("method") or not over_the_counter]
    shipped = record.get("method", "ship") in ("ship", "same_day") and bool(sent)
    if facts.policy.address == ACCEPT or not shipped:
        return
    address = record.get("ship_to")
    if not address:
        yield Finding(Rule.ADDRESS, "ship_to", "there is no address to ship to", HoldKind.ADDRESS)
        return
    country = address.get("country") or "anywhere"
    for name in missing_parts(address):
        yield Finding(Rule.ADDRESS, f"ship_to.{name}", f"a parcel to {country} needs {name}", HoldKind.ADDRESS)
    if wrong_country(address):
        hint = f"{country} is no country; give its code of two letters (ISO 3166-1), such as GB or US"
        yield Finding(Rule.ADDRESS, "ship_to.country", hint, HoldKind.ADDRESS)
    area = wrong_admin_area(address)
    if area is not None:
        hint = f"{country} has no state or province {area}; correct it at the source or edit the order here"
        yield Finding(Rule.ADDRESS, "ship_to.admin_area", hint, HoldKind.ADDRESS)
    looks = wrong_postal_code(address)
    if looks is not None:
        hint = f"a postal code of {country} looks like {looks}; correct it at the source or edit the order here"
        yield Finding(Rule.ADDRESS, "ship_to.postal_code", hint, HoldKind.ADDRESS)


def _payment(facts: Facts) -> Iterator[Finding]:
    state, require = facts.record.get("payment_state"), facts.policy.payment_require
    if state is None or not require or _was(state) in require:
        return
    hint = f"the source says {state}; it goes on when the payment is {' or '.join(require)}"
    yield Finding(Rule.PAYMENT, "payment_state", hint, HoldKind.PAYMENT)


def _totals(facts: Facts) -> Iterator[Finding]:
    if facts.policy.totals_otherwise == ACCEPT:
        return
    difference = check_totals(facts.stated).difference
    if difference is not None and abs(difference) > facts.policy.totals_difference_up_to:
        hint = f"the source's total differs by {difference} from its own lines, charges, tax and discounts"
        yield Finding(Rule.TOTALS, "totals.total", hint)


def _duplicate(facts: Facts) -> Iterator[Finding]:
    if facts.doubles:
        hint = f"the same buyer ordered the same in {', '.join(facts.doubles)}; cancel one, or release this one"
        yield Finding(Rule.DUPLICATE, "lines", hint, HoldKind.FRAUD)


def _value_limit(facts: Facts) -> Iterator[Finding]:
    totals = facts.record.get("totals") or {}
    limit = facts.policy.value_limits.get(str(facts.record.get("currency", "")))
    said = totals.get("current_total", totals.get("total"))
    if limit is None or said is None or Decimal(str(said)) <= limit:
        return
    hint = f"it comes to more than {decimal_text(limit)} {facts.record['currency']}; look at it, then release it"
    yield Finding(Rule.VALUE_LIMIT, "totals.total", hint, HoldKind.FRAUD)


CHECKS: Mapping[Rule, Check] = {
    Rule.NO_LINES: _no_lines,
    Rule.VALUES: _values,
    Rule.NO_SKU: _no_sku,
    Rule.UNKNOWN_SKU: _unknown_sku,
    Rule.ADDRESS: _address,
    Rule.PAYMENT: _payment,
    Rule.TOTALS: _totals,
    Rule.DUPLICATE: _duplicate,
    Rule.VALUE_LIMIT: _value_limit,
}
"""The pipeline. Names are those of the holds that findings become."""


def _was(state: str) -> str:
    """What a payment must have been before: money given back in part was paid, whichever word came first."""
    return "paid" if state == "partially_refunded" else state


def _to_ship(lines: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Lines that are ours to ship, and of which anything is still wanted."""
    for position, line in enumerate(lines):
        ours = line.get("requires_shipping", True) and line.get("fulfilled_by", "us") == "us"
        if ours and Decimal(str(line.get("current_quantity", line.get("quantity", "1")))) != 0:
            yield position, line
