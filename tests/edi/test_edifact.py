"""A partner that speaks EDIFACT: ORDERS and ORDCHG come, ORDRSP, DESADV and CONTRL go, CONTRL comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.store.sql_store import SqlStore
from tests.conftest import SettableClock
from tests.edi.site import PartnerSite

PARTNER = """
id: bigbox
name: Markt
standard: edifact
ours: { id: "4098765000002", qualifier: "14" }
theirs: { id: "4012345000009", qualifier: "14" }
version: "D:96A:UN:EAN008"
country: DE
"""


@pytest.fixture
def site(tmp_path: Path, one_store: SqlStore, clock: SettableClock) -> PartnerSite:
    return PartnerSite(tmp_path, one_store, clock, PARTNER, more=", order_response: {}")


def interchange(*messages: str, control: str = "4711", una: str = "") -> str:
    """Messages are their segments between UNH and UNT, each ended by an apostrophe; the type stands first."""
    text = f"{una}UNB+UNOC:3+4012345000009:14+4098765000002:14+261101:0930+{control}'\r\n"
    for number, message in enumerate(messages, start=1):
        kind, _, body = message.partition("|")
        count = body.count("'") - body.count("?'") + 2
        text += f"UNH+{number}+{kind}:D:96A:UN:EAN008'\r\n{body}\r\nUNT+{count}+{number}'\r\n"
    return f"{text}UNZ+{len(messages)}+{control}'\r\n"


ORDERS = (
    "ORDERS|BGM+220+B-1+9'DTM+137:20261031:102'NAD+BY+4399900::9'"
    "NAD+DP+++Markt Nord+Am Hafen 1+Hamburg++20457+DE'CUX+2:EUR:9'"
    "LIN+1++4006381333931:EN'PIA+5+MUG:SA'IMD+F++:::Becher ?'gro?+?'!'QTY+21:10:PCE'PRI+AAA:5.00'UNS+S'CNT+2:1'"
)
ORDCHG = "ORDCHG|BGM+230+C-1+4'DTM+137:20261102:102'RFF+ON:B-1'LIN+1+3+4006381333931:EN'QTY+21:4:PCE'LIN+7+2'UNS+S'"


def sent(site: PartnerSite, kind: str) -> list[str]:
    return [(site.out / name).read_text() for name in site.send() if name.startswith(kind)]


def test_an_order_comes_and_is_acknowledged_and_answered(site: PartnerSite) -> None:
    (item,) = site.feed(interchange(ORDERS))
    assert item["status"] == "applied"
    (line,) = site.rows("order_lines")
    assert (line["sku"], str(line["ordered"].normalize()), line["document"]["details"]["title"]) == (
        "MUG",
        "1E+1",
        "Becher 'gro+'!",
    )
    (report,) = sent(site, "CONTRL")
    assert report.splitlines() == [
        "UNB+UNOC:3+4098765000002:14+4012345000009:14+260302:0900+1'",
        "UNH+1+CONTRL:D:96A:UN:EAN008'",
        "UCI+4711+4012345000009:14+4098765000002:14+7'",
        "UNT+3+1'",
        "UNZ+1+1'",
    ]
    (answer,) = sent(site, "ORDRSP")
    assert "BGM+231+B-1+4'" in answer  # nothing is there: the line waits
    assert "LIN+1+3'\nPIA+5+MUG:SA'\nQTY+21:10'\nQTY+83:10'\nPRI+AAA:5.00'" in answer


def test_a_change_is_answered_and_the_partner_refuses_the_answer(site: PartnerSite) -> None:
    site.feed(interchange(ORDERS))
    site.send()
    site.feed(interchange(ORDCHG, control="4712"))
    (line,) = site.rows("order_lines")
    assert int(line["ordered"] - line["cancelled"]) == 4
    answer = next(text for text in sent(site, "ORDRSP") if "RFF+ACW:C-1" in text)
    assert "LIN+1+5'" in answer
    assert "LIN+7+7'\nFTX+AAO+++the order has no line 7'" in answer
    control = answer.split("'")[0].split("+")[-1]
    contrl = f"CONTRL|UCI+{control}+4098765000002:14+4012345000009:14+4+13'"
    (item,) = site.feed(interchange(contrl, control="4713"))
    assert item["status"] == "applied"
    (row,) = site.rows("deliveries", capability="change_response")
    assert row["state"] == "refused"
    (told,) = site.rows("exceptions", kind="refused")
    assert "error 13" in told["detail"]
    # A report is never reported.
    assert len(sent(site, "CONTRL")) == 2


@pytest.mark.parametrize("una", ["UNA:+.? '", "\ufeffUNA:+.? '\r\n", "GREETINGS FROM THE VAN\r\n"])
def test_what_stands_before_the_unb_does_no_harm(site: PartnerSite, una: str) -> None:
    (item,) = site.feed(interchange(ORDERS, una=una))
    assert item["status"] == "applied"


def test_a_message_that_nothing_takes_and_one_without_its_number_are_refused(site: PartnerSite) -> None:
    items = site.feed(interchange("PRICAT|BGM+9+P+9'", "ORDERS|BGM+220++9'", "ORDERS|BGM+220+B-2+9'"))
    assert [item["status"] for item in items] == ["parked", "parked", "held"]
    (report,) = sent(site, "CONTRL")
    assert "UCI+4711+4012345000009:14+4098765000002:14+7'" in report
    assert "UCM+1+PRICAT:D:96A:UN:EAN008+4+12'" in report
    assert "UCM+2+ORDERS:D:96A:UN:EAN008+4+18'\nUCS+2+12'\nUCD+13+2'" in report


def test_a_partner_of_x12_that_sends_edifact_gets_its_contrl(
    tmp_path: Path, one_store: SqlStore, clock: SettableClock
) -> None:
    site = PartnerSite(tmp_path, one_store, clock)
    site.feed(interchange(ORDERS).replace("4012345000009", "049351117"))
    (report,) = sent(site, "CONTRL")
    assert "UNH*1*CONTRL>D>96A>UN~" in report


def test_what_is_sent_is_in_the_charset_of_its_syntax(site: PartnerSite) -> None:
    site.feed(interchange(ORDERS.replace("LIN+1+", "LIN+1ä+")))
    (name,) = [name for name in site.send() if name.startswith("ORDRSP")]
    assert b"LIN+1\xe4+3'" in (site.out / name).read_bytes()
