"""`hub payments` and `hub orders refund` on both databases: payments, payouts, what they pay for, money given back."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.cli.site import Site
from tests.conftest import Database, SettableClock
from tests.connectors.payment_rest_world import Paying

D = Decimal


@pytest.fixture
def site(tmp_path: Path, database: Database, clock: SettableClock) -> Iterator[Site]:
    """One order shipped, charged and refunded in part; a payout that holds a stranger's payment too."""
    with Paying(store=database.open(clock), clock=clock) as world:
        world.stock(TEE=50)
        world.items("TEE")
        world.order_paid_by("20.00")
        world.ships("east", "2")
        world.refund(world.the_order()["id"], "5.00")
        stranger = world.provider.authorised("9.00")
        world.provider.control("capture", payment=stranger, amount="9.00")
        world.provider.control("pay_out", currency="USD")
        world.told()
        assert world.findings(database) == []
        world.store.close()  # commands that change something take the lock themselves
        made = Site(tmp_path / "site")
        if database.kind == "postgresql":
            made.edit("hub.yaml", "database: sqlite", f"database: {database.address}")
        made.home = database.home
        yield made


def test_payments_and_payouts_are_listed_with_what_they_are_about(site: Site) -> None:
    (payment,) = site.good("payments", "list", "--order", "#1001", "--json").items
    assert (payment["state"], Decimal(payment["captured"]), Decimal(payment["refunded"])) == ("captured", D(20), D(5))
    assert "pay_00000001" in site.good("payments", "list", "--state", "captured").out
    (payout,) = site.good("payments", "payouts", "--json").items
    assert (payout["lines"], payout["unmatched"], Decimal(payout["difference"])) == (3, 1, D(0))
    (one,) = site.good("payments", "payouts", payout["external_id"], "--json").items
    assert sorted(line["matched"] for line in one["items"]) == ["capture", "nothing", "refund"]
    assert "0.00 USD not explained" in site.good("payments", "payouts", payout["id"]).out
    (line,) = site.good("payments", "unmatched", "--json").items
    assert (line["reference"], line["type"]) == ("cap_00000003", "charge")
    assert site.hub("payments", "payouts", "po_404").code == 1


def test_what_an_order_was_paid_with_stands_on_it(site: Site) -> None:
    shown = site.good("orders", "show", "#1001").out
    assert "card at payment: captured: authorised 20.00 USD, captured 20.00 USD, refunded 5.00 USD" in shown


def test_more_than_was_captured_is_refused_with_the_numbers(site: Site) -> None:
    refused = site.hub("orders", "refund", "#1001", "--amount", "15.01", "--reason", "goodwill")
    assert refused.code == 1
    assert (
        "15.01 USD to refund, 15.00 USD can be: captured 20.00 USD, refunded or on its way back 5.00 USD" in refused.err
    )


def test_a_refund_is_of_an_amount_or_of_units(site: Site) -> None:
    assert site.hub("orders", "refund", "#1001", "--reason", "why").code == 2
    assert site.hub("orders", "refund", "#1001", "--line", "TEE", "--reason", "why").code == 2
    said = ("orders", "refund", "#1001", "--line", "TEE", "--quantity", "1", "--reason", "hole in it")
    (done,) = site.good(*said, "--json").items
    assert (done["amount"], done["currency"]) == ("10", "USD")
    assert (
        "shop manages the money of its orders itself" in site.hub("payments", "capture", "#1001", "--reason", "why").err
    )


def test_money_that_nobody_would_take_is_a_finding(tmp_path: Path) -> None:
    made = Site(tmp_path)
    policies = made.config / "policies.yaml"
    said = policies.read_text(encoding="utf-8")
    policies.write_text(f"{said}payment: {{ default: hub, gateways: {{ gift: nobody }} }}\n", encoding="utf-8")
    found = made.hub("config", "check")
    assert found.code == 1
    assert "no connection takes capture, refund, void" in found.out + found.err
    assert 'there is no connection "nobody"' in found.out + found.err
