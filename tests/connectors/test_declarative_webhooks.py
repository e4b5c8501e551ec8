"""Webhooks that a connector.yaml describes: each form vendors sign in, and nothing but SignatureError for the rest."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.sdk.errors import ConfigurationError, SignatureError
from hub.sdk.records import RawRequest
from tests.connectors.declarative_world import BASE, START, opened

SECRET = "a-webhook-secret"
BODY = b'{"id": "c-1", "event": "customer.changed"}'
STAMP = str(int(START.timestamp()))
STAMPED = "signed: [{ timestamp: true }, { text: '.' }, { body: true }]"


def digest(signed: bytes, key: bytes = SECRET.encode(), algorithm: str = "sha256") -> bytes:
    return hmac.new(key, signed, getattr(hashlib, algorithm)).digest()


STAMPED_HEX = digest(f"{STAMP}.".encode() + BODY).hex()
STANDARD_KEY = b"0123456789abcdef01234567"
STANDARD_SECRET = "whsec_" + base64.b64encode(STANDARD_KEY).decode()
STANDARD = base64.b64encode(digest(f"msg_1.{STAMP}.".encode() + BODY, STANDARD_KEY)).decode()

LIST = (
    "{ header: webhook-signature, form: list, prefix: 'v1,', encoding: base64, key: base64,"
    " signed: [{ header: webhook-id }, { text: '.' }, { timestamp: true }, { text: '.' }, { body: true }],"
    " timestamp: { in: header, name: webhook-timestamp } }"
)
FORMS: dict[str, tuple[str, dict[str, str], list[Any]]] = {
    "hex of the body": ("{ header: X-Signature }", {"x-signature": digest(BODY).hex()}, [SECRET]),
    "base64 of the body": (
        "{ header: x-signature, encoding: base64 }",
        {"x-signature": base64.b64encode(digest(BODY)).decode()},
        [SECRET],
    ),
    "behind a prefix": ("{ header: x-hub, prefix: 'sha256=' }", {"x-hub": f"sha256={digest(BODY).hex()}"}, [SECRET]),
    "with another hash": (
        "{ header: x-hub, prefix: 'sha1=', algorithm: sha1 }",
        {"x-hub": f"sha1={digest(BODY, algorithm='sha1').hex()}"},
        [SECRET],
    ),
    "with a time in a header": (
        f"{{ header: x-signature, {STAMPED}, timestamp: {{ in: header, name: X-Time }} }}",
        {"x-signature": STAMPED_HEX, "x-time": STAMP},
        [SECRET],
    ),
    "as pairs": (
        f"{{ header: x-signature, form: pairs, name: v1, {STAMPED}, timestamp: {{ in: pairs, name: t }} }}",
        {"x-signature": f"t={STAMP}, v0=old, v1={'0' * 64}, v1={STAMPED_HEX}"},
        [SECRET],
    ),
    "as a list with several secrets": (
        LIST,
        {
            "webhook-id": "msg_1",
            "webhook-timestamp": STAMP,
            "webhook-signature": f"v1,{base64.b64encode(b'0' * 32).decode()} v1a,xyz v1,{STANDARD}",
        },
        [base64.b64encode(b"the new one").decode(), STANDARD_SECRET],
    ),
}


def described(signature: str, more: str = "") -> str:
    return BASE.replace(
        "webhooks: { signature: { header: x-signature } }", f"webhooks: {{ signature: {signature}{more} }}"
    )


def request(headers: dict[str, str], body: bytes = BODY, at: dt.datetime = START) -> RawRequest:
    return RawRequest("POST", "/in/crm", "", headers, body, at)


def opened_with(tmp_path: Path, signature: str, secrets: list[Any], more: str = "") -> Any:
    with opened(tmp_path, lambda _: (200, {})) as world:
        return world.connector(described(signature, more), webhook_secrets=secrets)


@pytest.mark.parametrize("form", FORMS)
def test_what_was_signed_is_let_in_and_what_was_changed_is_not(tmp_path: Path, form: str) -> None:
    signature, headers, secrets = FORMS[form]
    connector = opened_with(tmp_path, signature, secrets)
    connector.verify(request(headers))
    with pytest.raises(SignatureError):
        connector.verify(request(headers, BODY + b" "))
    for name in headers:
        with pytest.raises(SignatureError):
            connector.verify(request({**headers, name: headers[name][:-1]}))
        with pytest.raises(SignatureError):
            connector.verify(request({key: value for key, value in headers.items() if key != name}))


@pytest.mark.parametrize("form", [form for form in FORMS if "time" in form or "list" in form or "pairs" in form])
@pytest.mark.parametrize("seconds", [-301, 301])
def test_an_old_request_and_one_from_the_future_are_refused(tmp_path: Path, form: str, seconds: int) -> None:
    signature, headers, secrets = FORMS[form]
    connector = opened_with(tmp_path, signature, secrets)
    with pytest.raises(SignatureError, match="too long ago or in the future"):
        connector.verify(request(headers, at=START + dt.timedelta(seconds=seconds)))


@pytest.mark.parametrize("secrets", [[], [STANDARD_SECRET]])
def test_without_the_right_secret_nobody_is_let_in(tmp_path: Path, secrets: list[Any]) -> None:
    signature, headers, _ = FORMS["hex of the body"]
    with pytest.raises(SignatureError):
        opened_with(tmp_path, signature, secrets).verify(request(headers))


def test_a_secret_counts_until_its_time_is_over(tmp_path: Path) -> None:
    signature, headers, _ = FORMS["hex of the body"]
    connector = opened_with(tmp_path, signature, [{"secret": SECRET, "not_after": "2026-11-02T10:00:00Z"}])
    connector.verify(request(headers))
    with pytest.raises(SignatureError):
        connector.verify(request(headers, at=START + dt.timedelta(hours=2)))


def test_a_secret_that_is_no_base64_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no base64"):
        opened_with(tmp_path, FORMS["as a list with several secrets"][0], ["not base64!"])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    header=st.text(max_size=300),
    stamp=st.text(max_size=30),
    body=st.binary(max_size=50),
    form=st.sampled_from(sorted(FORMS)),
)
def test_whatever_a_sender_writes_is_a_signature_error_and_nothing_else(
    connectors: dict[str, Any], header: str, stamp: str, body: bytes, form: str
) -> None:
    names = {"x-signature": header, "x-hub": header, "webhook-signature": header, "x-time": stamp}
    with pytest.raises(SignatureError):
        connectors[form].verify(request({**names, "webhook-timestamp": stamp, "webhook-id": stamp}, body))


@pytest.fixture
def connectors(tmp_path: Path) -> dict[str, Any]:
    return {form: opened_with(tmp_path, signature, secrets) for form, (signature, _, secrets) in FORMS.items()}


def test_the_topic_leads_to_the_stream_of_the_manifest_and_the_header_names_the_delivery(tmp_path: Path) -> None:
    more = ", delivery_id: X-Id, topic: X-Topic"
    connector = opened_with(tmp_path, "{ header: x-signature }", [SECRET], "")
    assert connector.receipt(request({}), "customer.changed").stream == "customers"
    with opened(tmp_path, lambda _: (200, {})) as world:
        named = BASE.replace("signature: { header: x-signature }", "signature: { header: x-signature }" + more)
        connector = world.connector(named, webhook_secrets=[SECRET])
    receipt = connector.receipt(request({"x-id": "d-1", "x-topic": "customer.changed"}), None)
    assert (receipt.stream, receipt.delivery_id, receipt.topic) == ("customers", "d-1", "customer.changed")
    assert connector.receipt(request({"x-topic": "customer.sneezed"}), None).stream == ""
    assert connector.receipt(request({"x-topic": "customer.sneezed"}), "customer.changed").stream == "customers"


def test_records_are_cut_from_an_envelope(tmp_path: Path) -> None:
    with opened(tmp_path, lambda _: (200, {})) as world:
        enveloped = BASE.replace(
            "signature: { header: x-signature }", "signature: { header: x-signature }, records: 'data[].customer'"
        )
        connector = world.connector(enveloped, webhook_secrets=[SECRET])
    body = b'{"data": [{"customer": {"id": "1"}}, {"customer": {"id": "2"}}]}'
    records = connector.parse(connector.receipt(request({}, body), "customer.changed"))
    assert [record.body for record in records] == [{"id": "1"}, {"id": "2"}]
