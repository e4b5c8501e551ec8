"""The door for webhooks, in process on a real store: what it answers, and what is kept."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.api.application import build
from hub.api.ingress import Application, Ingress, Intake
from hub.api.landings import Told
from hub.api.metrics import Metrics
from hub.app import opened_hub
from hub.exchange.ports import Accepted, NewReceipt, StoreUnavailable
from hub.runtime.configuration import Loaded, load_configuration
from hub.runtime.hub import Hub
from hub.runtime.place import Place
from hub.sdk.records import HttpAnswer, RawRequest
from hub.store.clock import SystemClock
from tests.api.asgi import NoAnswer, ask, asking
from tests.api.bodies import READABLE, UNREADABLE
from tests.cli.site import SECRETS, SHOP, Site, shop_order, signed

LIMIT = 2_000_000
DOOR = f"/in/{SHOP}"


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """Mappings are compiled once for all tests."""
    return load_configuration(Site(tmp_path_factory.mktemp("site")).config, SECRETS)


@pytest.fixture
def hub(tmp_path: Path, loaded: Loaded, sqlite_template: Path) -> Iterator[Hub]:
    site = Site(tmp_path)
    shutil.copy(sqlite_template, site.home / "hub.db")
    with opened_hub(Place(site.config, site.home), loaded, environ=SECRETS) as opened:
        yield opened


def door(intake: Intake | None, *, body_timeout_seconds: float = 20.0, metrics: Metrics | None = None) -> Application:
    metrics = metrics or Metrics()
    ingress = Ingress(
        lambda: intake,
        SystemClock(),
        metrics,
        max_body_bytes=LIMIT,
        body_timeout_seconds=body_timeout_seconds,
    )
    return build(ingress, metrics, lambda: {"ready": intake is not None})


def receipts(hub: Hub) -> list[dict[str, Any]]:
    with hub.store.read() as snapshot:
        return snapshot.rows("receipts", {}, order_by=("id",))


def order_bytes(number: int = 1) -> bytes:
    return json.dumps(shop_order(number)).encode()


def test_a_webhook_is_stored_as_it_came_before_it_is_answered(hub: Hub) -> None:
    body = order_bytes()
    answer = ask(door(hub), "POST", DOOR, pieces=[body[:100], body[100:]], headers=signed(body))
    assert answer.status == 202
    assert answer.data == {"id": receipts(hub)[0]["id"], "duplicate": False}
    with hub.store.read() as snapshot:
        assert snapshot.body(receipts(hub)[0]["body_id"]) == body


def test_the_same_delivery_again_is_told_to_be_a_duplicate_and_kept_once(hub: Hub) -> None:
    body = order_bytes()
    first, again = (ask(door(hub), "POST", DOOR, pieces=[body], headers=signed(body)) for _ in range(2))
    assert (first.status, again.status) == (202, 202)
    assert again.data == {"id": first.data["id"], "duplicate": True}
    assert len(receipts(hub)) == 1


def test_the_same_delivery_id_with_another_body_is_another_receipt(hub: Hub) -> None:
    one, other = order_bytes(1), order_bytes(2)
    ask(door(hub), "POST", DOOR, pieces=[one], headers=signed(one, **{"x-shopify-webhook-id": "w-1"}))
    answer = ask(door(hub), "POST", DOOR, pieces=[other], headers=signed(other, **{"x-shopify-webhook-id": "w-1"}))
    assert answer.data["duplicate"] is False
    assert len(receipts(hub)) == 2


@pytest.mark.parametrize(
    "spoiled",
    [
        pytest.param({"x-shopify-hmac-sha256": "AAAA"}, id="another signature"),
        pytest.param({"x-shopify-hmac-sha256": ""}, id="an empty signature"),
        pytest.param({"x-shopify-hmac-sha256": "\xff\xfe"}, id="a signature that is no text"),
        pytest.param({"x-shopify-shop-domain": "other.example"}, id="another shop"),
    ],
)
def test_a_bad_signature_is_refused_and_nothing_is_kept(hub: Hub, spoiled: dict[str, str]) -> None:
    body = order_bytes()
    answer = ask(door(hub), "POST", DOOR, pieces=[body], headers=signed(body, **spoiled))
    assert answer.status == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert receipts(hub) == []


def test_a_body_without_its_signature_is_refused(hub: Hub) -> None:
    headers = {name: value for name, value in signed(order_bytes()).items() if "hmac" not in name}
    assert ask(door(hub), "POST", DOOR, pieces=[order_bytes()], headers=headers).status == 401


def test_a_body_that_was_changed_by_one_bit_is_refused(hub: Hub) -> None:
    body = order_bytes()
    headers = signed(body)
    for position in range(0, len(body), max(1, len(body) // 40)):
        changed = bytearray(body)
        changed[position] ^= 1
        assert ask(door(hub), "POST", DOOR, pieces=[bytes(changed)], headers=headers).status == 401
    assert receipts(hub) == []


@pytest.mark.parametrize(
    "path", ["/in/nobody", "/in/", "/in//orders", "/in/..", "/in/shopify-us\x00", "/in/\udcff", "/in/\u00e9"]
)
def test_an_unknown_connection_is_not_found(hub: Hub, path: str) -> None:
    assert ask(door(hub), "POST", path, pieces=[b"{}"]).status == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"])
def test_only_post_is_taken(hub: Hub, method: str) -> None:
    answer = ask(door(hub), method, DOOR)
    assert answer.status == 405
    assert answer.headers["allow"] == "POST"


def test_a_topic_nobody_subscribed_is_kept_as_evidence_and_never_parsed(hub: Hub) -> None:
    body = b'{"id": 1}'
    assert ask(door(hub), "POST", DOOR, pieces=[body], headers=signed(body, "carts/update")).status == 202
    assert [row["state"] for row in receipts(hub)] == ["parsed"]
    assert hub.engine.parse() == 0


def test_the_topic_may_stand_in_the_path(hub: Hub) -> None:
    body = order_bytes()
    headers = {name: value for name, value in signed(body).items() if "topic" not in name}
    assert ask(door(hub), "POST", f"{DOOR}/orders/create", pieces=[body], headers=headers).status == 202
    assert receipts(hub)[0]["topic"] == "orders/create"


def test_a_body_that_says_it_is_too_large_is_refused_unread(hub: Hub) -> None:
    answer = ask(door(hub), "POST", DOOR, pieces=[b"x"] * 10, headers={"content-length": str(LIMIT + 1)})
    assert answer.status == 413
    assert answer.taken == 0
    assert answer.headers["connection"] == "close"


def test_a_body_that_turns_out_too_large_is_refused_at_the_limit(hub: Hub) -> None:
    answer = ask(door(hub), "POST", DOOR, pieces=[b"x" * 1_000_000] * 50, headers={"content-length": "10"})
    assert answer.status == 413
    assert answer.taken == 3, "no more is taken than is needed to know"
    assert receipts(hub) == []


def test_a_body_of_exactly_the_limit_is_taken(hub: Hub) -> None:
    body = b" " * LIMIT
    assert ask(door(hub), "POST", DOOR, pieces=[body], headers=signed(body)).status == 202


@pytest.mark.parametrize("length", ["-1", "abc", "9" * 30, "1e9", ""])
def test_a_length_that_makes_no_sense_does_not_stop_a_body(hub: Hub, length: str) -> None:
    body = order_bytes()
    headers = {**signed(body), "content-length": length}
    assert ask(door(hub), "POST", DOOR, pieces=[body], headers=headers).status == 202


def test_a_body_that_trickles_is_given_up(hub: Hub) -> None:
    answer = ask(door(hub, body_timeout_seconds=0.05), "POST", DOOR, pieces=[b"{"], headers=signed(b"{"), stalls=True)
    assert answer.status == 408
    assert answer.headers["connection"] == "close"
    assert receipts(hub) == []


def test_a_sender_that_goes_away_leaves_nothing(hub: Hub) -> None:
    with pytest.raises(NoAnswer):
        ask(door(hub), "POST", DOOR, pieces=[b"{"], headers=signed(b"{"), leaves=True)
    assert receipts(hub) == []


def test_a_hub_that_starts_asks_to_come_again() -> None:
    answer = ask(door(None), "POST", DOOR, pieces=[b"{}"])
    assert answer.status == 503
    assert int(answer.headers["retry-after"]) > 0


class Broken:
    """A hub whose store, or whose connection, fails."""

    def __init__(self, hub: Hub, *, store: Exception | None = None, decide: Exception | None = None) -> None:
        self._hub, self._store, self._decide = hub, store, decide

    def decide(self, connection: str, topic: str | None, request: RawRequest) -> NewReceipt | HttpAnswer:
        if self._decide is not None:
            raise self._decide
        return self._hub.decide(connection, topic, request)

    def respond(self, connection: str, request: RawRequest) -> HttpAnswer | None:
        return self._hub.respond(connection, request)

    def hand_in(self, receipt: NewReceipt, told: Told[Accepted]) -> None:
        told(None, self._store)


def test_what_cannot_be_stored_is_not_confirmed(hub: Hub) -> None:
    body = order_bytes()
    broken = Broken(hub, store=StoreUnavailable("the disk is full"))
    answer = ask(door(broken), "POST", DOOR, pieces=[body], headers=signed(body))
    assert answer.status == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "disk" not in answer.body.decode(), "our own trouble is not the sender's business"


class Slow(Broken):
    """A hub whose commits wait until they are let go; `full` once so many receipts wait."""

    def __init__(self, hub: Hub, limit: int) -> None:
        super().__init__(hub)
        self.waiting: list[Told[Accepted]] = []
        self.full = asyncio.Event()
        self._limit = limit

    def hand_in(self, receipt: NewReceipt, told: Told[Accepted]) -> None:
        self.waiting.append(told)
        if len(self.waiting) == self._limit:
            self.full.set()


def test_a_commit_answers_everybody_who_waits_for_it_and_whoever_left_stops_nobody(hub: Hub) -> None:
    """A request is cancelled when the server stops before its answer; its receipt is written all the same."""
    slow = Slow(hub, 4)
    application = door(slow)

    async def one(number: int) -> int:
        body = order_bytes(number)
        return (await asking(application, "POST", DOOR, pieces=[body], headers=signed(body))).status

    async def several() -> list[int]:
        requests = [asyncio.ensure_future(one(number)) for number in range(4)]
        await asyncio.wait_for(slow.full.wait(), 10)
        requests[1].cancel()
        await asyncio.wait([requests[1]])
        committed = threading.Thread(target=commit)
        committed.start()
        answers = await asyncio.wait_for(asyncio.gather(*(requests[number] for number in (0, 2, 3))), 10)
        committed.join()
        return answers

    def commit() -> None:
        for number, told in enumerate(slow.waiting):
            told(Accepted(f"rc_{number}", duplicate=False), None)

    assert asyncio.run(several()) == [202, 202, 202]


def test_a_connection_that_cannot_be_opened_loses_nothing(hub: Hub) -> None:
    body = order_bytes()
    broken = Broken(hub, decide=ValueError("the mapping is broken"))
    answer = ask(door(broken), "POST", DOOR, pieces=[body], headers=signed(body))
    assert answer.status == 503
    assert "retry-after" in answer.headers


def test_a_header_given_twice_is_folded(hub: Hub) -> None:
    body = order_bytes()
    headers = [*signed(body).items(), ("x-shopify-note", "one"), ("X-Shopify-Note", "two")]
    assert ask(door(hub), "POST", DOOR, pieces=[body], headers=headers).status == 202
    (claimed,) = hub.store.claim_receipts(10)
    assert claimed.headers["x-shopify-note"] == "one, two"


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_kept_and_shown_to_a_person(hub: Hub, name: str) -> None:
    body = UNREADABLE[name]
    answer = ask(door(hub), "POST", DOOR, pieces=[body], headers=signed(body))
    assert answer.status == 202
    hub.engine.parse()
    (row,) = receipts(hub)
    assert row["state"] == "unparsable", row
    with hub.store.read() as snapshot:
        assert snapshot.body(row["body_id"]) == body
        (subject,) = snapshot.rows("exception_subjects", {"subject_kind": "receipt", "subject_id": row["id"]})
        found = snapshot.row("exceptions", {"id": subject["exception_id"]})
    assert found is not None
    assert found["state"] == "open"
    assert found["kind"] == "unparsable"


@pytest.mark.parametrize("name", READABLE)
def test_what_can_be_read_comes_to_a_stated_outcome(hub: Hub, name: str) -> None:
    body = READABLE[name]
    assert ask(door(hub), "POST", DOOR, pieces=[body], headers=signed(body)).status == 202
    while hub.engine.parse() + hub.engine.apply():
        pass
    with hub.store.read() as snapshot:
        states = {row["state"] for row in snapshot.rows("messages", {})}
        parked = snapshot.rows("messages", {"state": "parked"})
        exceptions = snapshot.rows("exceptions", {"state": "open"})
    assert states <= {"applied", "parked"}, states
    assert len(parked) <= sum(row["count"] for row in exceptions)


def test_metrics_count_every_answer(hub: Hub) -> None:
    metrics = Metrics()
    application = door(hub, metrics=metrics)
    body = order_bytes()
    ask(application, "POST", DOOR, pieces=[body], headers=signed(body))
    ask(application, "POST", DOOR, pieces=[body], headers=signed(body + b" "))
    ask(application, "GET", DOOR)
    ask(application, "POST", "/in/nobody", pieces=[b"{}"])
    text = ask(application, "GET", "/metrics").body.decode()
    for status in (202, 401, 404, 405):
        assert f'hub_ingress_requests_total{{answer="{status}"}} 1\n' in text
    assert "hub_ingress_seconds_count 1\n" in text


def test_nothing_else_is_there(hub: Hub) -> None:
    assert ask(door(hub), "GET", "/admin").status == 404


def test_the_time_of_arrival_is_the_hubs(hub: Hub) -> None:
    before = dt.datetime.now(dt.UTC)
    body = order_bytes()
    ask(door(hub), "POST", DOOR, pieces=[body], headers=signed(body))
    assert before <= receipts(hub)[0]["received_at"] <= dt.datetime.now(dt.UTC)
