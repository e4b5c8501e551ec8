"""Webhook signatures: golden vectors, rotation, and no bit that may change."""

from __future__ import annotations

import base64
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.sdk.errors import ConfigurationError, SignatureError
from hub.sdk.signatures import Secret, check_age, read_secrets, read_unix_time, sign, verify

NOW = dt.datetime(2026, 11, 1, 10, 0, tzinfo=dt.UTC)
KEY = Secret(b"hush")

# RFC 4231, test cases 1, 2 and 6 (a key longer than the block).
RFC_4231 = [
    (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    (
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
]


@pytest.mark.parametrize(("key", "body", "expected"), RFC_4231)
def test_the_published_vectors_hold_in_both_encodings(key: bytes, body: bytes, expected: str) -> None:
    assert sign(key, body, encoding="hex") == expected
    in_base64 = base64.b64encode(bytes.fromhex(expected)).decode()
    assert sign(key, body) == in_base64
    verify(in_base64, body, [Secret(key)], now=NOW)
    verify(expected, body, [Secret(key)], now=NOW, encoding="hex")


def test_parts_are_signed_as_if_joined() -> None:
    assert sign(b"k", (b"id", b".", b"body")) == sign(b"k", b"id.body")
    verify(sign(b"k", b"id.body"), (b"id", b".", b"body"), [Secret(b"k")], now=NOW)


@given(body=st.binary(max_size=200), bit=st.integers(min_value=0))
def test_no_bit_of_the_body_may_change(body: bytes, bit: int) -> None:
    signature = sign(KEY.key, body)
    verify(signature, body, [KEY], now=NOW)
    changed = bytearray(body or b"\x00")
    changed[bit % len(changed)] ^= 1 << (bit % 8)
    if bytes(changed) != body:
        with pytest.raises(SignatureError):
            verify(signature, bytes(changed), [KEY], now=NOW)


@given(body=st.binary(max_size=50), place=st.integers(0, 43), character=st.characters(max_codepoint=0x2FF))
def test_no_character_of_the_signature_may_change(body: bytes, place: int, character: str) -> None:
    signature = sign(KEY.key, body)
    changed = signature[:place] + character + signature[place + 1 :]
    if changed.strip() != signature:
        with pytest.raises(SignatureError):
            verify(changed, body, [KEY], now=NOW)


@given(
    signature=st.one_of(st.none(), st.text(max_size=600), st.sampled_from(["=", "====", "A", "é" * 44, "\x00" * 44]))
)
def test_whatever_stands_in_the_header_is_a_signature_error_and_nothing_else(signature: str | None) -> None:
    with pytest.raises(SignatureError) as caught:
        verify(signature, b"body", [KEY], now=NOW)
    assert sign(KEY.key, b"body") not in str(caught.value)


def test_an_old_secret_counts_until_its_time_is_over() -> None:
    secrets = read_secrets(["new", {"secret": "old", "not_after": "2026-11-01T10:00:00+00:00"}])
    by_old = sign(b"old", b"body")
    verify(by_old, b"body", secrets, now=NOW)
    with pytest.raises(SignatureError):
        verify(by_old, b"body", secrets, now=NOW + dt.timedelta(seconds=1))
    verify(sign(b"new", b"body"), b"body", secrets, now=NOW + dt.timedelta(days=999))


@pytest.mark.parametrize(
    "values",
    [
        [],
        [""],
        [7],
        [{"secret": ""}],
        [{"secret": "x", "not_after": "soon"}],
        [{"secret": "x", "not_after": "2026-11-01"}],
    ],
)
def test_secrets_that_cannot_be_used_are_refused(values: list[object]) -> None:
    with pytest.raises(ConfigurationError):
        read_secrets(values)


@pytest.mark.parametrize(("seconds", "accepted"), [(0, True), (300, True), (301, False), (-60, True), (-61, False)])
def test_the_tolerance_has_two_sides(seconds: int, accepted: bool) -> None:
    signed_at = NOW - dt.timedelta(seconds=seconds)
    if accepted:
        check_age(signed_at, NOW, past_seconds=300, future_seconds=60)
    else:
        with pytest.raises(SignatureError):
            check_age(signed_at, NOW, past_seconds=300, future_seconds=60)


def test_a_unix_time_is_digits_and_nothing_else() -> None:
    assert read_unix_time("1793527200") == NOW
    for text in (None, "", "-1", "1e9", "１７", "9" * 12, "1793527200.5"):
        with pytest.raises(SignatureError):
            read_unix_time(text)
