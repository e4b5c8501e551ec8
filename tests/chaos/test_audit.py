"""The auditor tells goods that are sold twice from goods whose shipment notice is still on its way."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path

import pytest

from hub.domain.ids import IdSource
from hub.domain.writeset import WriteSet
from hub.store.open import open_store
from tests.chaos.books import Books
from tests.chaos.checks.stock import oversold
from tests.chaos.database import looking
from tests.chaos.ledgers import Request, Truth
from tests.chaos.shelf import Shelf
from tests.conftest import START, SettableClock
from tests.store.build import line, must_apply, order

NOBODY = Shelf((), (), (), {})


class Spot:
    """SKU-1 at the location east: what the hub has reserved for order or-1 and what the location did."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.truth = Truth()

    def reserved(self, units: int, *, heard: int = 0) -> None:
        writes = WriteSet()
        writes.insert("orders", order("or-1"))
        writes.insert("order_lines", line("or-1", 1))
        writes.insert(
            "reservations",
            {
                "id": "rs-1",
                "order_id": "or-1",
                "line_id": "or-1/1",
                "sku": "SKU-1",
                "location": "east",
                "quantity": Decimal(units),
                "state": "firm",
                "fulfilment_order_id": "fo-1",
                "created_at": START,
                "updated_at": START,
            },
        )
        if heard:
            packages = [{"lines": [{"line_id": "or-1/1", "quantity": str(heard)}]}]
            writes.insert(
                "shipments",
                {
                    "id": "sh-1",
                    "order_id": "or-1",
                    "fulfilment_order_id": "fo-1",
                    "location": "east",
                    "external_id": "SH-1",
                    "shipped_at": START,
                    "document": {"packages": packages},
                    "created_at": START,
                },
            )
        store = open_store("hub.db", home=self.home, clock=SettableClock(), ids=IdSource(random.Random(1)))
        must_apply(store, writes)
        store.close()

    def location(self, *, there: int, shipped: int = 0, work: str = "fo-1") -> None:
        self.truth.stock["east", "SKU-1"] = Decimal(there)
        figures = {"ordered": Decimal(10), "cancelled": Decimal(0), "short": Decimal(0), "shipped": Decimal(shipped)}
        lines = [{"reference": "or-1/1", "sku": "SKU-1", **figures}]
        self.truth.requests.append(Request("R-1", work, "#1", "east", "shipped", lines))

    def oversold(self) -> int:
        with looking("hub.db", self.home) as connection:
            return int(sum(units for units, _ in oversold(Books(self.truth, connection, NOBODY))))


@pytest.fixture
def spot(tmp_path: Path) -> Spot:
    return Spot(tmp_path)


def test_goods_that_left_and_whose_notice_is_not_applied_yet_are_not_oversold(spot: Spot) -> None:
    spot.reserved(10)
    spot.location(there=0, shipped=10)
    assert spot.oversold() == 0


def test_goods_that_never_were_there_are_oversold(spot: Spot) -> None:
    spot.reserved(10)
    spot.location(there=4)
    assert spot.oversold() == 6


def test_a_notice_on_its_way_excuses_no_more_than_it_says(spot: Spot) -> None:
    spot.reserved(10)
    spot.location(there=1, shipped=7)
    assert spot.oversold() == 2


def test_a_notice_that_was_applied_excuses_nothing(spot: Spot) -> None:
    spot.reserved(3, heard=7)
    spot.location(there=1, shipped=7)
    assert spot.oversold() == 2


def test_a_notice_of_other_work_excuses_nothing(spot: Spot) -> None:
    spot.reserved(5)
    spot.location(there=0, shipped=5, work="fo-2")
    assert spot.oversold() == 5
