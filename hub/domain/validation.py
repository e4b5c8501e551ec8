"""Rules that an order must pass before it goes on. A finding names rule, path and hint and becomes a validation hold.

Nothing here parks an order: it is captured, found, cancelled and refunded like any other, and the hold releases itself
when its cause is gone.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hub.domain.totals import check_totals


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


@dataclass(frozen=True, slots=True)
class Finding:
    """`external_line_id` names the line it is about; `holds_order` says whether the whole order waits for it. `kind` is
    the hold's: validation | address | payment. `cause` groups the same trouble of many orders."""

    rule: str
    path: str
    hint: str
    kind: str = "validation"
    external_line_id: str | None = None
    holds_order: bool = True
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """Verdicts: hold_line | hold_order | accept. `payment_require`: states that let an order go on; empty = any."""

    unknown_sku: str = "hold_line"
    address: str = "hold_order"
    payment_require: Collection[str] = ()
    totals_difference_up_to: Decimal = Decimal("0.02")
    totals_otherwise: str = "hold_order"


_NO_POSTAL_CODE = (
    "AE AG AN AO AW BF BI BJ BO BS BW BZ CD CF CG CI CK CM DJ DM ER FJ GA GD GH GM GN GQ GY HK IE JM KI KM KN KP LC ML"
    " MO MR MS MU MW NR NU PA QA RW SB SC SL SR ST SY TD TF TG TK TL TO TT TV TZ UG VU YE ZW"
)
NO_POSTAL_CODE = frozenset(_NO_POSTAL_CODE.split())
"""Countries (ISO 3166-1) without a postal code in general use (Universal Postal Union, postal addressing systems)."""

NEEDS_ADMIN_AREA = frozenset({"US", "CA", "AU", "BR", "MX", "IN", "CN", "JP"})
"""Countries whose carriers need a state or province."""


def validate(record: Mapping[str, Any], known_skus: Collection[str] | None, policy: Policy) -> list[Finding]:
    """Findings of a merged canonical Order. `known_skus` None accepts every SKU."""
    findings: list[Finding] = []
    lines: Sequence[Mapping[str, Any]] = record.get("lines") or ()
    if not lines:
        findings.append(Finding(Rule.NO_LINES, "lines", "the order has no lines yet; a later restate may bring them"))
    if policy.unknown_sku != "accept":
        findings += _skus(lines, known_skus, policy.unknown_sku)
    if policy.address != "accept" and record.get("method", "ship") in ("ship", "same_day") and _ships(lines):
        findings += _address(record.get("ship_to"))
    state = record.get("payment_state")
    if state is not None and policy.payment_require and _was(state) not in policy.payment_require:
        wanted = " or ".join(policy.payment_require)
        hint = f"the source says {state}; it goes on when the payment is {wanted}"
        findings.append(Finding(Rule.PAYMENT, "payment_state", hint, "payment"))
    if policy.totals_otherwise != "accept":
        findings += _totals(record, policy)
    return findings


def _was(state: str) -> str:
    """What a payment must have been before: money given back in part was paid, whichever word came first."""
    return "paid" if state == "partially_refunded" else state


def _ships(lines: Sequence[Mapping[str, Any]]) -> bool:
    return any(line.get("requires_shipping", True) and line.get("fulfilled_by", "us") == "us" for line in lines)


def _skus(lines: Sequence[Mapping[str, Any]], known: Collection[str] | None, verdict: str) -> list[Finding]:
    findings = []
    for position, line in enumerate(lines):
        if not line.get("requires_shipping", True) or line.get("fulfilled_by", "us") != "us":
            continue
        sku = line.get("sku")
        line_id, whole = str(line["external_line_id"]), verdict == "hold_order"
        path = f"lines.{position}.sku"
        if not sku:
            hint = "the line has no SKU but must be shipped; give it one at the source or map it"
            findings.append(Finding(Rule.NO_SKU, path, hint, external_line_id=line_id, holds_order=whole))
        elif known is not None and sku not in known:
            hint = f"no item has the SKU {sku}; import it (hub import items) or correct it at the source"
            findings.append(
                Finding(Rule.UNKNOWN_SKU, path, hint, external_line_id=line_id, holds_order=whole, cause=str(sku))
            )
    return findings


def _address(address: Mapping[str, Any] | None) -> list[Finding]:
    if not address:
        return [Finding(Rule.ADDRESS, "ship_to", "there is no address to ship to", "address")]
    country = str(address.get("country") or "")
    missing = [name for name in ("country", "locality") if not address.get(name)]
    if not any(address.get("lines") or ()):
        missing.append("lines")
    if not address.get("postal_code") and country not in NO_POSTAL_CODE:
        missing.append("postal_code")
    if country in NEEDS_ADMIN_AREA and not (address.get("admin_area_code") or address.get("admin_area")):
        missing.append("admin_area")
    return [
        Finding(Rule.ADDRESS, f"ship_to.{name}", f"a parcel to {country or 'anywhere'} needs {name}", "address")
        for name in missing
    ]


def _totals(record: Mapping[str, Any], policy: Policy) -> list[Finding]:
    difference = check_totals(record).difference
    if difference is None or abs(difference) <= policy.totals_difference_up_to:
        return []
    hint = f"the source's total differs by {difference} from its own lines, charges, tax and discounts"
    return [Finding(Rule.TOTALS, "totals.total", hint)]
