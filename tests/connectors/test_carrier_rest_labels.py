"""Labels bought over real HTTP by the whole hub: once each, whatever happens to a call, every cent accounted for."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.oms.ports import LabelRule
from hub.sdk.emulator import Faults
from tests.connectors.carrier_rest_world import Labelling


def packed(faults: Faults | None = None, labels: LabelRule | None = None, **config: str) -> Labelling:
    """An order of two TEE, packed into one box; what the hub does then has happened."""
    world = Labelling(faults, labels, None, None, **config)
    world.stock(TEE=50)
    world.items("TEE")
    world.order()
    world.pack()
    return world


def wait(world: Labelling, minutes: int = 5) -> None:
    world.run_for(minutes * 60, every=20)


def test_a_packed_box_gets_the_cheapest_label_with_its_bytes_and_its_price() -> None:
    with packed() as world:
        (label,) = world.labels()
        assert (label["state"], label["service"], label["carrier"]) == ("bought", "ground", "acme-post")
        (sold,) = world.carrier.ledger("label")
        assert (sold["tracking_code"], sold["amount"]) == (label["tracking_number"], str(label["cost"]))
        with world.store.read() as snapshot:
            content = snapshot.body(label["body_id"])
        assert content is not None
        assert content.startswith(b"%PDF-1.4")
        assert label["tracking_number"].encode() in content
        assert world.packages()[0]["state"] == "labelled"
        assert world.findings() == []


def test_the_parcel_is_declared_in_ounces_and_what_was_measured_stays_with_it() -> None:
    with packed() as world:
        (sold,) = world.carrier.control("labels")["items"]
        assert sold["request"]["parcel"]["weight"] == {"value": "30.0", "unit": "oz"}
        assert sold["request"]["parcel"]["source"] == {"weight_grams": "850"}


@pytest.mark.parametrize("fault", ["error_before", "error_after", "drop_after", "late_commit", "throttle", "delay"])
@pytest.mark.parametrize("call", [1, 2])
def test_whatever_happens_to_the_question_or_the_purchase_one_label_is_bought(fault: str, call: int) -> None:
    with packed(Faults(script={call: fault}, late_commit_seconds=3.0)) as world:
        wait(world)
        assert len(world.carrier.ledger("label")) == 1
        assert [row["state"] for row in world.labels()] == ["bought"]
        ours, theirs = world.money()
        assert ours == theirs
        assert world.findings() == []


def test_a_label_whose_answer_was_lost_is_found_though_the_key_was_forgotten() -> None:
    with packed(Faults(script={2: "drop_after"}), key_ttl_seconds="1") as world:
        world.run_for(120, every=20)
        assert len(world.carrier.ledger("label")) == 1
        assert [row["state"] for row in world.labels()] == ["bought"]


def test_a_search_that_lags_buys_nothing_twice_while_the_key_is_known() -> None:
    with packed(Faults(script={2: "drop_after"}, lookup_lag_seconds=600)) as world:
        wait(world)
        assert len(world.carrier.ledger("label")) == 1
        assert len(world.carrier.ledger("duplicate_key")) == 1


def test_without_keys_and_with_a_lagging_search_the_ledger_shows_the_second_label() -> None:
    """The audit of the emulator can fail: this is what it would see."""
    with packed(Faults(script={2: "drop_after"}, lookup_lag_seconds=600), idempotency="off") as world:
        wait(world)
        assert len(world.carrier.ledger("label")) == 2


def test_a_refusal_reaches_a_person_in_the_carriers_words() -> None:
    with packed(balance="0.01") as world:
        assert [row["state"] for row in world.labels()] == ["bought"]
        world.order("4508")
        world.pack("BOX-2")
        (refused,) = [row for row in world.rows("exceptions") if row["kind"] == "refused"]
        assert "The account's balance does not cover the label" in refused["detail"]
        assert sorted(row["state"] for row in world.labels()) == ["bought", "refused"]
        assert world.findings() == []


def test_a_parcel_that_nobody_carries_is_told_before_anything_is_bought() -> None:
    with Labelling() as world:
        world.stock(TEE=5)
        world.items("TEE")
        world.order()
        world.pack(weight="80000")
        (missing,) = [row for row in world.rows("exceptions") if row["kind"] == "label_missing"]
        assert "Parcels above 70 kg are not carried" in missing["detail"]
        assert world.labels() == []
        assert world.findings() == []


def test_a_carrier_that_does_not_answer_is_given_up_after_a_minute_and_asked_again_later() -> None:
    with packed(Faults(error_before=1.0)) as world:
        assert world.labels() == []
        world.run_for(50, every=10)
        assert world.exceptions() == []
        world.run_for(60, every=10)
        assert world.exceptions() == ["label_missing"]
        world.carrier.faults.error_before = 0.0
        wait(world, 16)
        assert [row["state"] for row in world.labels()] == ["bought"]
        assert world.exceptions() == []


def test_the_price_that_was_quoted_goes_with_the_purchase() -> None:
    with packed(labels=LabelRule("carrier", "ground", at_most=None)) as world:
        (label,) = world.labels()
        frozen = world.delivery(f"carrier/buy_label/package/{label['package_id']}/label/1")
        with world.store.read() as snapshot:
            sent = json.loads(snapshot.body(frozen["body_id"]) or b"")
        assert sent["quoted"] == {"amount": str(label["cost"]), "currency": "USD"}


def test_a_cancel_before_pickup_brings_the_price_back() -> None:
    with packed() as world:
        world.cancel()
        (label,) = world.labels()
        assert (label["state"], label["refunded"]) == ("voided", label["cost"])
        ours, theirs = world.money()
        assert ours == theirs
        assert ours[0] == ours[1] > 0
        assert world.the_order()["status"] == "cancelled"
        assert world.findings() == []


@pytest.mark.parametrize("fault", ["error_after", "drop_after", "late_commit"])
def test_a_void_whose_answer_is_lost_refunds_once(fault: str) -> None:
    with packed() as world:
        world.carrier.faults.script = {world.carrier.emulator.calls + 1: fault}
        world.cancel()
        wait(world)
        assert len(world.carrier.ledger("void")) == 1
        ours, theirs = world.money()
        assert ours == theirs
        assert world.labels()[0]["state"] == "voided"


def test_a_parcel_that_the_carrier_has_is_not_refunded_and_a_person_hears_why() -> None:
    with packed() as world:
        (label,) = world.labels()
        world.scan(label["tracking_number"], "in_transit")
        world.cancel()
        (label,) = world.labels()
        assert (label["state"], label["refunded"]) == ("void_refused", 0)
        (refused,) = [row for row in world.rows("exceptions") if row["kind"] == "refused"]
        assert "has been scanned and cannot be voided" in refused["detail"]
        world.told()
        assert "package_unwanted" in world.exceptions()


def test_the_label_outlives_the_retention_of_answers() -> None:
    with packed() as world:
        before = world.clock.now() + dt.timedelta(days=1)
        for owner in ("reply", "delivery", "message", "receipt", "attempt"):
            world.store.erase_bodies(owner, before, 100)
        with world.store.read() as snapshot:
            assert snapshot.body(world.labels()[0]["body_id"])


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.booleans(), min_size=1, max_size=4), st.integers(0, 1000))
def test_every_cent_is_accounted_for_whatever_goes_wrong(cancelled: list[bool], seed: int) -> None:
    faults = Faults(error_before=0.1, error_after=0.1, drop_after=0.15, late_commit=0.1, throttle=0.05)
    with Labelling(faults) as world:
        world.carrier.emulator.random.seed(seed)
        world.stock(TEE=50)
        world.items("TEE")
        for number, given_up in enumerate(cancelled):
            world.order(str(number))
            world.pack(f"BOX-{number}")
            if given_up:
                world.cancel(str(number))
        world.carrier.faults.error_before = world.carrier.faults.error_after = world.carrier.faults.drop_after = 0.0
        world.carrier.faults.late_commit = world.carrier.faults.throttle = 0.0
        wait(world, 40)
        ours, theirs = world.money()
        assert ours == theirs
        references = [entry["key"] for entry in world.carrier.ledger("label")]
        assert len(references) == len(set(references))
        assert sum(row["state"] == "voided" for row in world.labels()) == len(world.carrier.ledger("void"))
        assert world.findings() == []
