"""Which sourcing strategy an order gets: routing rules over order facts, first match, with a fallback.

`when` is a JMESPath expression over `facts_of`; numbers in it are whole and quoted with backticks.
"""

from __future__ import annotations

import functools
from typing import Any

import jmespath

from hub.domain.order import OrderLine
from hub.oms.desk.load import Case


def choose_strategy(case: Case, method: str) -> tuple[str, str]:
    """(strategy id, id of the rule that chose it, "fallback" where none matched) for what is delivered in one way."""
    facts = {**facts_of(case), "method": method} if case.rules.routing else {}
    for rule in case.rules.routing:
        if rule.use in case.rules.strategies and _compiled(rule.when).search(facts):
            return rule.use, rule.id
    return case.rules.fallback, "fallback"


def facts_of(case: Case) -> dict[str, Any]:
    """What a routing rule may ask about."""
    order = case.order
    ship_to = case.contacts.get("ship_to", {})
    lines: list[OrderLine] = [line for line in order.lines if line.live > 0]
    return {
        "channel": order.channel,
        "seller_entity": order.seller_entity,
        "order_type": order.order_type,
        "method": order.facts.get("method", "ship"),
        "service_level": order.facts.get("service_level"),
        "country": ship_to.get("country"),
        "admin_area": ship_to.get("admin_area_code") or ship_to.get("admin_area"),
        "total": {"amount": order.total, "currency": order.currency},
        "tags": order.facts.get("tags", []),
        "line_count": len(lines),
        "units": sum(line.live for line in lines),
        "skus": sorted(line.sku for line in lines if line.sku),
    }


@functools.lru_cache(maxsize=256)
def _compiled(when: str) -> Any:
    return jmespath.compile(when)
