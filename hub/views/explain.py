"""A stored sourcing decision in words: what was wanted, who was asked, what was chosen, and what came second."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Line = tuple[str, str]
"""(label, words); an empty label goes on under the one before."""


def explain(document: Mapping[str, Any]) -> Iterator[Line]:
    """Lines of a decision of hub.oms.source; what is not known here is shown as it is."""
    left = dict(document)
    yield "wanted", _units(left.pop("demands", {}))
    label = "asked"
    for candidate in left.pop("candidates", []):
        yield label, f"{candidate['location']}: has {_units(candidate['available'])}; {_costs(candidate)}"
        label = ""
    label = "not asked"
    for exclusion in left.pop("exclusions", []):
        yield label, f"{exclusion['location']}: {exclusion['detail'] or exclusion['code']}"
        label = ""
    yield "chosen", _plan(left.pop("plan"))
    second = left.pop("second_best", None)
    yield "second best", _plan(second) if second else "there was no other way"
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
    return f"costs {', '.join(part for part in parts if not part.startswith('0 '))}, priority {candidate['priority']}"


def _plan(plan: Mapping[str, Any]) -> str:
    parts = [f"{one['quantity']} {one['sku']} from {one['location']}" for one in plan["quantities"]]
    words = ", ".join(parts) or "nothing"
    if plan["unfilled"]:
        words += f"; without {_units(plan['unfilled'])}"
    terms = " + ".join(f"{amount} {name}" for name, amount in plan["terms"] if amount != "0")
    return f"{words}; cost {plan['cost']}" + (f" = {terms}" if terms else "")
