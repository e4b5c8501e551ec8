"""What a parcel's address needs, by country: parts that must be there, and the form of the postal code.

Sources: the postal addressing systems of the Universal Postal Union (which parts an address has, which countries have
codes) and the postal operators' own pages on the form of their codes (ISO 3166-1 alpha-2), the states of the USA and
Canada as their post offices abbreviate them. Letters are compared in upper case, blanks and hyphens at the customary
place may be missing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub.domain.countries import alpha_2

_POSTAL_CODE_NEEDED = (
    "AS AT AU AX BE BG BR CA CH CN CY CZ DE DK EE ES FI FM FR GB GF GG GL GP GR GU HR HU ID IM IN IS IT JE JP KR LI LT"
    " LU LV MC MF MH MP MQ MT MX MY NL NO NZ PL PM PR PT PW RE RO RS RU SE SG SI SK SM TH TR TW UA US VA VI YT ZA"
)
NEEDS_POSTAL_CODE = frozenset(_POSTAL_CODE_NEEDED.split())
"""Countries in which no parcel travels without one. Others have none (Hong Kong), or people do without."""

NEEDS_ADMIN_AREA = frozenset({"US", "CA", "AU", "BR", "MX", "IN"})
"""Countries whose carriers need a state or province."""

ONE_PLACE = frozenset({"SG", "HK", "MO", "MC", "VA", "GI"})
"""Countries that are one place: their addresses name no town."""

AREA_IS_PLACE = frozenset({"JP", "AE", "KR", "TW"})
"""Countries whose addresses often name the prefecture, emirate or city state alone, the rest in their lines."""


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


_STATES: Mapping[str, str] = {
    "US": """
        AL ALABAMA, AK ALASKA, AZ ARIZONA, AR ARKANSAS, CA CALIFORNIA, CO COLORADO, CT CONNECTICUT, DE
        DELAWARE, DC DISTRICT OF COLUMBIA, DC WASHINGTON DC, FL FLORIDA, GA GEORGIA, HI HAWAII, ID IDAHO, IL
        ILLINOIS, IN INDIANA, IA IOWA, KS KANSAS, KY KENTUCKY, LA LOUISIANA, ME MAINE, MD MARYLAND, MA
        MASSACHUSETTS, MI MICHIGAN, MN MINNESOTA, MS MISSISSIPPI, MO MISSOURI, MT MONTANA, NE NEBRASKA, NV
        NEVADA, NH NEW HAMPSHIRE, NJ NEW JERSEY, NM NEW MEXICO, NY NEW YORK, NC NORTH CAROLINA, ND NORTH
        DAKOTA, OH OHIO, OK OKLAHOMA, OR OREGON, PA PENNSYLVANIA, RI RHODE ISLAND, SC SOUTH CAROLINA, SD
        SOUTH DAKOTA, TN TENNESSEE, TX TEXAS, UT UTAH, VT VERMONT, VA VIRGINIA, WA WASHINGTON, WV WEST
        VIRGINIA, WI WISCONSIN, WY WYOMING, AS AMERICAN SAMOA, GU GUAM, MP NORTHERN MARIANA ISLANDS, PR
        PUERTO RICO, VI VIRGIN ISLANDS, VI US VIRGIN ISLANDS, FM MICRONESIA, MH MARSHALL ISLANDS, PW PALAU,
        UM MINOR OUTLYING ISLANDS, AA ARMED FORCES AMERICAS, AE ARMED FORCES EUROPE, AP ARMED FORCES PACIFIC
    """,
    "CA": """
        AB ALBERTA,BC BRITISH COLUMBIA,MB MANITOBA,NB NEW BRUNSWICK,NL NEWFOUNDLAND AND LABRADOR,NL NEWFOUNDLAND,
        NS NOVA SCOTIA,NT NORTHWEST TERRITORIES,NU NUNAVUT,ON ONTARIO,PE PRINCE EDWARD ISLAND,QC QUEBEC,QC QU\u00c9BEC,
        SK SASKATCHEWAN,YT YUKON,YT YUKON TERRITORY
    """,
}


def _names(country: str) -> frozenset[str]:
    pairs = [" ".join(pair.split()).partition(" ") for pair in _STATES[country].split(",")]
    return frozenset(name for code, _, full in pairs for name in (code, f"{country}-{code}", full))


STATES: Mapping[str, frozenset[str]] = {country: _names(country) for country in _STATES}
"""Codes and names of states, where a wrong one is told from a right one."""


def missing_parts(address: Mapping[str, Any]) -> list[str]:
    """Parts that a parcel to this address needs and has not."""
    country = str(address.get("country") or "")
    area = address.get("admin_area_code") or address.get("admin_area")
    missing = [] if country else ["country"]
    if not (address.get("locality") or country in ONE_PLACE or (area and country in AREA_IS_PLACE)):
        missing.append("locality")
    if not any(address.get("lines") or ()):
        missing.append("lines")
    if not address.get("postal_code") and (country in NEEDS_POSTAL_CODE or not country):
        missing.append("postal_code")
    if country in NEEDS_ADMIN_AREA and not area:
        missing.append("admin_area")
    return missing


def wrong_postal_code(address: Mapping[str, Any]) -> str | None:
    """How a postal code of the country looks, where the given one cannot be one; None where it can."""
    known = POSTAL_CODES.get(str(address.get("country") or ""))
    code = str(address.get("postal_code") or "").strip().upper()
    if known is None or not code or known.form.fullmatch(code):
        return None
    return known.looks


def wrong_country(address: Mapping[str, Any]) -> bool:
    """It has a country, and that is no code of one."""
    country = str(address.get("country") or "")
    return bool(country) and alpha_2(country) != country


def wrong_admin_area(address: Mapping[str, Any]) -> str | None:
    """The state as given, where its country has no such state; None where it has, or the country's are not listed."""
    known = STATES.get(str(address.get("country") or ""))
    given = [str(address[name]) for name in ("admin_area_code", "admin_area") if address.get(name)]
    if known is None or not given or any(_plain(one) in known for one in given):
        return None
    return given[0]


def _plain(area: str) -> str:
    return " ".join(area.upper().replace(".", "").replace(",", " ").split())
