"""Every order body of the public samples through `hub ingest`, end to end, against the oracle."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from hub.app import opened_hub
from hub.runtime.configuration import load_configuration
from hub.runtime.place import Place
from hub.store.reading import open_reading
from hub.views.orders import list_orders, show_order
from tests.conformance import feed, oracle

pytestmark = pytest.mark.skipif(
    not oracle.available(), reason=f"the samples are not there: {oracle.CORPORA} beside the checkout"
)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return feed.report(tmp_path_factory.mktemp("conformance"))


def test_at_least_nine_of_ten_well_formed_orders_of_each_source_are_applied(rows: list[dict[str, Any]]) -> None:
    assert {row["source"]: row["share_applied"] for row in rows if row["share_applied"] < 0.9} == {}
    assert {row["source"] for row in rows} == {"shopify-app-js", "shopify-python-api", "go-shopify"}


def test_the_oracle_agrees_field_by_field(rows: list[dict[str, Any]]) -> None:
    assert [disagreement for row in rows for disagreement in row["disagreements"]] == []


def test_nothing_well_formed_is_parked_or_unparsable(rows: list[dict[str, Any]]) -> None:
    assert {row["source"]: (row["parked"], row["unparsable"]) for row in rows} == {
        row["source"]: (0, 0) for row in rows
    }


def test_feeding_twice_changes_nothing(rows: list[dict[str, Any]]) -> None:
    assert [row["changed_by_feeding_twice"] for row in rows] == [0] * len(rows)


def test_arrival_order_of_one_orders_bodies_does_not_change_the_final_order(tmp_path: Path) -> None:
    """Bodies of one id with distinct versions, in every order of arrival (up to four bodies)."""
    groups: dict[str, list[oracle.Body]] = {}
    for source in oracle.sources():
        for body in oracle.bodies(source):
            known = groups.setdefault(str(body.external_id), [])
            if body.well_formed and body.version and body.version not in {other.version for other in known}:
                known.append(body)
    several = {key: bodies[:4] for key, bodies in groups.items() if len(bodies) > 1}
    assert several, "the samples no longer hold several states of one order"
    for key, bodies in several.items():
        orders = list(itertools.permutations(bodies))
        names = [f"arrival-{number}" for number in range(len(orders))]
        place = feed.Hub(tmp_path / key, names)
        finals = set()
        loaded = load_configuration(place.config, feed.ENVIRONMENT)
        with opened_hub(Place(place.config, place.home), loaded, environ=feed.ENVIRONMENT) as hub:
            for name, arrival in zip(names, orders, strict=True):
                for number, body in enumerate(arrival):
                    path = tmp_path / key / f"{name}-{number}.json"
                    path.write_bytes(body.raw)
                    hub.act("ingest", {"who": "test", "connection": name, "files": [str(path)]})
        with open_reading("hub.db", home=place.home) as connection:
            for name in names:
                (row,) = list_orders(connection, channel=name)
                order = show_order(connection, row["id"])
                assert order is not None
                finals.add(json.dumps(feed.compared(order), sort_keys=True, default=str))
        assert len(finals) == 1, f"order {key} depends on the arrival of {[str(body) for body in bodies]}"
