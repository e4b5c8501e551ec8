"""The auditor tells goods that are sold twice from goods whose shipment notice is still on its way, and sees what came
back and was passed over."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path

import pytest

from hub.domain.ids import IdSource
from hub.domain.writeset import WriteSet
from hub.store.open import open_store
from tests.chaos.books import Books
from tests.chaos.checks import erp
from tests.chaos.checks.stock import oversold
from tests.chaos.database import looking
from tests.chaos.ledgers import Request, Sold, Truth
from tests.chaos.shelf import Shelf
from tests.chaos.systems import ERP, SHOP
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


class Back:
    """Order or-1 of the shop, of which one unit came back to a location."""

    def __init__(self, home: Path, given: str | None) -> None:
        self.home = home
        self.truth = Truth()
        sold = Sold(SHOP, "or-1", "#1", Decimal(10), (("SKU-1", 1),), frozenset(), "1")
        writes = WriteSet()
        made = order("or-1")
        writes.insert("orders", {**made, "channel": SHOP, "external_id": sold.id, "status": "received"})
        if given is not None:
            writes.insert(
                "return_settlements",
                {
                    "id": "rs-1",
                    "order_id": "or-1",
                    "return_id": "rt-1",
                    "kind": "refund",
                    "currency": "USD",
                    "amount": Decimal(given),
                    "document": {},
                    "at": START,
                },
            )
        store = open_store("hub.db", home=home, clock=SettableClock(), ids=IdSource(random.Random(1)))
        must_apply(store, writes)
        store.close()
        self.truth.orders[SHOP, sold.id] = sold
        self.truth.returned["#1"] = 1

    def credit(self, key: str, amount: str) -> None:
        entry = (START.isoformat(), f"erp/post_credit_note/{key}", "or-1", {"amount": amount})
        self.truth.entries.setdefault((ERP, "credit_note"), []).append(entry)

    def findings(self) -> list[str]:
        with looking("hub.db", self.home) as connection:
            return [words for _, words in erp.check(Books(self.truth, connection, NOBODY))]


def test_goods_that_came_back_for_nothing_and_unseen_are_found(tmp_path: Path) -> None:
    (words,) = Back(tmp_path, None).findings()
    assert words == "goods of order #1 came back, nothing was given for them, and nobody is told"


def test_what_was_given_for_goods_needs_its_credit_note(tmp_path: Path) -> None:
    back = Back(tmp_path, "7.50")
    (words,) = back.findings()
    assert words == "7.5 were given for a return of order or-1, the ERP was told of 0"
    back.credit("return/rs-1", "7.50")
    assert back.findings() == []
    back.credit("return/rs-1", "7.50")
    assert back.findings() == ["the ERP has 2 documents credit_note of erp/post_credit_note/return/rs-1"]
