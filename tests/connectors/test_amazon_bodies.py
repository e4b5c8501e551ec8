"""Bodies that lack something, or hold something else than they should: captured as far as they can be read."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.amazon_sp.bodies import records_of
from connectors.amazon_sp.orders import Orders
from hub.domain.totals import check_totals
from hub.formats import json as exact_json
from hub.mapping import MappingLibrary
from hub.sdk.emulator import Ledger
from tests.connectors.amazon_world import GERMANY, START

FIXTURES = Path(__file__).resolve().parents[2] / "mappings" / "amazon_sp" / "fixtures"
MAPPINGS = MappingLibrary()
SHAPES = {False: "amazon_sp/orders.in", True: "amazon_sp/orders_v0.in"}
BODIES = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(FIXTURES.glob("*.json"))]
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, "", "x", 0, -1, 1.5, [], {}, True, "false", "1970-01-19T03:58:30Z", "9" * 20 + ".123456789", [None], [{}]]
)


def places(tree: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place below the order's id."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in inner:
        if key not in ("orderId", "AmazonOrderId"):
            yield (*path, key)
            yield from places(value, (*path, key))


@st.composite
def spoilt(draw: st.DrawFn) -> Any:
    body = copy.deepcopy(draw(st.sampled_from(BODIES)))
    for _ in range(draw(st.integers(1, 2))):
        left = list(places(body))
        if not left:
            break
        *way, last = draw(st.sampled_from(left))
        node = body
        for key in way:
            node = node[key]
        if draw(st.booleans()):
            del node[last]
        else:
            node[last] = copy.deepcopy(draw(ODD))
    return body


def canonical(body: Any) -> Any:
    return MAPPINGS.get(SHAPES["AmazonOrderId" in body]).run(exact_json.loads(json.dumps(body).encode())).record


@settings(max_examples=200, deadline=None)
@given(spoilt())
def test_an_order_with_an_id_is_always_mapped(body: Any) -> None:
    record = canonical(body)
    assert record["external_id"] == body.get("orderId", body.get("AmazonOrderId"))
    orders = list(records_of({"orders": [body]}, cancel_requests=True))
    assert orders[0].external_id == record["external_id"]


PRICES = st.decimals(min_value=0, max_value=1000, places=2)


@st.composite
def wishes(draw: st.DrawFn) -> Any:
    line = st.fixed_dictionaries(
        {"sku": st.sampled_from(["A", "B"]), "quantity": st.integers(1, 9), "price": PRICES.map(str)},
        optional={"gift_wrap": PRICES.map(str)},
    )
    return {
        "lines": draw(st.lists(line, min_size=1, max_size=4)),
        "currency": draw(st.sampled_from(["EUR", "GBP", "USD"])),
        "shipping": str(draw(PRICES)),
        "tax_rate": draw(st.sampled_from(["0", "0.19", "0.055"])),
        "taxes_included": draw(st.booleans()),
        **({"discount": str(draw(st.decimals(min_value=0, max_value=1, places=2)))} if draw(st.booleans()) else {}),
    }


@settings(max_examples=100, deadline=None)
@given(wishes())
def test_the_parts_of_a_total_add_up_to_it(wish: Any) -> None:
    ledger = Ledger(":memory:")
    record = canonical(Orders(ledger, GERMANY).place(wish, START))
    ledger.close()
    difference = check_totals(record).difference
    assert difference is not None
    assert abs(difference) <= Decimal("0.00"), record["totals"]


@pytest.mark.parametrize("fulfilled_by", ["MERCHANT", "AMAZON"])
@pytest.mark.parametrize(
    "status", ["PENDING", "UNSHIPPED", "PARTIALLY_SHIPPED", "SHIPPED", "CANCELLED", "UNFULFILLABLE"]
)
def test_every_status_is_known(status: str, fulfilled_by: str) -> None:
    body = copy.deepcopy(next(body for body in BODIES if body.get("orderId") == "026-1520163-6049104"))
    body["fulfillment"].update({"fulfillmentStatus": status, "fulfilledBy": fulfilled_by})
    mapped = MAPPINGS.get(SHAPES[False]).run(body)
    assert [hold.rule for hold in mapped.holds] == (["pending"] if status == "PENDING" else [])
