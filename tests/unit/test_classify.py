"""What an HTTP answer came to: the connector's table first, then the defaults."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.sdk.capabilities import SafetyMode
from hub.sdk.classify import MAX_RETRY_AFTER_SECONDS, ErrorTable, classify, load_table, retry_after_seconds
from hub.sdk.errors import CallFailed, ConfigurationError, Resolution
from hub.sdk.ports import HttpResponse

NOW = dt.datetime(2026, 11, 1, 10, 0, tzinfo=dt.UTC)
TABLE = """
rules:
  - { status: 409, code: reference_exists, resolution: duplicate }
  - { status: [400, 422], resolution: rejected }
  - { status: 404, body: "no such order", resolution: gone }
  - { status: 503, resolution: retry, not_processed: "the request was not processed" }
code: [fault.code]
words: [fault.text]
words_pattern: "<faultstring>([^<]*)<"
code_pattern: "<faultcode>([^<]*)<"
"""


@pytest.fixture
def table(tmp_path: Path) -> ErrorTable:
    path = tmp_path / "errors.yaml"
    path.write_text(TABLE, encoding="utf-8")
    return load_table(path)


def failed(
    table: ErrorTable, status: int, body: bytes = b"", safety: SafetyMode | None = SafetyMode.LOOKUP, **headers: str
) -> CallFailed:
    found = classify(HttpResponse(status, headers, body), safety, table, now=NOW)
    assert found is not None
    return found


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_is_a_success(status: int) -> None:
    assert classify(HttpResponse(status, {}, b"no"), SafetyMode.NONE, ErrorTable(), now=NOW) is None


@pytest.mark.parametrize("status", [100, 301, 307, 400, 404, 408, 409, 418, 500, 502, 503, 504, 599])
@pytest.mark.parametrize(
    ("safety", "resolution"),
    [
        (SafetyMode.LOOKUP, Resolution.AMBIGUOUS),
        (SafetyMode.NONE, Resolution.AMBIGUOUS),
        (SafetyMode.IDEMPOTENCY_KEY, Resolution.RETRY),
        (SafetyMode.UNIQUE_REFERENCE, Resolution.RETRY),
        (None, Resolution.RETRY),
    ],
)
def test_what_nobody_declared_is_ambiguous_unless_repeating_is_safe(
    status: int, safety: SafetyMode | None, resolution: Resolution
) -> None:
    assert failed(ErrorTable(), status, safety=safety).resolution is resolution


@pytest.mark.parametrize("safety", [None, *SafetyMode])
def test_rate_limits_and_credentials_are_the_same_for_every_mode(safety: SafetyMode | None) -> None:
    for status, resolution in [
        (429, Resolution.RATE_LIMITED),
        (401, Resolution.AUTH_FAILED),
        (403, Resolution.AUTH_FAILED),
    ]:
        assert failed(ErrorTable(), status, safety=safety).resolution is resolution
    limited = classify(HttpResponse(503, {"retry-after": "7"}, b""), safety, ErrorTable(), now=NOW)
    assert limited is not None
    assert (limited.resolution, limited.retry_after_seconds) == (Resolution.RATE_LIMITED, 7)


def test_a_503_whose_retry_after_is_garbage_is_a_bare_503() -> None:
    found = classify(HttpResponse(503, {"retry-after": "soon"}, b""), SafetyMode.LOOKUP, ErrorTable(), now=NOW)
    assert found is not None
    assert found.resolution is Resolution.AMBIGUOUS


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("nan", None),
        ("1e9", None),
        ("0", 1.0),
        ("2.5", 2.5),
        (" 120 ", 120.0),
        ("1000000000", MAX_RETRY_AFTER_SECONDS),
        ("Sun, 01 Nov 2026 10:02:00 GMT", 120.0),
        ("Sun, 01 Nov 2026 09:00:00 GMT", 1.0),
        ("Wed, 01 Nov 2090 10:00:00 GMT", MAX_RETRY_AFTER_SECONDS),
        ("Sun, 99 Nov 2026 10:02:00 GMT", None),
    ],
)
def test_retry_after_is_read_in_both_forms_and_bounded(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, NOW) == seconds


@given(st.text(max_size=80))
def test_no_retry_after_raises(value: str) -> None:
    seconds = retry_after_seconds(value, NOW)
    assert seconds is None or 1 <= seconds <= MAX_RETRY_AFTER_SECONDS


def test_the_first_rule_that_matches_decides(table: ErrorTable) -> None:
    assert failed(table, 409, b'{"fault": {"code": "reference_exists"}}').resolution is Resolution.DUPLICATE
    assert failed(table, 409, b'{"fault": {"code": "other"}}').resolution is Resolution.AMBIGUOUS
    assert failed(table, 404, b"there is no such order").resolution is Resolution.GONE
    assert failed(table, 404, b"nginx").resolution is Resolution.AMBIGUOUS


def test_retry_is_believed_only_in_the_vendors_own_words(table: ErrorTable) -> None:
    assert failed(table, 503, b"Busy: The request was not processed.").resolution is Resolution.RETRY
    assert failed(table, 503, b"Busy").resolution is Resolution.AMBIGUOUS


def test_the_vendors_words_come_verbatim_and_bounded(table: ErrorTable) -> None:
    assert failed(table, 422, b'{"fault": {"code": "E7", "text": "Menge fehlt"}}').words == "Menge fehlt"
    assert failed(table, 422, b'{"fault": {"code": "E7", "text": "Menge fehlt"}}').code == "E7"
    fault = b"<e><faultcode>Client</faultcode><faultstring>Unknown SKU</faultstring></e>"
    assert (failed(table, 500, fault).words, failed(table, 500, fault).code) == ("Unknown SKU", "Client")
    assert len(failed(table, 500, b"x" * 1_000_000).words) == 500
    assert failed(table, 500).words == "HTTP 500 without a word"


@given(status=st.integers(300, 599), body=st.binary(max_size=200))
def test_no_body_raises(status: int, body: bytes) -> None:
    found = classify(HttpResponse(status, {}, body), SafetyMode.LOOKUP, ErrorTable(), now=NOW)
    assert found is not None
    assert found.raw == body


@pytest.mark.parametrize("body", [b"[" * 50_000, b'{"code": ' + b"9" * 5_000 + b"}", b'{"error": NaN}'])
def test_bodies_made_to_hurt_are_only_bodies(body: bytes) -> None:
    assert failed(ErrorTable(), 500, body).resolution is Resolution.AMBIGUOUS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rules: [{ status: 503, resolution: retry }]", "retry needs not_processed"),
        ("rules: [{ status: 503, resolution: perhaps }]", "rule 1: 'perhaps' is not a valid Resolution"),
        ("rules: [{ statuses: 503, resolution: gone }]", "rule 1: unknown keys statuses"),
        ("rules: [{ body: '(', resolution: gone }]", "rule 1"),
        ("ruels: []", "unknown keys: ruels"),
        ("- 1", "must be a mapping"),
        ("{", "cannot be read"),
    ],
)
def test_a_table_that_is_wrong_says_where(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "errors.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=words):
        load_table(path)
