"""Which locations may be asked: predicates, each with the code it excludes a location under."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A location that was not asked, and the closed code of the predicate that excluded it. `until`: when the reason
    ends by itself; None where time alone changes nothing."""

    location: str
    code: str
    detail: str = ""
    until: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What eligibility may ask about a location. `leaves_in_time`: False where its calendar and cut-off keep the order
    there beyond what its service allows. `open_days`: whether it works at all. `carried`: a carrier
    takes it from there."""

    location: str
    can: frozenset[str]
    country: str
    capacity_left: int | None
    open_days: bool = True
    leaves_in_time: bool = True
    carried: bool = True


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the order wants of a location. `needs`: what it must be able to do beside its method (hazmat, age_check).
    `excluded`: location -> why it must not be asked again for now. `store`: where its buyer collects it. `special`:
    what of it not every carrier takes, in words."""

    method: str
    country: str
    needs: frozenset[str] = frozenset()
    excluded: Mapping[str, str] = field(default_factory=dict)
    store: str = ""
    special: str = ""


Predicate = Callable[[Facts, Wanted], str | None]


def _refused_before(facts: Facts, wanted: Wanted) -> str | None:
    return wanted.excluded.get(facts.location)


def _method(facts: Facts, wanted: Wanted) -> str | None:
    collected_here = wanted.method in ("pickup", "ship_to_store") and facts.location == wanted.store
    needed = "pickup" if wanted.method == "pickup" or collected_here else "ship"
    return None if needed in facts.can else f"the location does not {needed}"


def _store(facts: Facts, wanted: Wanted) -> str | None:
    elsewhere = wanted.method == "pickup" and facts.location != wanted.store
    return f"it is collected at {wanted.store or 'a store that is not known'}" if elsewhere else None


def _country(facts: Facts, wanted: Wanted) -> str | None:
    where = wanted.country or "an address without a country"
    what = f" that takes {wanted.special}" if wanted.special else ""
    return None if facts.carried else f"no carriage from there to {where}{what} is declared"


def _hazmat(facts: Facts, wanted: Wanted) -> str | None:
    return _unable(facts, wanted, "hazmat", "it does not handle dangerous goods")


def _age(facts: Facts, wanted: Wanted) -> str | None:
    return _unable(facts, wanted, "age_check", "it cannot check the buyer's age")


def _unable(facts: Facts, wanted: Wanted, what: str, words: str) -> str | None:
    return words if what in wanted.needs and what not in facts.can else None


def _capacity(facts: Facts, wanted: Wanted) -> str | None:
    return "its capacity for today is used up" if facts.capacity_left is not None and facts.capacity_left <= 0 else None


def _calendar(facts: Facts, wanted: Wanted) -> str | None:
    return None if facts.open_days else "it does not work in the weeks to come"


def _cut_off(facts: Facts, wanted: Wanted) -> str | None:
    return None if facts.leaves_in_time else "nothing more leaves there today"


ELIGIBILITY: tuple[tuple[str, Predicate], ...] = (
    ("excluded", _refused_before),
    ("method", _method),
    ("other_store", _store),
    ("country", _country),
    ("hazmat", _hazmat),
    ("age_check", _age),
    ("calendar", _calendar),
    ("cut_off", _cut_off),
    ("capacity", _capacity),
)
"""(reason code, predicate) in the order they are asked; a predicate answers why not, or None."""

OF_TODAY = frozenset({"cut_off", "capacity"})
"""Reasons that end with the location's day."""


def eligible(facts: Facts, wanted: Wanted) -> Exclusion | None:
    """None if the location may be asked, else the first reason against it."""
    for code, predicate in ELIGIBILITY:
        detail = predicate(facts, wanted)
        if detail is not None:
            return Exclusion(facts.location, code, detail)
    return None
