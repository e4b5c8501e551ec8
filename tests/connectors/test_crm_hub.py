"""A whole hub with a CRM beside shop, warehouse and ERP: who ordered is told once, and no order waits for it."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from hub.runtime.simulation import NeverSettles
from hub.sdk.emulator import Faults
from hub.views.orders import find_order, show_order
from tests.connectors.crm_world import Whole, whole


def page(hub: Whole, number: str) -> dict[str, Any]:
    """The order as its page shows it."""
    database = hub.simulation.database.connection
    engine = create_engine("sqlite://", creator=lambda: database, poolclass=StaticPool)
    with engine.connect() as connection:
        (order_id,) = find_order(connection, number)
        shown = show_order(connection, order_id)
    assert shown is not None
    return shown


def states(hub: Whole, capability: str) -> list[str]:
    return [
        state for (state,) in hub.rows(f"SELECT state FROM deliveries WHERE capability = '{capability}' ORDER BY id")
    ]


def test_a_confirmed_order_tells_who_ordered_and_its_page_shows_what_the_crm_calls_them(tmp_path: Path) -> None:
    with whole(tmp_path / "site") as hub:
        number = hub.place(email="ada@example.com")
        hub.settle()
        ((key, reference),) = hub.puts()
        shown = page(hub, number)
        assert shown["customers"] == [{"system": "crm", "external_id": "c-1000", "valid_to": None}]
        assert shown["document"]["customer"] == reference
        assert key == f"crm/upsert_customer/customer/{reference}/{shown['id']}"
        customer = hub.ask("crm", "show", reference=reference)
        assert (customer["email"], customer["last_order"]["number"]) == ("ada@example.com", number)


def test_a_crm_that_is_closed_holds_no_order_back_and_is_told_later(tmp_path: Path) -> None:
    with whole(tmp_path / "site") as hub:
        hub.ask("crm", "door", open=False)
        hub.place()
        with pytest.raises(NeverSettles):
            hub.settle(0.2)
        assert states(hub, "submit_order") == states(hub, "send_fulfilment_request") == ["acknowledged"]
        assert states(hub, "upsert_customer") == ["retry"]
        hub.ask("crm", "door", open=True)
        hub.settle()
        assert states(hub, "upsert_customer") == ["acknowledged"]
        assert len(hub.puts()) == 1


def test_a_refusal_is_a_persons_in_the_crms_words_and_the_order_goes_on(tmp_path: Path) -> None:
    with whole(tmp_path / "site") as hub:
        hub.ask("crm", "refuse", email="blocked@example.com")
        hub.place(email="blocked@example.com")
        hub.settle()
        assert states(hub, "upsert_customer") == ["refused"]
        assert states(hub, "post_invoice") == ["acknowledged"]
        ((detail,),) = hub.rows("SELECT detail FROM exceptions WHERE state = 'open'")
        assert "This customer may not be stored" in detail


def test_a_token_that_was_taken_away_pauses_nothing(tmp_path: Path) -> None:
    with whole(tmp_path / "site") as hub:
        hub.place()
        hub.settle()
        hub.ask("crm", "revoke")
        hub.place()
        hub.settle()
        assert states(hub, "upsert_customer") == ["acknowledged", "acknowledged"]
        assert hub.rows("SELECT id FROM exceptions") == []


def test_what_the_crm_says_of_a_customer_is_kept_as_the_latest_record(tmp_path: Path) -> None:
    with whole(tmp_path / "site") as hub:
        number = hub.place()
        hub.settle()
        ((_, reference),) = hub.puts()
        hub.ask("crm", "change", reference=reference, segments=["loyal"])
        hub.settle()
        rows = "SELECT b.body FROM sources s JOIN bodies b ON b.id = s.body_id WHERE s.record = 'customers'"
        ((body,),) = hub.rows(rows)
        assert '"loyal"' in bytes(body).decode()
        other = hub.ask("crm", "add", name="Somebody else")["id"]
        hub.ask("crm", "merge", **{"from": "c-1000", "into": other})
        hub.settle()
        ((customer,),) = [page(hub, number)["customers"]]
        assert customer["valid_to"] is not None


@pytest.mark.parametrize("seed", range(4))
def test_every_buyer_is_told_once_whatever_fails_on_the_way(tmp_path: Path, seed: int) -> None:
    faults = Faults(
        error_before=0.1,
        error_after=0.15,
        drop_after=0.15,
        throttle=0.1,
        late_commit=0.1,
        duplicate_webhook=0.3,
        reorder_webhook=0.3,
        lose_webhook=0.2,
        echo_first=0.5,
        lookup_lag_seconds=1.0,
    )
    with whole(tmp_path / "site", seed=seed, faults=faults, crashes=3) as hub:
        numbers = [hub.place() for _ in range(4)]
        hub.simulation.run_until(hub.simulation.clock.now() + dt.timedelta(minutes=20))
        hub.calm()
        hub.settle(12)
        keys = [key for key, _ in hub.puts()]
        assert len(keys) == len(set(keys)) == 4
        assert set(states(hub, "upsert_customer")) == {"acknowledged"}
        assert hub.simulation.plan.crashes > 0
        assert all(page(hub, number)["customers"] for number in numbers)


def test_nothing_of_a_person_stands_outside_bodies_and_contacts(tmp_path: Path) -> None:
    with whole(tmp_path / "site") as hub:
        hub.ask("crm", "refuse", email="robin.secret@example.com")
        hub.place(email="robin.secret@example.com")
        hub.place(email="ada.secret@example.com")
        hub.settle()
        tables = [name for (name,) in hub.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            if table not in ("bodies", "contacts"):
                words = json.dumps(hub.rows(f"SELECT * FROM {table}"), default=str)
                assert "secret@example" not in words, table
