"""The CRM's connector, written in YAML alone, against the emulated CRM on a real socket."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub.mapping.library import MappingLibrary
from hub.sdk.capabilities import Capability
from hub.sdk.emulator import Faults
from hub.sdk.errors import CallFailed, Resolution, SignatureError, TransportError
from hub.sdk.records import Cursor, Found, Missing, NotFound, Unsure, Window
from tests.connectors.crm_world import REGISTRY, START, World, crm
from tests.connectors.declarative_world import everything

UPSERT = Capability.UPSERT_CUSTOMER
MAPPINGS = MappingLibrary()


def payload(reference: str = "cu_1", **fields: object) -> dict[str, Any]:
    return {"reference": reference, "name": "Ada Example", "email": "ada@example.com", **fields}


def test_the_manifest_offers_what_the_file_describes() -> None:
    manifest = REGISTRY.manifests["crm_rest"]
    assert manifest.definition is not None
    assert not (Path(manifest.folder) / "connector.py").exists()


def test_the_check_asks_with_a_token_and_changes_nothing() -> None:
    with crm() as world:
        assert world.connector.check().ok
        assert world.control("count") == {"customers": 0}
        assert not world.connect(client_secret="wrong-secret").check().ok


def test_a_customer_is_made_and_then_changed_under_our_reference() -> None:
    with crm() as world:
        made = world.connector.upsert_customer(world.effect(payload()))
        changed = world.connector.upsert_customer(world.effect(payload(name="Ada Two"), "customer/cu_1/or_2"))
        assert (made.status, changed.status) == (201, 200)
        assert made.external_id == changed.external_id == "c-1000"
        assert world.control("show", reference="cu_1")["name"] == "Ada Two"


def test_the_same_call_twice_is_done_once() -> None:
    with crm() as world:
        for _ in range(2):
            world.connector.upsert_customer(world.effect(payload()))
        assert world.ledger("customer_put") == [("customer/cu_1/or_1", "cu_1")]
        assert world.ledger("customer_replay") == [("customer/cu_1/or_1", "cu_1")]


@pytest.mark.parametrize("fault", ["error_after", "drop_after"])
def test_a_lost_answer_is_found_again_by_our_reference(fault: str) -> None:
    with crm(Faults(script={1: fault})) as world:
        with pytest.raises((CallFailed, TransportError)):
            world.connector.upsert_customer(world.effect(payload()))
        found = world.connector.lookup(UPSERT, world.effect(payload()))
        assert isinstance(found, Found)
        assert (found.reply.external_id, found.same_content) == ("c-1000", True)


def test_what_was_not_done_is_not_found_and_what_differs_is_said_to() -> None:
    with crm(Faults(script={1: "error_before"})) as world:
        with pytest.raises(CallFailed):
            world.connector.upsert_customer(world.effect(payload()))
        assert world.connector.lookup(UPSERT, world.effect(payload())) == NotFound()
        world.connector.upsert_customer(world.effect(payload()))
        other = world.connector.lookup(UPSERT, world.effect(payload(name="Bob")))
        assert isinstance(other, Found)
        assert other.same_content is False


def test_a_search_that_lags_finds_it_later() -> None:
    with crm(Faults(lookup_lag_seconds=5)) as world:
        world.connector.upsert_customer(world.effect(payload()))
        assert world.connector.lookup(UPSERT, world.effect(payload())) == NotFound()
        world.clock.advance(6)
        assert isinstance(world.connector.lookup(UPSERT, world.effect(payload())), Found)


def test_a_lookup_that_fails_is_unsure() -> None:
    with crm(Faults(script={1: "error_before"})) as world:
        assert isinstance(world.connector.lookup(UPSERT, world.effect(payload())), Unsure)


@pytest.mark.parametrize(
    ("prepare", "resolution", "words"),
    [
        (("refuse", {"email": "Ada@example.com"}), Resolution.REJECTED, "This customer may not be stored"),
        (("door", {"open": False}), Resolution.RETRY, "We are closed for a while. Nothing was changed."),
    ],
)
def test_a_refusal_is_told_in_its_own_words(
    prepare: tuple[str, dict[str, object]], resolution: Resolution, words: str
) -> None:
    with crm() as world:
        world.control(prepare[0], **prepare[1])
        with pytest.raises(CallFailed) as failed:
            world.connector.upsert_customer(world.effect(payload()))
        assert (failed.value.resolution, failed.value.words) == (resolution, words)


def test_throttling_says_how_long_to_wait() -> None:
    with crm(Faults(script={1: "throttle"}, retry_after_seconds=9)) as world:
        with pytest.raises(CallFailed) as failed:
            world.connector.upsert_customer(world.effect(payload()))
        assert (failed.value.resolution, failed.value.retry_after_seconds) == (Resolution.RATE_LIMITED, 9.0)


def test_a_token_that_was_taken_away_is_replaced_after_one_refusal() -> None:
    with crm() as world:
        world.connector.upsert_customer(world.effect(payload()))
        world.control("revoke")
        with pytest.raises(CallFailed) as failed:
            world.connector.upsert_customer(world.effect(payload()))
        assert failed.value.resolution is Resolution.AUTH_FAILED
        world.connector.refresh()
        assert world.connector.upsert_customer(world.effect(payload())).status == 200


def test_a_token_is_renewed_before_its_time_is_over() -> None:
    with crm(token_seconds="100") as world:
        for _ in range(5):
            world.connector.upsert_customer(world.effect(payload()))
            world.clock.advance(45)


# In.


def test_customers_are_read_whole_then_only_what_changed() -> None:
    with crm() as world:
        for number in range(230):
            world.control("add", name=f"Customer {number}")
        world.clock.advance(3600)
        world.control("change", id="c-1000", name="Customer zero")
        records, cursor = everything(world.connector)
        assert len({record["id"] for record in records}) == len(records) == 230  # type: ignore[index,call-overload]
        world.clock.advance(3600)
        world.control("change", id="c-1007", name="New name")
        changed, _ = everything(world.connector, cursor)
        # The lookback brings the newest of the pass before again.
        assert [record["name"] for record in changed] == ["Customer zero", "New name"]  # type: ignore[index,call-overload]


def test_a_pass_whose_cursor_is_not_known_any_more_begins_anew() -> None:
    with crm() as world:
        world.control("add", name="One")
        records, _ = everything(world.connector, Cursor('{"page":"gone","pages":4}'))
        assert len(records) == 1


def test_ids_are_listed_by_the_time_of_their_change() -> None:
    with crm() as world:
        world.control("add", name="Before")
        world.clock.advance(60)
        world.control("add", name="Inside")
        window = Window(world.clock.now(), world.clock.now().replace(minute=30))
        assert [one.external_id for one in world.connector.list_ids("customers", window)] == ["c-1001"]


def test_a_webhook_only_names_the_customer_whom_the_hub_then_fetches() -> None:
    with crm() as world:
        world.control("add", name="One")
        (webhook,) = world.webhooks()
        world.connector.verify(webhook)
        receipt = world.connector.receipt(webhook, "customer.created")
        assert (receipt.stream, receipt.delivery_id) == ("customers", "ev-1")
        (record,) = world.connector.parse(receipt)
        mapped = MAPPINGS.get("crm_rest/customers.in").run(record.body).record
        assert mapped == {"external_id": "c-1000", "attributes": {"event": "customer.created"}}
        fetched = world.connector.fetch("customers", "c-1000")
        assert json.loads(fetched.body)["name"] == "One"
        assert world.connector.fetch("customers", "c-9") == Missing("c-9")


@pytest.mark.parametrize("change", ["body", "signature", "time"])
def test_a_webhook_of_somebody_else_is_refused(change: str) -> None:
    with crm() as world:
        world.control("add", name="One")
        (webhook,) = world.webhooks()
        forged = {
            "body": replace(webhook, body=webhook.body.replace(b"c-1000", b"c-1001")),
            "signature": replace(webhook, headers={**webhook.headers, "crm-signature": "t=1,v1=00"}),
            "time": replace(webhook, received_at=START.replace(hour=10)),
        }
        with pytest.raises(SignatureError):
            world.connector.verify(forged[change])


def test_what_the_mapping_writes_the_crm_takes_and_gives_back_the_same() -> None:
    with crm() as world:
        canonical = json.loads(
            (Path(REGISTRY.manifests["crm_rest"].folder) / "fixtures/canonical/customer.json").read_bytes()
        )
        written = MAPPINGS.get("crm_rest/upsert_customer.out").run(canonical).record
        reply = world.connector.upsert_customer(world.effect(written))
        assert isinstance(found := world.connector.lookup(UPSERT, world.effect(written)), Found)
        assert found.same_content is True
        read: dict[str, Any] = MAPPINGS.get("crm_rest/customers.in").run(json.loads(reply.raw)).record
        for name in ("reference", "name", "email"):
            assert read[name] == canonical[name]
        assert read["ship_to"]["postal_code"] == "62704"


def test_the_crm_remembers_across_a_restart(tmp_path: Path) -> None:
    ledger = str(tmp_path / "crm.ledger")
    with crm(ledger=ledger) as world:
        world.connector.upsert_customer(world.effect(payload()))
    with crm(ledger=ledger) as world:
        world.connector.upsert_customer(world.effect(payload()))
        assert world.ledger("customer_put") == [("customer/cu_1/or_1", "cu_1")]


def test_a_late_commit_comes_once(tmp_path: Path) -> None:
    with crm(Faults(script={1: "late_commit"}, late_commit_seconds=3)) as world:
        with pytest.raises(CallFailed):
            world.connector.upsert_customer(world.effect(payload()))
        world.connector.upsert_customer(world.effect(payload()))
        world.clock.advance(5)
        _settle(world)
        assert len(world.ledger("customer_put")) == 1


def _settle(world: World) -> None:
    world.control("count")


def test_store_credit_is_given_once_and_found_again_when_its_answer_was_lost() -> None:
    issue = Capability.ISSUE_STORE_CREDIT
    credit = {"reference": "rf_1", "customer": "cu_1", "amount": "12.50", "currency": "USD", "order": "#1042"}
    with crm() as world:
        world.connector.upsert_customer(world.effect(payload()))
        asked = world.effect(credit, "store-credit/rf_1")
        assert world.connector.lookup(issue, asked) == NotFound()
        made, again = world.connector.issue_store_credit(asked), world.connector.issue_store_credit(asked)
        assert (made.status, again.status, made.external_id) == (201, 200, again.external_id)
        assert world.ledger("store_credit") == [("rf_1", "c-1000")]
        assert isinstance(world.connector.lookup(issue, asked), Found)
        with pytest.raises(CallFailed) as other:
            world.connector.issue_store_credit(world.effect({**credit, "amount": "99"}, "store-credit/rf_1"))
        assert other.value.status == 409
