"""What a parcel's address needs, by country: parts that must be there, and the form of the postal code.

Sources: the postal addressing systems of the Universal Postal Union (which parts, which countries have no code) and the
postal operators' own pages on the form of their codes (ISO 3166-1 alpha-2). Letters are compared in upper case, blanks
and hyphens at the customary place may be missing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_NO_POSTAL_CODE = (
    "AE AG AN AO AW BF BI BJ BO BS BW BZ CD CF CG CI CK CM DJ DM ER FJ GA GD GH GM GN GQ GY HK IE JM KI KM KN KP LC ML"
    " MO MR MS MU MW NR NU PA QA RW SB SC SL SR ST SY TD TF TG TK TL TO TT TV TZ UG VU YE ZW"
)
NO_POSTAL_CODE = frozenset(_NO_POSTAL_CODE.split())
"""Countries without a postal code in general use."""

NEEDS_ADMIN_AREA = frozenset({"US", "CA", "AU", "BR", "MX", "IN", "CN", "JP"})
"""Countries whose carriers need a state, province or prefecture."""


@dataclass(frozen=True, slots=True)
class PostalCode:
    """`form` matches the whole code in upper case; `looks` is how people write it."""

    form: re.Pattern[str]
    looks: str


def _code(form: str, looks: str) -> PostalCode:
    return PostalCode(re.compile(form), looks)


_FIVE = _code(r"[0-9]{5}", "12345")
_FOUR = _code(r"[0-9]{4}", "1234")

POSTAL_CODES: Mapping[str, PostalCode] = {
    "US": _code(r"[0-9]{5}(-?[0-9]{4})?", "12345 or 12345-6789"),
    "CA": _code(r"[ABCEGHJ-NPRSTVXY][0-9][ABCEGHJ-NPRSTV-Z][ -]?[0-9][ABCEGHJ-NPRSTV-Z][0-9]", "K1A 0B1"),
    "GB": _code(r"GIR ?0AA|[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][ABD-HJLNP-UW-Z]{2}|BFPO ?[0-9]{1,4}", "SW1A 1AA"),
    "DE": _FIVE,
    "FR": _FIVE,
    "ES": _code(r"(0[1-9]|[1-4][0-9]|5[0-2])[0-9]{3}", "28001"),
    "IT": _FIVE,
    "AT": _code(r"[1-9][0-9]{3}", "1010"),
    "CH": _code(r"[1-9][0-9]{3}", "8001"),
    "NL": _code(r"[1-9][0-9]{3} ?[A-Z]{2}", "1012 AB"),
    "AU": _FOUR,
    "JP": _code(r"[0-9]{3}-?[0-9]{4}", "150-0002"),
    "BE": _code(r"[1-9][0-9]{3}", "1000"),
    "DK": _FOUR,
    "NO": _FOUR,
    "SE": _code(r"[0-9]{3} ?[0-9]{2}", "111 22"),
    "FI": _FIVE,
    "PL": _code(r"[0-9]{2}-?[0-9]{3}", "00-950"),
    "PT": _code(r"[0-9]{4}-?[0-9]{3}", "1000-001"),
    "BR": _code(r"[0-9]{5}-?[0-9]{3}", "01310-100"),
    "MX": _FIVE,
    "IN": _code(r"[1-9][0-9]{2} ?[0-9]{3}", "110001"),
    "NZ": _FOUR,
    "LU": _code(r"(L-?)?[0-9]{4}", "1009"),
    "CZ": _code(r"[0-9]{3} ?[0-9]{2}", "110 00"),
}
"""Where the form is known; other countries' codes are taken as they are."""


def missing_parts(address: Mapping[str, Any]) -> list[str]:
    """Parts that a parcel to this address needs and has not."""
    country = str(address.get("country") or "")
    missing = [name for name in ("country", "locality") if not address.get(name)]
    if not any(address.get("lines") or ()):
        missing.append("lines")
    if not address.get("postal_code") and country not in NO_POSTAL_CODE:
        missing.append("postal_code")
    if country in NEEDS_ADMIN_AREA and not (address.get("admin_area_code") or address.get("admin_area")):
        missing.append("admin_area")
    return missing


def wrong_postal_code(address: Mapping[str, Any]) -> str | None:
    """How a postal code of the country looks, where the given one cannot be one; None where it can."""
    known = POSTAL_CODES.get(str(address.get("country") or ""))
    code = str(address.get("postal_code") or "").strip().upper()
    if known is None or not code or known.form.fullmatch(code):
        return None
    return known.looks
