"""Sending a document again, and the list of interchanges that says which to send."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hub.runtime.control import ActionRefused
from hub.store.reading import open_reading
from hub.views.edi import list_interchanges
from tests.conftest import Database, SettableClock
from tests.edi.site import PartnerSite, acknowledgement, interchange, purchase_order


class ReadSite(PartnerSite):
    database: Database


@pytest.fixture
def site(tmp_path: Path, database: Database, clock: SettableClock) -> ReadSite:
    made = ReadSite(tmp_path, database.open(clock), clock)
    made.database = database
    return made


def listed(site: ReadSite, **asked: Any) -> list[tuple[str, str, str, str]]:
    with open_reading(site.database.address, home=site.database.home) as connection:
        found = list_interchanges(connection, **asked)
    return sorted((one["control"], one["documents"], one["state"], one["answer"]) for one in found)


def resend(site: ReadSite, reference: str, **more: str) -> str:
    return str(site.hub.act("edi.resend", {"who": "ann", "reference": reference, **more})["message"])


def test_what_nobody_has_answered_goes_out_again_under_its_number(site: ReadSite, clock: SettableClock) -> None:
    site.ship("P1")
    (name,) = site.send()
    text = (site.out / name).read_text()
    assert listed(site, direction="sent") == [("000000001", "856", "sent", "awaited")]
    clock.advance(3 * 3600)
    site.send()
    assert listed(site, answer="overdue") == [("000000001", "856", "overdue", "overdue")]
    assert len(site.rows("exceptions", kind="overdue", state="open")) == 1
    (site.out / name).unlink()
    assert "the same file under the same number" in resend(site, "1")
    assert site.rows("exceptions", kind="overdue", state="open") == []
    assert site.send() == [name]
    assert (site.out / name).read_text() == text
    site.feed(acknowledgement("SH", "1", "A"))
    site.send()
    assert ("000000001", "856", "acknowledged", "accepted") in listed(site)


def test_what_was_refused_is_written_anew_under_another_number(site: ReadSite) -> None:
    site.ship("P1")
    site.send()
    site.feed(acknowledgement("SH", "1", "R"))
    assert listed(site, answer="refused") == [("000000001", "856", "refused", "refused")]
    (told,) = site.rows("exceptions", kind="refused", state="open")
    assert told["detail"].startswith("856-000000001.x12: the partner says R of the group")
    assert "hub edi resend" in told["hint"]
    assert "under a number of its own" in resend(site, "000000001", reason="the mapping was wrong")
    names = [name for name in site.send() if name.startswith("856")]
    assert names == ["856-000000001.x12", "856-000000002.x12"]
    old, new = [(site.out / name).read_text().splitlines()[3:-4] for name in names]
    assert old == new
    site.feed(acknowledgement("SH", "2", "A", control="000000913"))
    assert listed(site, answer="accepted") == [("000000002", "856", "acknowledged", "accepted")]


def test_what_came_is_listed_with_whether_it_was_acknowledged(site: ReadSite) -> None:
    site.feed(interchange(purchase_order()))
    assert listed(site, direction="received") == [("000000011", "1 set", "", "")]
    site.send()
    assert listed(site, direction="received", control="12") == []
    assert listed(site, direction="received", control="11") == [("000000011", "1 set", "acknowledged", "")]


@pytest.mark.parametrize(
    ("reference", "words"), [("7", "no interchange 7 was sent"), ("dl_x", "there is no document dl_x")]
)
def test_what_was_never_sent_is_not_sent_again(site: ReadSite, reference: str, words: str) -> None:
    with pytest.raises(ActionRefused, match=words):
        resend(site, reference)
