"""What is sent: bytes frozen with their control numbers, each number once, no gap that nobody can explain."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from hub.domain.decision import Decision, EffectRequest
from hub.domain.snapshot import Snapshot
from hub.domain.writeset import Applied, WriteSet
from hub.edi.numbers import HIGHEST, skip
from hub.exchange.decisions import Writer, decision_rows
from hub.runtime.hub import Busy
from hub.store.sql_store import SqlStore
from tests.conftest import SettableClock
from tests.edi.site import PARTNER, PartnerSite, ship_notice


def asked(request: EffectRequest, snapshot: Snapshot, now: dt.datetime) -> Decision:
    del snapshot, now
    return Decision(effects=[request])


@pytest.fixture
def site(tmp_path: Path, store: SqlStore, clock: SettableClock) -> PartnerSite:
    return PartnerSite(tmp_path, store, clock)


def test_a_ship_notice_is_one_tree_of_levels_with_its_counts(site: PartnerSite) -> None:
    site.ship("PKG1")
    assert site.send() == ["856-000000001.x12"]
    assert (site.out / "856-000000001.x12").read_text() == (
        "ISA*00*          *00*          *ZZ*ACME           *01*049351117      *260302*0900*U*00401*000000001*0*P*>~\n"
        "GS*SH*ACMEORD*049351117*20260302*0900*1*X*004010VICS~\n"
        "ST*856*0001~\n"
        "BSN*00*PKG1*20261103*141502*0001~\n"
        "HL*1**S*1~\n"
        "TD5*B*2*UPSN~\n"
        "REF*CN*1ZPKG1~\n"
        "DTM*011*20261103~\n"
        "HL*2*1*O*1~\n"
        "PRF*PO-1~\n"
        "HL*3*2*P*1~\n"
        "MAN*CP*1ZPKG1~\n"
        "HL*4*3*I*0~\n"
        "LIN*1*VN*MUG~\n"
        "SN1*1*2*EA~\n"
        "CTT*4*2~\n"
        "SE*15*0001~\n"
        "GE*1*1~\n"
        "IEA*1*000000001~\n"
    )


def test_numbers_taken_in_one_decision_follow_each_other(site: PartnerSite) -> None:
    site.ship(*(f"P{number}" for number in range(12)))
    documents = site.rows("edi_documents")
    assert sorted(row["interchange"] for row in documents) == list(range(1, 13))
    assert len({row["delivery_id"] for row in documents}) == 12


def test_decisions_computed_on_one_snapshot_are_applied_together(site: PartnerSite) -> None:
    hub = site.hub
    with site.store.read() as snapshot:
        sets = [
            decision_rows(Decision(effects=[ship_notice(f"P{number}")]), hub.writer(snapshot, f"test-{number}"))
            for number in range(6)
        ]
    outcomes = site.store.apply(sets)
    assert [outcome.applied for outcome in outcomes] == [Applied.APPLIED] * 6
    assert sorted(row["interchange"] for row in site.rows("edi_documents")) == [1, 2, 3, 4, 5, 6]


def test_a_decision_that_was_not_committed_leaves_no_gap(site: PartnerSite) -> None:
    with site.store.read() as snapshot:
        decision_rows(Decision(effects=[ship_notice("LOST")]), site.hub.writer(snapshot, "lost"))
    site.ship("KEPT")
    (document,) = site.rows("edi_documents")
    assert document["interchange"] == 1


def test_several_writers_at_once_never_give_a_number_twice(site: PartnerSite) -> None:
    hubs = [site.open_hub(seed) for seed in range(2, 6)]

    def write(writer: int) -> None:
        for number in range(6):
            decide = partial(asked, ship_notice(f"W{writer}N{number}"))
            for _ in range(50):
                try:
                    hubs[writer].commit_decision(decide, "test")
                    break
                except Busy:
                    continue

    with ThreadPoolExecutor(len(hubs)) as pool:
        list(pool.map(write, range(len(hubs))))
    documents = site.rows("edi_documents")
    assert sorted(row["interchange"] for row in documents) == list(range(1, 25))
    assert sorted(row["functional_group"] for row in documents) == list(range(1, 25))
    assert len({row["delivery_id"] for row in documents}) == 24


def test_a_failed_call_is_repeated_with_the_same_bytes(site: PartnerSite) -> None:
    site.ship("P1")
    site.out.rmdir()
    site.hub.engine.run_until_idle()
    site.out.mkdir()
    site.clock.advance(3600)
    assert site.send() == ["856-000000001.x12"]
    (counter,) = site.rows("edi_counters")
    assert counter["interchange"] == 1


def test_data_that_holds_a_separator_is_not_sent_and_takes_no_number(site: PartnerSite) -> None:
    request = ship_notice("P1", sku="MUG*RED")
    site.hub.commit_decision(lambda _s, _n: Decision(effects=[request]), "test")
    delivery = site.delivery("P1")
    assert (delivery["state"], delivery["park_reason"]) == ("parked", "mapping")
    assert 'LIN03 holds "*"' in delivery["error"]
    assert site.rows("edi_counters") == []
    site.ship("P2")
    assert site.send() == ["856-000000001.x12"]


def test_a_character_outside_the_charset_is_not_sent(site: PartnerSite) -> None:
    request = ship_notice("P1", sku="TASSE-GRÜN")
    site.hub.commit_decision(lambda _s, _n: Decision(effects=[request]), "test")
    assert "cannot be written in ascii" in site.delivery("P1")["error"]


def test_numbers_that_are_jumped_over_are_recorded_as_void(site: PartnerSite) -> None:
    site.ship("P1")
    site.hub.commit(lambda w: skip(w.snapshot, "bigbox", "edi-acme", 3, "restored from a backup", w.now), "restore")
    site.ship("P2")
    told = {row["interchange"]: (row["state"], row["reason"]) for row in site.rows("edi_documents")}
    void = ("void", "restored from a backup")
    assert told == {1: ("frozen", None), 2: void, 3: void, 4: void, 5: ("frozen", None)}


def test_after_the_highest_number_comes_the_first(site: PartnerSite) -> None:
    site.ship("P1")
    (row,) = site.rows("edi_counters")

    def raised(_: Writer) -> WriteSet:
        writes = WriteSet()
        writes.update("edi_counters", {"partner": "bigbox"}, {**row, "interchange": HIGHEST})
        return writes

    site.hub.commit(raised, "test")
    site.ship("P2")
    assert sorted(row["interchange"] for row in site.rows("edi_documents")) == [1, 1]


def test_a_test_partner_is_sent_tests_and_other_separators(
    tmp_path: Path, store: SqlStore, clock: SettableClock
) -> None:
    agreed = (
        "usage: test\ninterchange_version: '00403'\n"
        'separators: { element: "|", component: ":", segment: "\'", repetition: "^", line_end: crlf }\n'
        "documents: { out: { '856': { version: '005010' } } }\nfile_name: '{partner}_{document}_{control}.edi'\n"
    )
    site = PartnerSite(tmp_path, store, clock, PARTNER + agreed)
    site.ship("P1")
    assert site.send() == ["bigbox_856_000000001.edi"]
    text = (site.out / "bigbox_856_000000001.edi").read_bytes()
    assert text.startswith(
        b"ISA|00|          |00|          |ZZ|ACME           |01|049351117      |260302|0900|^|00403|"
    )
    assert b"|0|T|:'\r\nGS|SH|" in text
    assert b"|X|005010'\r\n" in text
