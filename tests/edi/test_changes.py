"""A buyer changes its purchase order (860) and hears once what became of each line (865)."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.store.sql_store import SqlStore
from tests.conftest import SettableClock
from tests.edi.site import PARTNER, PartnerSite, interchange, purchase_order

DIFFERENCES = PARTNER + "change_quantities: difference\n"


@pytest.fixture
def site(tmp_path: Path, one_store: SqlStore, clock: SettableClock) -> PartnerSite:
    return PartnerSite(tmp_path, one_store, clock)


def change(*lines: str, number: str = "PO-1", purpose: str = "04", sequence: str = "", control: str = "2") -> str:
    """A file with one 860; `lines` are POC segments without their tag."""
    body = ["ST*860*0001", f"BCH*{purpose}*SA*{number}**{sequence}*20261101*****20261102"]
    body += [f"POC*{line}" for line in lines]
    body += [f"CTT*{len(lines)}"]
    body += [f"SE*{len(body) + 1}*0001"]
    return interchange(body, control=f"{int(control):09d}", group=control, kind="PC")


def told(site: PartnerSite) -> list[list[str]]:
    """Every 865 that was sent: what stands between its ST and SE."""
    files = [name for name in site.send() if name.startswith("865")]
    texts = [(site.out / name).read_text().replace("~", "").splitlines() for name in files]
    return [[line for line in text if line.split("*")[0] in ("BCA", "POC", "ACK", "MSG", "CTT")] for text in texts]


def ordered(site: PartnerSite) -> dict[str, str]:
    """What is not cancelled, by the buyer's line."""
    return {
        row["external_line_id"]: f"{(row['ordered'] - row['cancelled']).normalize():f}"
        for row in site.rows("order_lines")
    }


def test_a_change_is_made_and_answered_line_by_line(site: PartnerSite) -> None:
    site.feed(interchange(purchase_order()))
    (item,) = site.feed(change("1*QD*4*4*EA*5.00**VN*MUG", "2*AI*3**EA*2.50**VN*CAP", "9*DI", sequence="7"))
    assert item["status"] == "applied"
    assert ordered(site) == {"1": "4", "2": "3"}
    assert told(site) == [
        [
            "BCA*00*AC*PO-1**7*20261101****20260302",
            "POC*1*QD*4*4*EA*5.00**VN*MUG",
            "ACK*IA*4*EA",
            "POC*2*AI*3*3*EA*2.50**VN*CAP",
            "ACK*IA*3*EA",
            "POC*9*DI",
            "MSG*the order has no line 9",
            "ACK*IR",
            "CTT*3",
        ]
    ]
    assert [row["kind"] for row in site.rows("exceptions", kind="change_not_possible")] == ["change_not_possible"]


def test_the_same_change_in_another_interchange_is_made_and_answered_once(
    tmp_path: Path, one_store: SqlStore, clock: SettableClock
) -> None:
    site = PartnerSite(tmp_path, one_store, clock, DIFFERENCES)
    site.feed(interchange(purchase_order()))
    site.feed(change("1*QI*2**EA", sequence="1", control="2"))
    assert [item["status"] for item in site.feed(change("1*QI*2**EA", sequence="1", control="3"))] == ["duplicate"]
    assert ordered(site) == {"1": "12"}
    assert len(told(site)) == 1
    # Another change that carries the same number by mistake is another change.
    site.feed(change("1*QD*5**EA", sequence="1", control="4"))
    assert ordered(site) == {"1": "7"}
    assert len(told(site)) == 2


def test_a_cancellation_cancels_what_has_not_left(site: PartnerSite) -> None:
    site.feed(interchange(purchase_order()))
    site.feed(change(purpose="01"))
    assert ordered(site) == {"1": "0"}
    assert told(site) == [
        ["BCA*00*AT*PO-1***20261101****20260302", "POC*1*DI*0*0*EA*5.00**VN*MUG", "ACK*IA*0*EA", "CTT*1"]
    ]


def test_a_replacement_drops_what_it_does_not_name(site: PartnerSite) -> None:
    site.feed(interchange(purchase_order()))
    site.feed(change("2*AI*3**EA*2.50**VN*CAP", purpose="05"))
    assert ordered(site) == {"1": "0", "2": "3"}


def test_a_change_waits_for_its_order(site: PartnerSite) -> None:
    (item,) = site.feed(change("1*QD*4**EA"))
    assert item["status"] == "waiting"
    assert told(site) == []
    site.feed(interchange(purchase_order()))
    site.send()
    assert ordered(site) == {"1": "4"}
    assert len(told(site)) == 1


def test_a_change_of_an_order_that_never_comes_is_an_exception(site: PartnerSite, clock: SettableClock) -> None:
    site.feed(change("1*QD*4**EA", number="PO-9"))
    clock.advance(9 * 86_400)
    site.send()
    assert [row["state"] for row in site.rows("messages", stream="order_changes")] == ["parked"]
    assert len(site.rows("exceptions", kind="unmatched")) == 1
    assert told(site) == []
