"""What is written in the configuration reaches the decisions: nothing is read and then ignored."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType

import pytest

from hub.config.model import Bundle
from hub.runtime.rules import rules_of
from tests.simulation.site import settings


@pytest.fixture
def bundle() -> Bundle:
    return settings()[0].loaded.bundle


def test_safety_stock_is_by_sku_with_a_default(bundle: Bundle) -> None:
    safety = MappingProxyType({"default": Decimal(2), "TEE": Decimal(5)})
    locations = {name: replace(one, safety_stock=safety) for name, one in bundle.locations.items()}
    for rule in rules_of(replace(bundle, locations=locations)).locations.values():
        assert [rule.safety("TEE"), rule.safety("CAP")] == [5, 2]


def test_a_location_has_its_clock_skew(bundle: Bundle) -> None:
    skew = dt.timedelta(seconds=7)
    locations = {name: replace(one, clock_skew=skew) for name, one in bundle.locations.items()}
    assert {rule.clock_skew for rule in rules_of(replace(bundle, locations=locations)).locations.values()} == {skew}


def test_each_strategy_has_its_own_penalty_and_asks_its_own_locations(bundle: Bundle) -> None:
    strategies = {
        name: replace(one, split_penalty=Decimal(number), locations=frozenset({"x"}), types=frozenset({"store"}))
        for number, (name, one) in enumerate(sorted(bundle.routing.strategies.items()))
    }
    made = rules_of(replace(bundle, routing=replace(bundle.routing, strategies=strategies)))
    assert [made.strategies[name].split_penalty for name in sorted(strategies)] == list(range(len(strategies)))
    written = [made.strategies[name] for name in strategies]
    assert not any(one.asks(rule) for one in written for rule in made.locations.values())


def test_unpaid_orders_may_be_accepted(bundle: Bundle) -> None:
    policies = replace(bundle.policies, payment_otherwise="accept")
    assert rules_of(replace(bundle, policies=policies)).payment_require == ()


def test_pushes_are_coalesced_as_long_as_the_policy_says(bundle: Bundle) -> None:
    policies = replace(bundle.policies, promise_coalesce=dt.timedelta(seconds=42))
    assert rules_of(replace(bundle, policies=policies)).push_window_seconds == 42


def test_where_one_erp_is_named_only_that_one_gets_orders(bundle: Bundle) -> None:
    assert rules_of(bundle).takers["submit_order"] == ("erp",)
    other = replace(bundle, policies=replace(bundle.policies, erp="another"))
    assert "submit_order" not in rules_of(other).takers
    assert "push_shipment" in rules_of(other).takers
