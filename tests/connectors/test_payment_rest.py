"""Money over real HTTP: the connector's calls, and the whole hub under every fault with both books compared."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from hub.oms import people
from hub.sdk.capabilities import Capability
from hub.sdk.emulator import Faults
from hub.sdk.errors import CallFailed, Resolution, SignatureError
from hub.sdk.records import Found, NotFound, Unsure
from tests.conftest import SettableClock
from tests.connectors.payment_rest_world import Paying, Provider

D = Decimal
FAULTS = ("error_before", "error_after", "drop_after", "late_commit", "throttle", "delay")


@pytest.fixture
def api() -> Iterator[Provider]:
    with Provider(SettableClock()) as made:
        yield made


def test_the_check_says_which_mode_the_account_is_in(api: Provider) -> None:
    (probe,) = api.connector.check().probes
    assert (probe.ok, probe.detail) == (True, "the account is in test mode")
    (refused,) = api.connect(api_key="wrong").check().probes
    assert not refused.ok


def test_more_than_is_authorised_is_refused_in_the_providers_words(api: Provider) -> None:
    payment = api.authorised("10.00")
    api.connector.capture(api.effect(payment, "6.00"))
    with pytest.raises(CallFailed) as failed:
        api.connector.capture(api.effect(payment, "4.01", "r2"))
    assert failed.value.resolution is Resolution.REJECTED
    assert "4.01 asked, 4.00 USD are open" in failed.value.words
    with pytest.raises(CallFailed):
        api.connector.refund(api.effect(payment, "6.01", "r3"))


def test_the_same_key_takes_money_once(api: Provider) -> None:
    payment = api.authorised("30.00")
    first, again = (api.connector.capture(api.effect(payment)) for _ in range(2))
    assert first.raw == again.raw
    assert len(api.ledger("capture")) == 1


def test_a_forgotten_key_takes_nothing_twice_because_it_is_looked_for_first() -> None:
    with Provider(SettableClock(), key_ttl_seconds="0") as api:
        payment = api.authorised("30.00")
        first = api.connector.capture(api.effect(payment))
        assert api.connector.capture(api.effect(payment, attempt=2)).external_id == first.external_id
        with pytest.raises(CallFailed) as failed:
            api.connector.capture(api.effect(payment, "9.00", attempt=2))
        assert "of another amount has our reference" in failed.value.words
        assert len(api.ledger("capture")) == 1


def test_what_is_looked_for_is_found_by_our_reference(api: Provider) -> None:
    payment = api.authorised("30.00")
    calls = {
        Capability.CAPTURE: api.connector.capture,
        Capability.REFUND: api.connector.refund,
        Capability.VOID: api.connector.void,
    }
    for capability, call in calls.items():
        effect = api.effect(payment, "5.00", f"r-{capability}")
        assert api.connector.lookup(capability, effect) == NotFound()
        call(effect)
        assert isinstance(api.connector.lookup(capability, effect), Found)
    api.faults.script = {api.emulator.calls + 1: "error_before"}
    assert isinstance(api.connector.lookup(Capability.CAPTURE, api.effect(payment)), Unsure)


def test_a_webhook_with_a_wrong_signature_is_not_taken(api: Provider) -> None:
    api.authorised("10.00")
    (webhook,) = api.webhooks()
    assert api.connector.parse(api.receive(webhook))[0].stream == "payments"
    forged = type(webhook)("POST", webhook.path, "", webhook.headers, webhook.body + b" ", webhook.received_at)
    with pytest.raises(SignatureError):
        api.connector.verify(forged)


def test_every_log_is_read_to_its_end_and_one_entry_can_be_fetched_again(api: Provider) -> None:
    payment = api.authorised("30.00")
    for number in range(3):
        api.connector.capture(api.effect(payment, "5.00", f"r{number}"))
    api.connector.refund(api.effect(payment, "1.00", "back"))
    payout = api.control("pay_out", currency="USD")
    counted = {}
    for stream in ("payments", "refunds", "payouts"):
        batches = list(api.connector.read(stream, None, 2))
        counted[stream] = [record for batch in batches for one in batch.receipts for record in api.connector.parse(one)]
    assert {stream: len(found) for stream, found in counted.items()} == {"payments": 4, "refunds": 1, "payouts": 1}
    again = api.connector.fetch("payouts", str(payout["id"]))
    assert api.connector.parse(again)[0].external_id == payout["id"]  # type: ignore[arg-type]


# The whole hub.


def shop(faults: Faults | None = None, **config: str) -> Paying:
    world = Paying(faults, None, None, **config)
    world.stock(TEE=50)
    world.items("TEE")
    return world


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_happens_to_a_call_money_moves_once_and_both_books_agree(fault: str) -> None:
    with shop(Faults(script={1: fault, 3: fault}, late_commit_seconds=3.0)) as world:
        world.order_paid_by("20.00")
        world.ships("east", "1")
        world.ships("east", "1")
        world.run_for(300, every=20)
        order = world.the_order()["id"]
        world.refund(order, "7.50")
        world.run_for(300, every=20)
        world.told()
        world.poll()
        ours, theirs = world.ledgers()
        assert ours == theirs == {"captured": D(20), "refunded": D("7.5")}
        assert len(world.provider.ledger("capture")) == 2
        assert len(world.provider.ledger("refund")) == 1
        assert world.findings() == []


def test_events_that_overtake_their_answers_change_nothing() -> None:
    with shop(Faults(script={1: "drop_after"})) as world:
        world.order_paid_by("20.00")
        world.ships("east", "2")
        world.told()
        assert world.rows("payments")[0]["captured"] == 20, "the event came, the answer did not"
        world.run_for(300, every=20)
        ours, theirs = world.ledgers()
        assert ours == theirs == {"captured": D(20), "refunded": D(0)}


def test_without_keys_and_with_a_lagging_search_the_ledger_shows_money_taken_twice() -> None:
    """The audit of the emulator can fail: this is what it would see."""
    with shop(Faults(script={1: "drop_after"}, lookup_lag_seconds=600), idempotency="off") as world:
        world.order_paid_by("40.00")
        world.ships("east", "2")
        world.run_for(300, every=20)
        assert len(world.provider.ledger("capture")) == 2


def test_a_declined_card_is_told_in_the_providers_words_and_charged_when_a_person_tries_again() -> None:
    with shop() as world:
        payment = world.order_paid_by("20.00")
        world.provider.control("decline", operation="capture", match=payment, words="Do not honour")
        world.ships("east", "2")
        (raised,) = [row for row in world.rows("exceptions") if row["kind"] == "capture_failed"]
        assert "Do not honour" in raised["detail"]
        world.capture_again(world.the_order()["id"])
        ours, theirs = world.ledgers()
        assert ours == theirs == {"captured": D(20), "refunded": D(0)}
        assert world.findings() == []


def test_an_authorisation_that_lapses_is_asked_for_again_and_captured() -> None:
    with shop(authorisation_seconds="3600") as world:
        world.order_paid_by("20.00")
        world.clock.advance(3601)
        world.told()
        world.settle()
        world.told()
        (row,) = world.rows("payments")
        assert (row["state"], row["external_id"]) == ("authorised", "pay_00000002")
        world.ships("east", "2")
        ours, theirs = world.ledgers()
        assert ours == theirs == {"captured": D(20), "refunded": D(0)}


def test_a_cancelled_order_lets_its_authorisation_go() -> None:
    with shop() as world:
        payment = world.order_paid_by("20.00")
        world.person(people.cancel_order)
        world.report(
            "east", "cancel_accepted", cancel_request=world.work("east")["document"]["cancel_requests"][0]["id"]
        )
        world.run_for(60, every=20)
        assert world.provider.control("payment", payment=payment)["status"] == "released"
        assert world.rows("payments")[0]["state"] == "voided"


def test_a_payout_is_matched_to_what_it_pays_for_and_the_rest_is_listed() -> None:
    with shop() as world:
        world.order_paid_by("20.00")
        world.ships("east", "2")
        world.refund(world.the_order()["id"], "5.00")
        world.provider.control("adjust", type="reserve", amount="-3.00", words="Rolling reserve")
        stranger = world.provider.authorised("9.00")
        world.provider.control("capture", payment=stranger, amount="9.00")
        world.provider.control("pay_out", currency="USD")
        world.told()
        lines = world.rows("payout_lines")
        found = sorted((row["type"], row["matched"]) for row in lines)
        assert found == [("charge", "capture"), ("charge", "nothing"), ("refund", "refund"), ("reserve", "none_needed")]
        (payout,) = world.rows("payouts")
        assert payout["amount"] == payout["lines_amount"] == sum(row["net"] for row in lines)
        assert world.findings() == []


def test_people_over_there_capture_refund_and_a_customer_disputes() -> None:
    with shop() as world:
        payment = world.order_paid_by("20.00")
        world.provider.control("capture", payment=payment, amount="20.00")
        world.provider.control("refund", payment=payment, amount="4.00")
        world.provider.control("dispute", payment=payment, amount="16.00", outcome="opened")
        world.told()
        world.poll()
        (row,) = world.rows("payments")
        assert (row["state"], row["captured"], row["refunded"]) == ("disputed", D(20), D(4))
        world.ships("east", "2")
        assert len(world.provider.ledger("capture")) == 1, "what was taken already is not taken again"
        assert {one["kind"] for one in world.rows("exceptions")} == {"disputed"}
        ours, theirs = world.ledgers()
        assert ours == theirs
