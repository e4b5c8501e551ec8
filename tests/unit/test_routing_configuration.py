"""What the page on routing rules shows is a configuration that acts, and what is wrong with zones is found."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from pathlib import Path

import pytest

from hub.config.findings import ConfigErrors
from hub.config.load import load_texts
from hub.config.model import Bundle
from hub.domain.schedule import Schedule
from hub.domain.sourcing.cost import carriage_for
from hub.oms.sourcing.source import objective_of
from hub.runtime.rules import rules_of

PAGE = Path(__file__).parents[2] / "docs/how-to/routing-rules.md"
HUB = "seller: { name: Acme, default_entity: acme-us, base_currency: USD }\n"
ROUTING, LOCATIONS = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def load(routing: str = ROUTING, **more: str) -> Bundle:
    files = {"hub.yaml": HUB, "routing.yaml": routing, "locations.yaml": LOCATIONS, **more}
    return load_texts(files, environ={}, connectors={})


def test_the_page_shows_a_configuration_that_acts() -> None:
    rules = rules_of(load())
    cheapest = rules.strategies["cheapest"]
    assert (cheapest.late_per_day, cheapest.min_shipment_value) == (Decimal(2), Decimal(15))
    assert objective_of(cheapest).least_value == 15
    assert objective_of(cheapest).effort == 500_000  # a quarter of a second
    near = carriage_for(rules.carriage, "store-14", "US", "60601", Decimal(300), "standard")
    assert near is not None
    assert (near.zone, near.days, near.steps[1].amount) == ("near", 2, Decimal(6))
    far = carriage_for(rules.carriage, "store-14", "US", "60601", None, "standard")
    assert far is not None
    assert far.zone == "far"  # a distance that is not known is in no band
    assert carriage_for(rules.carriage, "store-14", "CA", "K1A", Decimal(300), "standard") is None
    same_day = carriage_for(rules.carriage, "store-14", "US", "60601", Decimal(12), "same_day")
    assert same_day is not None
    assert same_day.zone == "same-day"
    store = rules.locations["store-14"]
    assert store.schedule == Schedule(
        "America/Chicago",
        frozenset(range(5)),
        frozenset({"2026-12-25"}),
        {"standard": dt.time(15), "same_day": dt.time(12)},
    )
    assert (store.last_units_below, store.last_unit_cost) == (Decimal(3), Decimal(2))
    assert "age_check" in store.can


def test_risk_is_declared_by_channel() -> None:
    risk = rules_of(load(**{"policies.yaml": "risk: { warn_before: 2h, penalty: { default: 3, market: 25 } }\n"})).risk
    assert risk.warn_before == dt.timedelta(hours=2)
    assert [risk.penalty_of("market"), risk.penalty_of("shop")] == [Decimal(25), Decimal(3)]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            "  - zone: near\n    countries: [US]\n    up_to_km: 800\n",
            "  - zone: near\n",
            'the zone "far" is never reached: the one in line 15 takes everything',
        ),
        ("{ grams: 500, cost: 5.60 }", "{ grams: 500, cost: 9.60 }", "steps rise in weight"),
        ("    services: [same_day]\n", "    from: [store-41]\n", 'there is no location "store-41"'),
        ("objective: speed", "objective: fastest", "speed"),
    ],
)
def test_what_cannot_be_meant_is_found(before: str, after: str, expected: str) -> None:
    assert before in ROUTING
    with pytest.raises(ConfigErrors) as caught:
        load(ROUTING.replace(before, after, 1))
    assert any(expected in str(found) for found in caught.value.findings), [str(one) for one in caught.value.findings]
