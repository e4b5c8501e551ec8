"""Sourcing: which locations ship what. Eligibility, cost model, packaging and solver are separate; the trace explains.

Demands of one order for the same SKU are one demand here (they share the stock); the caller deals the result out to
lines by line number. Objectives compare from left to right, and units nobody can give always count first. `cost` then
minimises the sum of the cost terms; `lexicographic` priorities, shipments, cost, days; `speed` the day on which the
last shipment arrives, then cost. Ties: priority, earliest delivery, location ids.
"""

from hub.domain.sourcing.eligibility import ELIGIBILITY, OF_TODAY, Exclusion, Facts, Wanted, eligible
from hub.domain.sourcing.plan import EFFORT_PER_SECOND, Candidate, Demand, Objective, Plan, Score, Sourced, Step
from hub.domain.sourcing.solver import source

__all__ = [
    "EFFORT_PER_SECOND",
    "ELIGIBILITY",
    "OF_TODAY",
    "Candidate",
    "Demand",
    "Exclusion",
    "Facts",
    "Objective",
    "Plan",
    "Score",
    "Sourced",
    "Step",
    "Wanted",
    "eligible",
    "source",
]
