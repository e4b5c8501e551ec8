"""Kits: parts of a price add up, and a kit's ledger follows its components' wherever they go."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.domain.kit import Component, follow, share_price, spread, whole_kits
from hub.domain.order import FulfilledBy, OrderLine
from hub.domain.quantity import LEFT, Bucket, Ledger

D = Decimal
amounts = st.decimals(0, 100_000, places=2)
parts = st.lists(st.tuples(st.integers(1, 5), st.decimals(0, 50, places=2)), min_size=1, max_size=6)


@given(
    price=amounts,
    quantity=st.integers(1, 50),
    made_of=parts,
    discounts=st.lists(amounts, max_size=3),
    taxes=st.lists(amounts, max_size=2),
    currency=st.sampled_from(["USD", "JPY", "KWD"]),
    weighed=st.booleans(),
)
def test_the_parts_of_every_amount_add_up_to_it(
    price: D,
    quantity: int,
    made_of: list[tuple[int, D]],
    discounts: list[D],
    taxes: list[D],
    currency: str,
    weighed: bool,
) -> None:
    components = [
        Component(f"S{number}", D(units), share if weighed else None) for number, (units, share) in enumerate(made_of)
    ]
    details = {
        "unit_price": str(price),
        "adjustments": [{"type": "discount", "amount": str(amount)} for amount in discounts],
        "taxes": [{"amount": str(amount)} for amount in taxes],
    }
    found = share_price(details, D(quantity), components, currency)
    assert sum(D(one["total"]) for one in found) == price * quantity
    for name, whole in (("adjustments", discounts), ("taxes", taxes)):
        for number, amount in enumerate(whole):
            assert sum(D(one[name][number]["amount"]) for one in found) == amount


moves = st.lists(
    st.tuples(
        st.integers(0, 2), st.sampled_from(["cancel", "ship", "deliver", "hand over", "back"]), st.integers(1, 6)
    ),
    max_size=25,
)


@settings(max_examples=300)
@given(ordered=st.integers(1, 6), per=st.lists(st.integers(1, 3), min_size=1, max_size=3), steps=moves)
def test_a_kit_s_ledger_balances_wherever_its_components_go(
    ordered: int, per: list[int], steps: list[tuple[int, str, int]]
) -> None:
    kit = OrderLine("k", "o", 1, "L1", "SET", Ledger(), fulfilled_by=FulfilledBy.KIT, wanted=D(ordered))
    kit.ledger.grow(D(ordered))
    lines = [
        OrderLine(f"c{n}", "o", 1, f"L1/kit/{n}", f"S{n}", Ledger(), kit="k", per_kit=D(units))
        for n, units in enumerate(per)
    ]
    spread(kit, lines)
    told = D(0)
    for which, step, units in steps:
        ledger = lines[which % len(lines)].ledger
        source, target = {
            "cancel": (Bucket.OPEN, Bucket.CANCELLED),
            "ship": (Bucket.OPEN, Bucket.SHIPPED),
            "deliver": (Bucket.SHIPPED, Bucket.DELIVERED),
            "hand over": (Bucket.OPEN, Bucket.HANDED_OVER),
            "back": (Bucket.CANCELLED, Bucket.OPEN),
        }[step]
        moved = min(D(units), ledger[source])
        if step in ("cancel", "back"):
            ledger.move(source, target, moved)
        else:
            ledger.advance(source, target, moved)
        follow(kit, lines)
        assert kit.ledger.balanced
        whole = whole_kits(kit, lines)
        told = max(told, whole)
        assert told <= kit.ledger.ordered
        ended = all(line.ledger[Bucket.OPEN] == 0 for line in lines)
        if ended:
            assert kit.ledger[Bucket.OPEN] == 0
            assert kit.ledger.sum(LEFT) + kit.ledger[Bucket.CANCELLED] == kit.ledger.ordered
