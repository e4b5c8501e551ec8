"""The vendor's samples of marketplace orders, of both versions, against an oracle that shares no code with the hub."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.app import opened_hub
from hub.formats import json as exact_json
from hub.mapping import MappingLibrary
from hub.runtime.configuration import load_configuration
from hub.runtime.place import Place
from hub.store.reading import open_reading
from hub.views.orders import list_orders, show_order
from tests.conformance import amazon, feed

pytestmark = pytest.mark.skipif(
    not amazon.available(), reason=f"the samples are not there: {amazon.CORPORA} beside the checkout"
)

COUNTED = {"orders-2026-01-01": (8, 8), "orders-v0": (10, 10)}
"""Source -> (bodies, well-formed ones), counted by hand."""


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return amazon.report(tmp_path_factory.mktemp("amazon"))


@pytest.mark.parametrize("source", COUNTED)
def test_every_body_is_counted(source: str) -> None:
    found = amazon.bodies(source)
    assert (len(found), sum(body.well_formed for body in found)) == COUNTED[source]


def test_at_least_nine_of_ten_well_formed_bodies_are_applied(rows: list[dict[str, Any]]) -> None:
    assert {row["source"]: row["share_applied"] for row in rows if row["share_applied"] < 0.9} == {}
    assert {row["source"]: row["fed"] for row in rows} == {source: fed for source, (fed, _) in COUNTED.items()}


def test_the_oracle_agrees_on_every_field_and_every_outcome(rows: list[dict[str, Any]]) -> None:
    assert [one for row in rows for one in (*row["disagreements"], *row["unexpected"])] == []


def test_nothing_well_formed_is_parked_and_only_pending_orders_give_a_reason(rows: list[dict[str, Any]]) -> None:
    assert {row["source"]: (row["parked"], row["unparsable"]) for row in rows} == dict.fromkeys(COUNTED, (0, 0))
    assert {row["source"]: row["reasons"] for row in rows} == {
        "orders-2026-01-01": [],
        "orders-v0": ["no_lines", "pending"],
    }


def test_feeding_twice_changes_nothing(rows: list[dict[str, Any]]) -> None:
    assert [row["changed_by_feeding_twice"] for row in rows] == [0, 0]


def test_the_parts_of_an_old_order_make_the_same_order_whatever_comes_first(tmp_path: Path) -> None:
    order, items = (amazon.CORPORA / "ordersV0" / f"{name}.200.0.json" for name in ("getOrder", "getOrderItems"))
    finals = set()
    for number, parts in enumerate(itertools.permutations([order, items])):
        hub = feed.Hub(tmp_path / str(number), [])
        file = hub.config / "connections" / "orders-v0.yaml"
        file.write_text(amazon.CONNECTION.format(source="orders-v0"), encoding="utf-8")
        paths = []
        for part in parts:
            paths.append(tmp_path / str(number) / part.name)
            paths[-1].write_text(json.dumps(json.loads(part.read_bytes())["response"]), encoding="utf-8")
        loaded = load_configuration(hub.config, feed.ENVIRONMENT)
        with opened_hub(Place(hub.config, hub.home), loaded, environ=feed.ENVIRONMENT) as running:
            running.act("ingest", {"who": "test", "connection": "orders-v0", "files": [str(path) for path in paths]})
        with open_reading("hub.db", home=hub.home) as connection:
            (row,) = list_orders(connection, channel="orders-v0")
            shown = show_order(connection, row["id"])
            assert shown is not None
            finals.add(json.dumps(feed.compared(shown), sort_keys=True, default=str))
    assert len(finals) == 1


# -- the mapping alone ---------------------------------------------------------------------------------------------

SHAPES = {"orders-2026-01-01": "amazon_sp/orders.in", "orders-v0": "amazon_sp/orders_v0.in"}


def raw_orders(source: str) -> Iterator[tuple[str, Any]]:
    for path in amazon.files(source):
        tree = json.loads(path.read_bytes())["response"]
        inner = tree.get("payload", tree)
        for order in inner.get("orders") or inner.get("Orders") or [inner.get("order", inner)]:
            yield path.name, order


CONVERTED = ("Time", "Date", "Status", "IsGift", "IsBuyerRequestedCancel", ".amount", ".Amount", ".buyerEmail")
"""Fields whose text changes on the way: instants, value tables, text for true, signs of amounts."""


@pytest.mark.parametrize("source", SHAPES)
def test_nothing_of_a_body_is_lost(source: str) -> None:
    mapping = MappingLibrary().get(SHAPES[source])
    for name, order in raw_orders(source):
        record = json.dumps(mapping.run(exact_json.loads(json.dumps(order).encode())).record, default=str).lower()
        for path, text in scalars(order, ""):
            if not path.endswith(CONVERTED):
                assert json.dumps(text.strip())[1:-1].lower() in record, f"{name}: {path}"


def scalars(tree: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from scalars(value, f"{path}.{key}")
    elif isinstance(tree, list):
        for value in tree:
            yield from scalars(value, path)
    elif isinstance(tree, str) and tree.strip():
        yield path, tree


# -- the oracle itself ---------------------------------------------------------------------------------------------


def shown(source: str) -> list[dict[str, Any]]:
    """What the hub would show if it did everything right, made of the oracle's own reading."""
    return [
        {
            "external_id": external_id,
            "currency": want.currency,
            "placed_at": want.placed_at,
            "effects": "observe",
            "holds": [{"rule": "pending", "released_at": None}] if want.pending else [],
            "document": {"totals": {"total": want.total} if want.total else {}},
            "lines": [
                {
                    "external_line_id": line.external_line_id,
                    "sku": line.sku,
                    "ordered": line.quantity,
                    "document": {"details": {"unit_price": line.unit_price, "total": line.total}},
                }
                for line in want.lines or ()
            ],
        }
        for external_id, want in amazon.wanted(amazon.bodies(source)).items()
    ]


def test_the_oracle_finds_a_changed_amount_a_lost_line_a_missing_and_a_doubled_order() -> None:
    source = "orders-2026-01-01"
    orders = shown(source)
    assert amazon.disagreements(orders, source) == []
    assert len(amazon.disagreements(orders[1:], source)) == 1
    assert len(amazon.disagreements([*orders, orders[0]], source)) == 1
    orders[0]["document"]["totals"]["total"] = "0.01"
    orders[1]["lines"][0]["ordered"] = "99"
    orders[2]["lines"] = []
    orders[3]["holds"] = [{"rule": "pending", "released_at": None}]
    told = [
        difference.partition(" ")[2].partition(":")[0].partition(".")[0]
        for difference in amazon.disagreements(orders, source)
    ]
    assert sorted(told) == ["lines", "lines", "lines", "pending", "total"]


def test_the_oracle_orders_bodies_of_one_id_by_their_version() -> None:
    (first, *_) = [body for body in amazon.bodies("orders-2026-01-01") if body.well_formed]
    newer = dataclasses.replace(first, version=first.version.replace("20", "21", 1), total="1.00")
    assert amazon.expected_statuses([first, first]) == [frozenset({"applied"}), frozenset({"duplicate", "held"})]
    assert amazon.expected_statuses([newer, first])[1] == frozenset({"superseded", "applied"})
    assert amazon.wanted([newer, first])[str(first.external_id)].total == "1.00"
    assert amazon.wanted([first, newer])[str(first.external_id)].total == "1.00"
