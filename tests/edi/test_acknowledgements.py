"""Functional acknowledgements, both ways, through a whole hub on real databases."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.store.sql_store import SqlStore
from tests.conftest import SettableClock
from tests.edi.site import PARTNER, PartnerSite, acknowledgement, interchange, purchase_order


@pytest.fixture
def site(tmp_path: Path, store: SqlStore, clock: SettableClock) -> PartnerSite:
    return PartnerSite(tmp_path, store, clock)


def test_a_good_group_is_taken_and_acknowledged(site: PartnerSite) -> None:
    (item,) = site.feed(interchange(purchase_order()))
    assert item["status"] == "applied"
    assert item["position"] == "isa.1.gs.1.st.1"
    (order,) = site.rows("orders")
    assert (order["external_id"], order["scope"], order["currency"]) == ("PO-1", "049351117/2026", "USD")
    assert site.send() == ["997-000000001.x12"]
    answer = site.sent("997-000000001.x12")
    assert answer["AK1"] == {"AK101": "PO", "AK102": "1"}
    assert [(one["AK201"], one["AK202"], one["AK5"]) for one in answer["AK2"]] == [("850", "0001", {"AK501": "A"})]
    assert answer["AK9"] == {"AK901": "A", "AK902": "1", "AK903": "1", "AK904": "1"}
    envelope = answer["envelope"]
    assert envelope["sender"] == {"qualifier": "ZZ", "id": "ACME"}
    assert envelope["receiver"] == {"qualifier": "01", "id": "049351117"}
    assert envelope["group"]["functional_id"] == "FA"
    assert envelope["group"]["version"] == "004010VICS"


def test_sets_that_do_not_agree_are_taken_and_the_partner_is_told_what(site: PartnerSite) -> None:
    good, wrong_count = purchase_order("A", "0001"), purchase_order("B", "0002", count=99)
    nameless = [segment.replace("*SA*C*", "*SA**") for segment in purchase_order("C", "0003")]
    items = site.feed(interchange(good, wrong_count, nameless, ge="7"))
    assert [item["status"] for item in items] == ["applied", "applied", "parked"]
    site.send()
    answer = site.sent("997-000000001.x12")
    assert [one["AK5"] for one in answer["AK2"]] == [
        {"AK501": "A"},
        {"AK501": "E", "AK502": "4"},
        {"AK501": "R", "AK502": "5"},
    ]
    (segment,) = answer["AK2"][2]["AK3"]
    assert (segment["AK301"], segment["AK302"], segment["AK304"]) == ("BEG", "2", "8")
    assert segment["AK4"] == [{"AK401": "3", "AK403": "1"}]
    assert answer["AK9"] == {"AK901": "P", "AK902": "7", "AK903": "3", "AK904": "2", "AK905": "5"}
    kinds = {row["kind"] for row in site.rows("exceptions")}
    assert {"envelope", "no_external_id"} <= kinds


def test_a_group_of_sets_that_nobody_takes_is_refused_and_kept(site: PartnerSite) -> None:
    (item,) = site.feed(interchange(["ST*810*0001", "BIG*20261101*INV1", "TDS*100", "SE*4*0001"], kind="IN"))
    assert item["status"] == "parked"
    assert "810" in item["error"]["message"]
    site.send()
    answer = site.sent("997-000000001.x12")
    assert answer["AK2"][0]["AK5"] == {"AK501": "R", "AK502": "1"}
    assert answer["AK9"]["AK901"] == "R"


def test_an_order_that_ends_with_the_file_is_not_applied(site: PartnerSite) -> None:
    whole = interchange(purchase_order())
    (item,) = site.feed(whole[: whole.index("CTT")])
    assert item["status"] == "parked"
    assert site.rows("orders") == []
    site.send()
    assert site.sent("997-000000001.x12")["AK2"][0]["AK5"] == {"AK501": "R", "AK502": "2"}


def test_each_group_of_each_interchange_gets_an_answer_of_its_own(site: PartnerSite) -> None:
    site.feed(
        interchange(purchase_order("A"), control="000000021", group="21")
        + interchange(purchase_order("B"), control="000000022", group="22")
    )
    assert site.send() == ["997-000000001.x12", "997-000000002.x12"]
    answered = {site.sent(name)["AK1"]["AK102"] for name in site.send()}
    assert answered == {"21", "22"}


def test_the_same_interchange_again_changes_nothing_and_is_acknowledged_again(site: PartnerSite) -> None:
    body = interchange(purchase_order())
    site.feed(body)
    (order,) = site.rows("orders")
    (item,) = site.feed(body.replace("\n", "\r\n"))
    assert item["status"] == "duplicate"
    assert site.rows("orders") == [order]
    assert site.send() == ["997-000000001.x12", "997-000000002.x12"]


def test_the_same_number_with_other_content_is_reported(site: PartnerSite) -> None:
    site.feed(interchange(purchase_order("A")))
    (item,) = site.feed(interchange(purchase_order("B")))
    assert item["status"] == "applied"
    assert "control_number_reused" in {row["kind"] for row in site.rows("exceptions")}


def test_a_partner_may_have_it_parked(tmp_path: Path, store: SqlStore, clock: SettableClock) -> None:
    site = PartnerSite(tmp_path, store, clock, PARTNER + "control_number_reused: park\n")
    site.feed(interchange(purchase_order("A")))
    (item,) = site.feed(interchange(purchase_order("B")))
    assert item["status"] == "parked"
    assert len(site.rows("orders")) == 1


def test_an_acknowledgement_is_never_acknowledged(site: PartnerSite) -> None:
    site.ship("P1")
    site.send()
    site.feed(acknowledgement("SH", "1", "A"))
    assert site.send() == ["856-000000001.x12"]


def test_a_stranger_is_reported_and_not_answered(site: PartnerSite) -> None:
    (item,) = site.feed(interchange(purchase_order(), sender="SOMEBODY"))
    assert item["status"] == "applied"
    assert site.send() == []
    assert "unknown_sender" in {row["kind"] for row in site.rows("exceptions")}


def test_a_partner_who_wants_none_gets_none(tmp_path: Path, store: SqlStore, clock: SettableClock) -> None:
    site = PartnerSite(tmp_path, store, clock, PARTNER + "acknowledge: { send: false }\n")
    site.feed(interchange(purchase_order()))
    assert site.send() == []


@pytest.mark.parametrize(("verdict", "state"), [("A", "acknowledged"), ("E", "acknowledged"), ("R", "refused")])
def test_the_partners_acknowledgement_settles_the_delivery_it_answers(
    site: PartnerSite, verdict: str, state: str
) -> None:
    site.ship("P1", "P2")
    site.send()
    assert site.delivery("P1")["state"] == site.delivery("P2")["state"] == "sent"
    group = site.sent("856-000000002.x12")["envelope"]["group"]["control"]
    (item,) = site.feed(acknowledgement("SH", group, verdict))
    assert item["status"] == "applied"
    second = {row["id"] for row in site.rows("edi_documents", interchange=2)}
    assert len(second) == 1
    (document,) = site.rows("edi_documents", interchange=2)
    (answered,) = site.rows("deliveries", id=document["delivery_id"])
    assert answered["state"] == state
    others = [row for row in site.rows("deliveries") if row["id"] != answered["id"]]
    assert [row["state"] for row in others] == ["sent"]


def test_an_acknowledgement_of_nothing_we_sent_waits(site: PartnerSite) -> None:
    (item,) = site.feed(acknowledgement("SH", "77", "A"))
    assert item["status"] == "waiting"


def test_what_is_not_acknowledged_in_time_is_told_and_may_still_come(site: PartnerSite) -> None:
    site.ship("P1")
    site.send()
    site.clock.advance(2 * 3600 + 1)
    site.send()
    assert site.delivery("P1")["state"] == "overdue"
    assert "overdue" in {row["kind"] for row in site.rows("exceptions")}
    site.feed(acknowledgement("SH", "1", "A"))
    assert site.delivery("P1")["state"] == "acknowledged"


def test_nothing_is_waited_for_from_a_partner_who_acknowledges_nothing(
    tmp_path: Path, store: SqlStore, clock: SettableClock
) -> None:
    site = PartnerSite(tmp_path, store, clock, PARTNER + "acknowledge: { expect: false }\n")
    site.ship("P1")
    site.send()
    assert site.delivery("P1")["state"] == "acknowledged"
