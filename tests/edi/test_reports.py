"""What is said of envelopes: TA1 where one is asked for, 999 for who wants it, and what a partner's TA1 does here."""

from __future__ import annotations

from pathlib import Path

from hub.store.sql_store import SqlStore
from tests.conftest import SettableClock
from tests.edi.site import PARTNER, PartnerSite, interchange, purchase_order


def asking(text: str) -> str:
    """The same interchange with ISA14 = 1."""
    return text.replace("*0*P*>", "*1*P*>", 1)


def test_a_ta1_is_sent_where_the_interchange_asks_for_one(
    tmp_path: Path, one_store: SqlStore, clock: SettableClock
) -> None:
    site = PartnerSite(tmp_path, one_store, clock)
    site.feed(interchange(purchase_order()))
    assert site.send() == ["997-000000001.x12"]
    site.feed(asking(interchange(purchase_order("PO-2"), control="000000012", ge="2")))
    names = site.send()
    assert [name[:3] for name in names] == ["997", "997", "TA1"]
    lines = (site.out / names[-1]).read_text().splitlines()
    assert [lines[1], lines[2][:6]] == ["TA1*000000012*261101*1134*A*000~", "IEA*0*"]
    # A partner's report is not reported, whatever it asks for.
    report = (
        interchange(control="000000013", group="9").split("GS*")[0]
        + "TA1*000000002*260302*0900*A*000~\nIEA*0*000000013~"
    )
    site.feed(asking(report))
    assert len(site.send()) == 3


def test_a_999_is_sent_to_who_wants_one(tmp_path: Path, one_store: SqlStore, clock: SettableClock) -> None:
    site = PartnerSite(tmp_path, one_store, clock, PARTNER + 'acknowledge: { document: "999", interchanges: never }\n')
    site.feed(asking(interchange(purchase_order(), purchase_order("", control="0002"))))
    assert site.send() == ["999-000000001.x12"]
    lines = (site.out / "999-000000001.x12").read_text().replace("~", "").splitlines()
    assert lines[2:-3] == [
        "ST*999*0001",
        "AK1*PO*1",
        "AK2*850*0001",
        "IK5*A",
        "AK2*850*0002",
        "IK3*BEG*2**8",
        "IK4*3**1",
        "IK5*R*5",
        "AK9*P*2*2*1",
    ]


def test_a_ta1_of_the_partner_refuses_what_was_sent(tmp_path: Path, one_store: SqlStore, clock: SettableClock) -> None:
    site = PartnerSite(tmp_path, one_store, clock)
    site.ship("P1", "P2")
    site.send()
    head = interchange(control="000000099").split("GS*")[0]
    end = "IEA*0*000000099~\n"
    arrived = "TA1*000000001*260302*0900*A*000~\n"
    refused = "TA1*000000002*260302*0900*R*006~\n"
    items = site.feed(head + arrived + refused + end)
    assert [item["status"] for item in items] == ["ignored", "applied"]
    states = {row["body_id"] and row["business_key"]: row["state"] for row in site.rows("deliveries")}
    assert sorted(states.values()) == ["refused", "sent"]
    (told,) = site.rows("exceptions", kind="refused")
    assert "note 006" in told["detail"]
