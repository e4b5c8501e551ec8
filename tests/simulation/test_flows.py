"""Seeds of the site whose money the hub handles: what is taken, given back, collected, returned and changed by hand
adds up at the provider, the ERP and the locations, whatever crashes and fails."""

from __future__ import annotations

import pytest

from hub.oms.returns import settle
from tests.simulation import cli

FEW = (6, 7, 32, 47)
"""Between them: handovers whose reports are in doubt, refunds by hand, a replacement, an exchange, a transfer."""
EXCHANGED = 32
MANY = range(1, 201)


@pytest.fixture(autouse=True)
def _silence() -> None:
    cli.quiet()


def test_money_and_goods_that_come_back_add_up_under_a_few_seeds() -> None:
    report = cli.run(FEW, 1, flows=True)
    assert report["failures"] == []
    assert {"orders.edit", "orders.refund", "returns.replace", "returns.exchange", "inventory.transfer"} <= set(
        report["done"]
    )


def test_a_return_that_the_erp_never_hears_of_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "post_credit_note", lambda *arguments: None)
    (failure,) = cli.run([EXCHANGED], 1, flows=True)["failures"]
    assert any("credit note says 0" in problem for problem in failure["problems"])


@pytest.mark.full("simulation 200 seeds with flows")
@pytest.mark.timeout(1800)
def test_money_and_goods_that_come_back_add_up_under_two_hundred_seeds() -> None:
    report = cli.run(MANY, 2, flows=True)
    assert report["failures"] == []
    assert {"orders.refund", "returns.receive", "returns.exchange", "returns.settle"} <= set(report["done"])
