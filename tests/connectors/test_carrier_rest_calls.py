"""The connector's calls over real HTTP: rates, labels, voids, lookups, and what a refusal comes to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.mapping.library import MappingLibrary, shipped_folder
from hub.sdk.capabilities import Capability
from hub.sdk.emulator import Faults
from hub.sdk.errors import CallFailed, Resolution
from hub.sdk.records import Effect, Found, NotFound, Unsure
from tests.conftest import SettableClock
from tests.connectors.carrier_rest_world import Aggregator, mapped, place, purchase


@pytest.fixture
def api() -> Iterator[Aggregator]:
    with Aggregator(SettableClock()) as made:
        yield made


def effect(api: Aggregator, reference: str = "p1/label/1", **changes: Any) -> Effect:
    return Effect({**purchase(reference), **changes}, reference, {}, api.later())


def void(api: Aggregator, label: str) -> Effect:
    return Effect({"label": label, "reference": "v1"}, "v1", {}, api.later())


def test_the_check_says_which_mode_the_account_is_in(api: Aggregator) -> None:
    (probe,) = api.connector.check().probes
    assert (probe.ok, probe.detail) == (True, "the account is in test mode")
    (refused,) = api.connect(api_key="wrong").check().probes
    assert not refused.ok


def test_rates_are_exact_and_ask_for_nothing_else(api: Aggregator) -> None:
    rates = api.rates()["rates"]
    assert [(rate["service"], rate["amount"], rate["days"]) for rate in rates] == [
        ("ground", "5.88", 5),
        ("saver", "9.52", 3),
        ("next-day", "25.33", 1),
    ]
    assert api.ledger("label") == []


def test_dangerous_goods_do_not_fly_and_an_age_check_at_the_door_costs(api: Aggregator) -> None:
    parcel = {"weight": {"value": "30", "unit": "oz"}}
    found = api.rates(parcel={**parcel, "dangerous_goods": True})
    assert [rate["service"] for rate in found["rates"]] == ["ground"]
    assert found["messages"][0] == "fast-air saver: dangerous goods are not carried"
    with pytest.raises(CallFailed) as caught:
        api.connector.buy_label(effect(api, service="saver", parcel={**parcel, "dangerous_goods": True}))
    assert (caught.value.resolution, caught.value.code) == (Resolution.REJECTED, "not_carried")
    checked = api.rates(parcel={**parcel, "adult_signature": True})["rates"]
    assert checked[0]["amount"] == "8.83"


def test_services_that_do_not_carry_it_say_why(api: Aggregator) -> None:
    heavy = api.rates(parcel={"weight": {"value": "35", "unit": "kg"}})
    assert len(heavy["rates"]) == 2
    assert heavy["messages"] == ["fast-air next-day: parcels above 30 kg are not carried"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ship_to": place(postal_code="")}, "ship_to has no postal_code"),
        ({"parcel": {}}, "weight is missing"),
        ({"parcel": {"weight": {"value": "x", "unit": "oz"}}}, "weight is no number"),
        ({"service": "teleport"}, "There is no service teleport"),
        ({"quoted": {"amount": "0.01", "currency": "USD"}}, "The price is 9.52 USD now"),
    ],
)
def test_a_refusal_is_told_in_the_carriers_words(api: Aggregator, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(CallFailed) as failed:
        api.connector.buy_label(effect(api, **changes))
    assert failed.value.resolution is Resolution.REJECTED
    assert words in failed.value.words


def test_a_label_of_a_return_is_bought_from_the_buyer_to_us_once(api: Aggregator) -> None:
    record: dict[str, Any] = {
        "key": "package/rt_1/label/1",
        "package": "rt_1",
        "number": 1,
        "direction": "return",
        "service": "ground",
        "ship_from": {
            "name": "A. Buyer",
            "lines": ["1 Example Street"],
            "locality": "Albany",
            "postal_code": "12207",
            "country": "US",
        },
        "ship_to": {
            "company": "Acme East",
            "lines": ["1 Depot Road"],
            "locality": "Newark",
            "postal_code": "07114",
            "country": "US",
        },
        "parcel": {"weight_grams": "500", "contents": [{"sku": "TEE", "quantity": "1"}]},
    }
    payload = mapped("buy_label.out", record)
    assert (payload["is_return"], payload["ship_from"]["city"], payload["ship_to"]["city"]) == (
        True,
        "Albany",
        "Newark",
    )
    call = Effect(payload, record["key"], {}, api.later())
    sold = [json.loads(api.connector.buy_label(call).raw) for _ in range(2)]
    assert sold[0]["id"] == sold[1]["id"]
    (bought,) = api.ledger("label")
    assert bought["direction"] == "return"
    assert mapped("buy_label.reply", sold[0])["label"]["tracking_number"] == sold[0]["tracking_code"]


def test_the_same_key_gets_the_same_label(api: Aggregator) -> None:
    first, again = api.buy(), api.buy()
    assert first == again
    assert len(api.ledger("label")) == 1


def test_the_same_key_with_another_parcel_is_refused(api: Aggregator) -> None:
    api.buy()
    with pytest.raises(CallFailed) as failed:
        api.buy(service="ground")
    assert failed.value.resolution is Resolution.REJECTED


def test_a_later_attempt_looks_before_it_buys() -> None:
    with Aggregator(SettableClock(), key_ttl_seconds="0") as api:
        first = api.buy()
        assert api.buy(attempt=2)["id"] == first["id"]
        assert len(api.ledger("label")) == 1
        with pytest.raises(CallFailed) as failed:
            api.buy(attempt=2, service="ground")
        assert "a label of other content has our reference" in failed.value.words


def test_a_later_attempt_that_cannot_look_does_not_buy(api: Aggregator) -> None:
    api.faults.script = {1: "error_before"}
    with pytest.raises(CallFailed) as failed:
        api.buy(attempt=2)
    assert failed.value.resolution is Resolution.RETRY
    assert api.ledger("label") == []


def test_a_lookup_finds_the_label_of_our_reference_and_compares_it(api: Aggregator) -> None:
    assert api.connector.lookup(Capability.BUY_LABEL, effect(api)) == NotFound()
    sold = api.buy()
    found = api.connector.lookup(Capability.BUY_LABEL, effect(api))
    assert isinstance(found, Found)
    assert (found.reply.external_id, found.same_content) == (sold["id"], True)
    other = api.connector.lookup(Capability.BUY_LABEL, effect(api, service="ground"))
    assert isinstance(other, Found)
    assert other.same_content is False


def test_a_lookup_that_lags_does_not_see_the_newest() -> None:
    clock = SettableClock()
    with Aggregator(clock, Faults(lookup_lag_seconds=10)) as api:
        api.buy()
        assert api.connector.lookup(Capability.BUY_LABEL, effect(api)) == NotFound()
        clock.advance(11)
        assert isinstance(api.connector.lookup(Capability.BUY_LABEL, effect(api)), Found)


def test_two_labels_of_one_reference_are_for_a_person() -> None:
    with Aggregator(SettableClock(), idempotency="off") as api:
        api.buy()
        api.buy()
        assert isinstance(api.connector.lookup(Capability.BUY_LABEL, effect(api)), Unsure)


def test_a_void_gives_the_price_back_once(api: Aggregator) -> None:
    sold = api.buy()
    assert api.connector.lookup(Capability.VOID_LABEL, void(api, sold["id"])) == NotFound()
    for _ in range(2):
        assert b'"refund":{"amount":"9.52"' in api.connector.void_label(void(api, sold["id"])).raw
    assert isinstance(api.connector.lookup(Capability.VOID_LABEL, void(api, sold["id"])), Found)
    assert api.control("account") == {"charged": "9.52", "refunded": "9.52", "currency": "USD"}
    assert len(api.ledger("void")) == 1


def test_a_scanned_parcel_is_not_voided(api: Aggregator) -> None:
    sold = api.buy()
    api.control("scan", tracking_code=sold["tracking_code"], status="in_transit")
    with pytest.raises(CallFailed) as failed:
        api.connector.void_label(void(api, sold["id"]))
    assert (failed.value.resolution, failed.value.status) == (Resolution.REJECTED, 409)


def test_a_label_that_is_not_there_is_gone(api: Aggregator) -> None:
    with pytest.raises(CallFailed) as failed:
        api.connector.void_label(void(api, "LBL-99"))
    assert failed.value.resolution is Resolution.GONE


@pytest.mark.parametrize("fault", ["error_before", "error_after", "late_commit"])
def test_a_server_error_is_told_as_what_it_is_ambiguous(api: Aggregator, fault: str) -> None:
    api.faults.script = {1: fault}
    with pytest.raises(CallFailed) as failed:
        api.buy()
    assert failed.value.resolution is Resolution.AMBIGUOUS


def test_parcels_travel_by_themselves_and_end_as_they_were_told_to() -> None:
    clock = SettableClock()
    with Aggregator(clock, scan_seconds="5", scan_every="2") as api:
        api.control("behave", match={"postal_code": "99999"}, ends="lost")
        api.buy("a")
        api.buy("b", ship_to=place(postal_code="99999"))
        clock.advance(60)
        stories = [label["scans"] for label in api.control("labels")["items"]]
        assert stories == [
            ["pre_transit", "in_transit", "out_for_delivery", "delivered"],
            ["pre_transit", "in_transit", "lost"],
        ]


def test_what_was_sold_survives_a_restart(tmp_path: object) -> None:
    clock, ledger = SettableClock(), f"{tmp_path}/ledger.db"
    with Aggregator(clock, ledger=ledger) as api:
        sold = api.buy()
    with Aggregator(clock, ledger=ledger) as api:
        assert api.buy() == sold
        assert len(api.ledger("label")) == 1
        assert [batch.next_cursor.value for batch in api.connector.read("tracking", None, 9) if batch.next_cursor] == [
            "1"
        ]


def test_a_site_that_wants_kilograms_says_so_in_a_mapping_of_its_own(tmp_path: Path) -> None:
    own = tmp_path / "carrier_rest" / "rate.out.yaml"
    own.parent.mkdir()
    own.write_text(
        "extends: carrier_rest/rate.out\nfields:\n  parcel: { from: parcel, use: carrier_rest/_parcel_metric }\n"
    )
    mapping = MappingLibrary([tmp_path, shipped_folder()]).outbound("carrier_rest", "rate")
    assert mapping is not None
    asked = {"ship_from": {}, "ship_to": {}, "parcel": {"weight_grams": "850.25", "length_mm": "300.1"}}
    parcel = mapping.run(asked).record["parcel"]
    assert parcel == {
        "weight": {"value": "0.851", "unit": "kg"},
        "length": {"value": "30.1", "unit": "cm"},
        "source": {"weight_grams": "850.25", "length_mm": "300.1"},
    }


measures = st.decimals(min_value="0.000001", max_value="99999", places=6).filter(lambda value: value > 0)


@given(measures, measures)
def test_a_parcel_is_never_declared_smaller_than_it_is_nor_a_tenth_too_large(grams: Decimal, edge: Decimal) -> None:
    asked = {"ship_from": {}, "ship_to": {}, "parcel": {"weight_grams": str(grams), "height_mm": str(edge)}}
    parcel = mapped("rate.out", asked)["parcel"]
    for said, measured, unit in (
        (parcel["weight"]["value"], grams, Decimal("28.349523125")),
        (parcel["height"]["value"], edge, Decimal("25.4")),
    ):
        assert Fraction(said) * Fraction(unit) >= Fraction(measured)
        assert (Fraction(said) - Fraction(1, 10)) * Fraction(unit) < Fraction(measured)
