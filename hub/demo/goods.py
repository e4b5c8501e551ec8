"""What the demo's company sells and where it lies: SKU, title, GTIN, price, units by location."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

EAST, WEST, STORE = "dc-east", "dc-west", "store-14"
LOCATIONS = (EAST, WEST, STORE)
SHOP_LOCATIONS: Mapping[str, str] = {EAST: "1001", WEST: "1002", STORE: "1014"}
"""The shop's own number of each location, as config/demo/connections/shopify-us.yaml maps them."""


@dataclass(frozen=True, slots=True)
class Article:
    sku: str
    title: str
    gtin: str
    price: str
    stock: Mapping[str, int] = field(default_factory=dict)
    """Units by location. A location that is not named holds none, and says so."""


def _gtin(number: int) -> str:
    """GTIN-13 with its check digit (GS1 General Specifications, check digit calculation)."""
    digits = f"4006381{number:05d}"
    total = sum(int(digit) * (3 if index % 2 else 1) for index, digit in enumerate(digits))
    return f"{digits}{-total % 10}"


_ROWS: tuple[tuple[str, str, str, Mapping[str, int]], ...] = (
    ("MUG-BLUE", "Mug, blue", "12.00", {EAST: 60, WEST: 40, STORE: 8}),
    ("MUG-WHITE", "Mug, white", "12.00", {EAST: 50, WEST: 35}),
    ("TEE-M", "T-shirt, medium", "24.50", {EAST: 40, WEST: 40, STORE: 6}),
    ("TEE-L", "T-shirt, large", "24.50", {EAST: 45, WEST: 30}),
    ("NOTE-A5", "Notebook A5", "7.95", {EAST: 200, WEST: 150}),
    ("PEN-SET", "Pen set", "18.00", {EAST: 70, WEST: 90}),
    ("POSTER-A2", "Poster A2", "15.00", {WEST: 80}),
    ("BAG-CANVAS", "Canvas bag", "29.00", {EAST: 60, WEST: 20}),
    ("DESK-160", "Desk, 160 cm", "349.00", {EAST: 12}),
    ("RUG-GREY", "Rug, grey", "119.00", {WEST: 15}),
    ("BOTTLE-1L", "Steel bottle, 1 l", "21.00", {EAST: 3, WEST: 3}),
    ("SCARF-WOOL", "Wool scarf", "45.00", {STORE: 9}),
    ("TENT-2P", "Tent for two", "189.00", {EAST: 10}),
    ("MAT-SLEEP", "Sleeping mat", "49.00", {EAST: 25}),
    ("STOVE-GAS", "Gas stove", "65.00", {EAST: 14}),
    ("ROPE-30M", "Rope, 30 m", "79.00", {EAST: 12}),
    ("KETTLE-1L", "Kettle, 1 l", "39.90", {EAST: 6, WEST: 6}),
    ("CLOCK-WALL", "Wall clock", "55.00", {WEST: 10, STORE: 5}),
    ("LAMP-1999", "Lamp of 1999", "85.00", {EAST: 8}),
    ("CHAIR-OAK", "Oak chair", "129.00", {}),
    ("VASE-RED", "Red vase", "35.00", {}),
    ("TABLE-SIDE", "Side table", "99.00", {EAST: 7}),
    ("BOWL-SET", "Bowl set", "42.00", {EAST: 20, WEST: 20}),
    ("HAMMOCK", "Hammock", "59.00", {EAST: 9}),
    ("LANTERN", "Lantern", "34.00", {STORE: 6}),
    ("CUP-TIN", "Tin cup", "6.00", {EAST: 60, WEST: 30}),
    ("BASKET", "Wicker basket", "39.00", {EAST: 12}),
    ("PICNIC-SET", "Picnic set: a basket and four cups", "59.99", {}),
    ("JUMPER-M", "Jumper, medium", "79.00", {EAST: 12}),
    ("JUMPER-L", "Jumper, large", "84.00", {EAST: 12}),
    ("GAME-BOARD", "Board game, new edition", "44.00", {}),
    ("SOCKS-42", "Socks, size 42", "9.50", {EAST: 30}),
)

CATALOGUE: tuple[Article, ...] = tuple(
    Article(sku, title, _gtin(number), price, stock) for number, (sku, title, price, stock) in enumerate(_ROWS, 1)
)

EVERYDAY = ("MUG-BLUE", "MUG-WHITE", "TEE-M", "TEE-L", "NOTE-A5", "PEN-SET", "BAG-CANVAS")
"""What the orders that fill the demo up are made of; the other articles belong to one order of the story each."""


KITS: Mapping[str, tuple[tuple[str, str], ...]] = {"PICNIC-SET": (("BASKET", "1"), ("CUP-TIN", "4"))}
"""What a kit is made of: SKU and units in one. The shop sells the kit, its components lie on the shelves."""

EXPECTED: tuple[tuple[str, str, str, int, int], ...] = (("PO-2207", "GAME-BOARD", EAST, 40, 21),)
"""Purchase orders on their way: reference, SKU, location, units, days from now."""


NOT_IMPORTED = frozenset({"SOCKS-42"})
"""On the shelf and in the shop, but nobody has told the hub of it."""


def price_of(sku: str) -> str:
    return next(article.price for article in CATALOGUE if article.sku == sku)


def items() -> list[dict[str, Any]]:
    """The items file: what `hub import items` reads."""
    return [_item(article) for article in CATALOGUE if article.sku not in NOT_IMPORTED]


def _item(article: Article) -> dict[str, Any]:
    item: dict[str, Any] = {"sku": article.sku, "title": article.title, "gtin": article.gtin}
    if article.sku in KITS:
        item["components"] = [{"sku": sku, "quantity": units} for sku, units in KITS[article.sku]]
    return item


def shelves(factor: int = 1) -> Iterator[tuple[str, str, int]]:
    """(location, SKU, units) for every pair, also those of which there are none. `factor` multiplies everyday goods."""
    for article in CATALOGUE:
        if article.sku in KITS:
            continue  # nobody counts kits
        for location in LOCATIONS:
            units = article.stock.get(location, 0)
            yield location, article.sku, units * factor if article.sku in EVERYDAY else units
