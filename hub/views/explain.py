"""A stored sourcing decision in words: what was wanted, who was asked, what was chosen, and what came second."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from hub.domain.money import decimal_text

Line = tuple[str, str]
"""(label, words); an empty label goes on under the one before."""


def explain(document: Mapping[str, Any]) -> Iterator[Line]:
    """Lines of a decision of hub.oms.sourcing.source; what is not known here is shown as it is."""
    left = dict(document)
    yield "wanted", _units(left.pop("demands", {}))
    label = "asked"
    for candidate in left.pop("candidates", []):
        yield label, f"{candidate['location']}: has {_units(candidate['available'])}; {_costs(candidate)}"
        label = ""
    label = "not asked"
    for exclusion in left.pop("exclusions", []):
        detail = f"{exclusion['detail']} ({exclusion['code']})" if exclusion["detail"] else exclusion["code"]
        until = f", until {exclusion['until']}" if exclusion.get("until") else ""
        yield label, f"{exclusion['location']}: {detail}{until}"
        label = ""
    plan = left.pop("plan")
    yield "chosen", _plan(plan)
    second = left.pop("second_best", None)
    yield "second best", _second(second, plan) if second else "there was no other way"
    greedy = left.pop("greedy", None)
    if greedy:
        yield "greedy rule", f"{', '.join(greedy['locations']) or 'nowhere'}, cost {greedy['cost']}"
    proven, looked, bound = left.pop("proven", False), left.pop("effort", "?"), left.pop("bound", [])
    found = "proven to be the best" if proven else f"best found in time, no better than {', '.join(bound)} is possible"
    yield "search", f"{found}, {looked} pairs of line and location looked at"
    for name, value in left.items():
        yield name.replace("_", " "), str(value)


def _units(quantities: Mapping[str, str]) -> str:
    return ", ".join(f"{units} {sku}" for sku, units in quantities.items()) or "nothing"


def _costs(candidate: Mapping[str, Any]) -> str:
    parts = [f"{amount} for the {name}" for name, amount in candidate["cost"].items()]
    parts += [f"{candidate[key]} a {what}" for key, what in (("per_line", "line"), ("per_unit", "unit"))]
    parts += [f"{amount} up to {grams} g" for grams, amount in candidate.get("carrier", ())]
    for key, what in (("line_terms", "line"), ("unit_terms", "unit")):
        for sku, terms in candidate.get(key, {}).items():
            parts += [f"{amount} a {what} of {sku} for {name}" for name, amount in terms.items()]
    days = f", arrives in {candidate['days']} days" if candidate.get("days") else ""
    said = ", ".join(part for part in parts if not part.startswith("0 ")) or "nothing"
    return f"costs {said}{days}, priority {candidate['priority']}"


def _second(second: Mapping[str, Any], plan: Mapping[str, Any]) -> str:
    """By how much it is worse, where both give the same units."""
    words = _plan(second)
    if second["unfilled"] != plan["unfilled"]:
        return words
    more = Decimal(second["cost"]) - Decimal(plan["cost"])
    return f"{'+' if more >= 0 else ''}{decimal_text(more)}: {words}"


def _plan(plan: Mapping[str, Any]) -> str:
    parts = [f"{one['quantity']} {one['sku']} from {one['location']}" for one in plan["quantities"]]
    words = ", ".join(parts) or "nothing"
    if plan["unfilled"]:
        words += f"; without {_units(plan['unfilled'])}"
    terms = " + ".join(f"{amount} {name}" for name, amount in plan["terms"] if amount != "0")
    return f"{words}; cost {plan['cost']}" + (f" = {terms}" if terms else "")
