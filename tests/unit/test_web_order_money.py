"""The money of an order on its page: kits count once, edits stand beside what the channel states."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hub.web.pages.orders import _money

D = Decimal


def line(ordered: str, details: dict[str, Any], **document: Any) -> dict[str, Any]:
    return {"ordered": D(ordered), "document": {"details": details, **document}}


def test_a_kit_counts_once_and_its_components_not_beside_it() -> None:
    lines = [
        line("2", {"unit_price": "59.99", "quantity": "2"}),
        line("2", {"total": "24", "quantity": "2"}, kit="ln_1"),
        line("8", {"total": "95.98", "quantity": "8"}, kit="ln_1"),
    ]
    document = {"totals": {"lines": "119.98", "total": "119.98"}}
    found = _money({"lines": lines, "document": document, "money_moves": [], "total": D("119.98")})
    assert (found["terms"], found["difference"]) == ([("goods", D("119.98"))], 0)
    assert found["values"] == [D("119.98"), D(24), D("95.98")]


def test_an_edit_made_here_is_told_beside_the_total_and_its_line_is_worth_what_is_ordered_now() -> None:
    edits = {"ln_1": {"was": "2", "by": "ann", "effects": {"ch_1": ["12.00", "0.00"]}}}
    document = {"totals": {"total": "24.00"}, "edits": edits}
    lines = [line("3", {"unit_price": "12", "quantity": "2"})]
    found = _money({"lines": lines, "document": document, "money_moves": [], "total": D(24)})
    assert (found["edits"], found["values"]) == (D(12), [D(36)])
