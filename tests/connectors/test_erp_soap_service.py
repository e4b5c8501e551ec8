"""Acknowledgements of queued documents, answers that are none, and the emulated ERP itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.erp_soap.connector import OPERATIONS, TOPICS
from hub.mapping.cases import exact_json, run_tests
from hub.runtime.registry import Registry
from hub.sdk.capabilities import Capability, SafetyMode
from hub.sdk.emulator import EmulatedRequest
from hub.sdk.errors import CallFailed, DataError, Resolution, SignatureError
from hub.sdk.ports import HttpResponse
from hub.sdk.records import Found, Receipt, Unsure
from tests.connectors.erp_soap_world import (
    MAPPINGS,
    START,
    Clock,
    Notebook,
    World,
    answer_of,
    connector_at,
    loads,
    order,
)


@pytest.fixture
def queued() -> Iterator[World]:
    with World(acceptance="queued", queue_seconds="5") as world:
        yield world


def test_a_queued_order_is_acknowledged_later(queued: World) -> None:
    reply = queued.submit()
    assert (reply.external_id, reply.asynchronous) == (None, True)
    assert answer_of(reply, "submit_order") == {}
    queued.clock.pass_seconds(5)
    [webhook] = queued.webhooks()
    queued.connector.verify(webhook)
    receipt = queued.connector.receipt(webhook, "document.accepted")
    assert (receipt.stream, receipt.delivery_id) == ("acknowledgements", "ack-00000001")
    [record] = queued.connector.parse(receipt)
    assert MAPPINGS.get("erp_soap/acknowledgements.in").run(record.body).record == {
        "fact_key": "ack-00000001",
        "key": "ord_1",
        "accepted": True,
        "external_id": "SO-1000",
        "occurred_at": "2026-11-02T09:00:05.000000Z",
    }


def test_a_queued_order_may_be_refused_in_the_end(queued: World) -> None:
    queued.submit()
    queued.control("refuse", by="sku", value="MUG", message="MUG is blocked")
    queued.clock.pass_seconds(5)
    [webhook] = queued.webhooks()
    [record] = queued.connector.parse(queued.connector.receipt(webhook, None))
    told = MAPPINGS.get("erp_soap/acknowledgements.in").run(record.body).record
    assert (told["accepted"], told["reason"]) == (False, "MUG is blocked")
    found = queued.connector.lookup(Capability.SUBMIT_ORDER, queued.effect(order()))
    assert isinstance(found, Found)
    assert answer_of(found.reply, "submit_order") == {"accepted": False}


def test_a_lookup_of_a_queued_order_finds_it_still_open(queued: World) -> None:
    queued.submit()
    found = queued.connector.lookup(Capability.SUBMIT_ORDER, queued.effect(order()))
    assert isinstance(found, Found)
    assert found.reply.asynchronous


def test_queued_documents_and_late_commits_survive_a_restart(tmp_path: Path) -> None:
    clock = Clock()
    path = str(tmp_path / "erp.db")
    with World(path, clock=clock, acceptance="queued", queue_seconds="5") as world:
        world.submit("ord_1")
        world.faults.script = {2: "late_commit"}
        with pytest.raises(CallFailed):
            world.submit("ord_2")
    with World(path, clock=clock, acceptance="queued", queue_seconds="5") as world:
        clock.pass_seconds(5)
        assert [webhook.headers["webhook-id"] for webhook in world.webhooks()] == ["ack-00000001"]
        clock.pass_seconds(5)
        assert [webhook.headers["webhook-id"] for webhook in world.webhooks()] == ["ack-00000002"]
        assert [entry["key"] for entry in world.ledger("sales_order")] == ["ord_1", "ord_2"]


@pytest.mark.parametrize(
    "headers",
    [
        {"webhook-signature": ""},
        {"webhook-signature": "v1=" + "0" * 64},
        {"webhook-signature": "no"},
        {"webhook-timestamp": "1793610006"},
        {"webhook-timestamp": ""},
    ],
)
def test_a_forged_acknowledgement_is_refused(queued: World, headers: dict[str, str]) -> None:
    queued.submit()
    queued.clock.pass_seconds(5)
    [webhook] = queued.webhooks()
    with pytest.raises(SignatureError):
        queued.connector.verify(replace(webhook, headers={**webhook.headers, **headers}))


def test_an_old_or_future_acknowledgement_is_refused(queued: World) -> None:
    queued.submit()
    queued.clock.pass_seconds(5)
    [webhook] = queued.webhooks()
    for minutes in (-6, 6):
        with pytest.raises(SignatureError):
            queued.connector.verify(replace(webhook, received_at=webhook.received_at + dt.timedelta(minutes=minutes)))


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"id": "a"}', b'{"id": "a", "occurred_at": "x"}', b'{"id":"a","occurred_at":"2026-11-02"}']
)
def test_an_acknowledgement_that_is_none_is_named_so(queued: World, body: bytes) -> None:
    with pytest.raises(DataError):
        queued.connector.parse(Receipt("erp-soap", "acknowledgements", None, {}, body, "application/json", START))


class Answers:
    """An HTTP port that always gives the same answer."""

    def __init__(self, status: int, body: bytes, content_type: str = "text/xml") -> None:
        self._answer = HttpResponse(status, {"content-type": content_type}, body)

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        deadline: dt.datetime | None = None,
        operation: str = "default",
        reuse_idle: bool = True,
    ) -> HttpResponse:
        del method, url, headers, body, deadline, operation, reuse_idle
        return self._answer


ENVELOPE = b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>%s</s:Body></s:Envelope>'


@pytest.mark.parametrize(
    ("answer", "resolution"),
    [
        (Answers(200, b"<html>Welcome</html>", "text/html"), Resolution.AMBIGUOUS),
        (Answers(200, ENVELOPE % b""), Resolution.AMBIGUOUS),
        (Answers(200, ENVELOPE % b"<Surprise/>"), Resolution.AMBIGUOUS),
        (Answers(500, ENVELOPE % b""), Resolution.AMBIGUOUS),
        (Answers(502, b"", ""), Resolution.AMBIGUOUS),
        (Answers(503, b"", ""), Resolution.AMBIGUOUS),
        (Answers(403, b"no", "text/plain"), Resolution.AUTH_FAILED),
        (Answers(415, b"", ""), Resolution.REJECTED),
        (
            Answers(500, ENVELOPE % b"<s:Fault><faultcode>s:Client</faultcode><faultstring>no</faultstring></s:Fault>"),
            Resolution.REJECTED,
        ),
        (
            Answers(500, ENVELOPE % b"<s:Fault><faultcode>s:Server</faultcode><faultstring>no</faultstring></s:Fault>"),
            Resolution.AMBIGUOUS,
        ),
    ],
)
def test_what_proves_nothing_is_ambiguous(answer: Answers, resolution: Resolution) -> None:
    connector = connector_at("http://erp.example", answer, Clock(), Notebook())
    effect = World.effect(_timeless(), order())
    with pytest.raises(CallFailed) as failed:
        connector.submit_order(effect)
    assert failed.value.resolution is resolution
    assert isinstance(connector.lookup(Capability.SUBMIT_ORDER, effect), Unsure)


@pytest.mark.parametrize("body", [b"<a", b"\xff\xfe<a/>", b"<!DOCTYPE a><a/>", b"<a>&b;</a>"])
def test_an_answer_that_is_no_xml_is_no_proof_either(body: bytes) -> None:
    connector = connector_at("http://erp.example", Answers(200, body), Clock(), Notebook())
    effect = World.effect(_timeless(), order())
    with pytest.raises(DataError):
        connector.submit_order(effect)
    assert isinstance(connector.lookup(Capability.SUBMIT_ORDER, effect), Unsure)


def _timeless() -> World:
    """Only the clock of a world, for effects that go nowhere."""
    world = World.__new__(World)
    world.clock = Clock()
    return world


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not xml",
        b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
        b"<a/>",
        ENVELOPE % b"",
        ENVELOPE % b"<SubmitOrder/>",
        ENVELOPE % b'<SubmitOrder xmlns="urn:erp:sales:1"><Reference>r</Reference></SubmitOrder>',
        ENVELOPE % b'<DropTables xmlns="urn:erp:sales:1"/>',
    ],
)
def test_nonsense_is_a_fault_and_makes_no_document(body: bytes) -> None:
    with World() as world:
        headers = {"authorization": "Basic aHViOmVycC1wYXNzd29yZA=="}
        answer = world.emulator.handle(EmulatedRequest("POST", "/sales", {}, headers, body))
        assert answer.status == 500
        fault = loads("xml", answer.body)
        assert isinstance(fault, dict)
        assert b"<sales:Code>INVALID</sales:Code>" in answer.body
        assert world.control("documents") == []


def test_unknown_customers_are_refused_where_customers_are_listed() -> None:
    with World(customers="acme,other") as world:
        with pytest.raises(CallFailed) as failed:
            world.submit()
        assert failed.value.code == "UNKNOWN_CUSTOMER"
        assert world.submit(CustomerCode="acme").external_id == "SO-1000"


def test_the_manifest_says_how_each_posting_may_be_repeated() -> None:
    manifest = Registry().manifests["erp_soap"]
    assert set(manifest.capabilities) == set(OPERATIONS)
    modes = {name: (info.safety, info.settle_seconds) for name, info in manifest.capabilities.items()}
    assert modes == {
        Capability.SUBMIT_ORDER: (SafetyMode.LOOKUP, 20),
        Capability.UPDATE_ORDER: (SafetyMode.LOOKUP, 20),
        Capability.CANCEL_ORDER: (SafetyMode.LOOKUP, 20),
        Capability.POST_INVOICE: (SafetyMode.UNIQUE_REFERENCE, 0),
        Capability.POST_CREDIT_NOTE: (SafetyMode.UNIQUE_REFERENCE, 0),
        Capability.POST_GOODS_MOVEMENT: (SafetyMode.UNIQUE_REFERENCE, 0),
    }
    assert {topic: name for name, info in manifest.streams.items() for topic in info.topics} == TOPICS
    assert all(hasattr(Registry().implementation(manifest), name.value) for name in manifest.capabilities)


def read(path: Path) -> object:
    return loads("xml", path.read_bytes()) if path.suffix == ".xml" else exact_json(path)


@pytest.mark.parametrize("name", [name for name in MAPPINGS.names() if name.startswith("erp_soap/")])
def test_the_mappings_own_tests_pass(name: str) -> None:
    results = run_tests(MAPPINGS.get(name), read)
    assert results
    assert [result for result in results if not result.passed] == []
