"""What an HTTP answer came to: a connector's errors.yaml first, then the hub's defaults (docs: outbox, resolutions).

    rules:                                     # first match decides
      - { status: 422, resolution: rejected }
      - { status: [404, 410], code: order_not_found, resolution: gone }
      - { code: THROTTLED, resolution: rate_limited }
      - { status: 503, resolution: retry, not_processed: "the request was not processed" }
    code: [error.code]                         # where the vendor's code stands; there are defaults
    words: [error.message]                     # where the vendor's own words stand; there are defaults
    words_pattern: "<faultstring>([^<]*)<"     # for bodies that are no JSON: the first group
    code_pattern: "<faultcode>([^<]*)<"

A rule's `body` is a regular expression that must be found in the answer. `retry` says that the work was not done, so it
needs `not_processed`: the vendor's words that say so, which must stand in the answer.

Defaults: 2xx is a success; 429, and 503 with a readable Retry-After, are rate_limited; 401 and 403 are auth_failed;
everything else is ambiguous. For reads and for targets that deduplicate, ambiguous is retry.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import functools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import yaml

from hub.sdk.capabilities import SafetyMode
from hub.sdk.errors import CallFailed, ConfigurationError, Resolution
from hub.sdk.ports import HttpResponse

MAX_RETRY_AFTER_SECONDS = 6 * 3600.0
MIN_RETRY_AFTER_SECONDS = 1.0
MAX_WORDS = 500
_SEARCHED_BYTES = 65_536
_CODE_PATHS = ("code", "error.code", "errors.0.code", "errors.0.extensions.code")
_WORDS_PATHS = ("message", "error.message", "errors.0.message", "detail", "error", "errors", "error_description")
_DEDUPLICATING = frozenset({SafetyMode.IDEMPOTENCY_KEY, SafetyMode.UNIQUE_REFERENCE})
_RULE_KEYS = frozenset({"status", "code", "body", "resolution", "not_processed"})
_TABLE_KEYS = frozenset({"rules", "code", "words", "code_pattern", "words_pattern"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of errors.yaml. Empty `statuses` or `codes` match any."""

    resolution: Resolution
    statuses: frozenset[int] = frozenset()
    codes: frozenset[str] = frozenset()
    body: re.Pattern[str] | None = None
    not_processed: str = ""

    def matches(self, status: int, code: str, text: str) -> bool:
        return (
            (not self.statuses or status in self.statuses)
            and (not self.codes or code in self.codes)
            and (self.body is None or self.body.search(text) is not None)
            and (self.not_processed.lower() in text.lower())
        )


@dataclass(frozen=True, slots=True)
class ErrorTable:
    rules: tuple[Rule, ...] = ()
    code_paths: tuple[str, ...] = _CODE_PATHS
    words_paths: tuple[str, ...] = _WORDS_PATHS
    code_pattern: re.Pattern[str] | None = None
    words_pattern: re.Pattern[str] | None = None


@dataclass(frozen=True, slots=True)
class _Said:
    """What the answer says, as far as it can be read."""

    code: str
    words: str
    text: str = field(repr=False)


def classify(
    response: HttpResponse,
    safety: SafetyMode | None,
    table: ErrorTable,
    *,
    now: dt.datetime,
    code: str | None = None,
    words: str | None = None,
) -> CallFailed | None:
    """None for a success, else the failure to raise. Never raises for what the other side sent.

    `safety` is the capability's declared mode, None for a read. `now` is aware and turns a Retry-After date into
    seconds. A caller that has read the vendor's `code` and `words` already gives them; then the answer is a failure
    also where its status is 2xx (GraphQL errors, SOAP faults, per-item results).
    """
    if 200 <= response.status < 300 and code is None and words is None:
        return None
    said = _read(response, table)
    code = said.code if code is None else code
    words = (said.words if words is None else words)[:MAX_WORDS] or f"HTTP {response.status} without a word"
    retry_after = retry_after_seconds(response.headers.get("retry-after"), now)
    resolution = next(
        (rule.resolution for rule in table.rules if rule.matches(response.status, code, said.text)), None
    ) or _default(response.status, retry_after)
    if resolution is Resolution.AMBIGUOUS and (safety is None or safety in _DEDUPLICATING):
        resolution = Resolution.RETRY
    return CallFailed(
        resolution,
        words,
        status=response.status,
        retry_after_seconds=retry_after,
        raw=response.body,
        content_type=response.headers.get("content-type", ""),
        code=code,
    )


def retry_after_seconds(value: str | None, now: dt.datetime) -> float | None:
    """Seconds of a Retry-After header (RFC 9110 section 10.2.3): a number or an HTTP date, at least one second, at
    most six hours. None for an absent or unreadable one."""
    if value is None:
        return None
    text = value.strip()
    if re.fullmatch(r"[0-9]{1,18}(\.[0-9]{1,9})?", text):
        return _bounded(float(text))
    try:
        at = email.utils.parsedate_to_datetime(text)
        if at.tzinfo is None:
            at = at.replace(tzinfo=dt.UTC)
        return _bounded((at - now).total_seconds())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


@functools.lru_cache(maxsize=256)
def load_table(path: Path) -> ErrorTable:
    """The table of an errors.yaml. Raises ConfigurationError naming the file and the rule that is wrong."""
    try:
        document = yaml.safe_load(path.read_bytes())
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path.name} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path.name} must be a mapping with the key rules")
    if unknown := set(document) - _TABLE_KEYS:
        raise ConfigurationError(f"{path.name} has unknown keys: {', '.join(sorted(map(str, unknown)))}")
    rules = []
    for number, entry in enumerate(document.get("rules") or [], start=1):
        try:
            rules.append(_rule(entry))
        except (ValueError, TypeError, re.error) as error:
            raise ConfigurationError(f"{path.name}, rule {number}: {error}") from error
    return ErrorTable(
        rules=tuple(rules),
        code_paths=_texts(document.get("code"), _CODE_PATHS),
        words_paths=_texts(document.get("words"), _WORDS_PATHS),
        code_pattern=_pattern(document.get("code_pattern")),
        words_pattern=_pattern(document.get("words_pattern")),
    )


def _rule(entry: object) -> Rule:
    if not isinstance(entry, dict):
        raise TypeError("a rule is a mapping")
    if unknown := set(entry) - _RULE_KEYS:
        raise ValueError(f"unknown keys {', '.join(sorted(map(str, unknown)))}")
    resolution = Resolution(str(entry.get("resolution")))
    if resolution is Resolution.RETRY and not entry.get("not_processed"):
        raise ValueError("retry needs not_processed: the vendor's words that say that nothing was done")
    return Rule(
        resolution=resolution,
        statuses=frozenset(int(str(status)) for status in _list(entry.get("status"))),
        codes=frozenset(str(code) for code in _list(entry.get("code"))),
        body=_pattern(entry.get("body")),
        not_processed=str(entry.get("not_processed") or ""),
    )


def _default(status: int, retry_after: float | None) -> Resolution:
    if status == 429 or (status == 503 and retry_after is not None):
        return Resolution.RATE_LIMITED
    if status in (401, 403):
        return Resolution.AUTH_FAILED
    return Resolution.AMBIGUOUS


def _read(response: HttpResponse, table: ErrorTable) -> _Said:
    text = response.body[:_SEARCHED_BYTES].decode("utf-8", "replace")
    code = words = ""
    tree: object = None
    if len(response.body) <= _SEARCHED_BYTES:
        try:
            tree = json.loads(response.body, parse_float=Decimal)
        except (ValueError, RecursionError):
            tree = None
    if tree is not None:
        code = _first(tree, table.code_paths)
        words = _first(tree, table.words_paths)
    if not code and table.code_pattern and (found := table.code_pattern.search(text)):
        code = found.group(1).strip()
    if not words and table.words_pattern and (found := table.words_pattern.search(text)):
        words = found.group(1).strip()
    return _Said(code, words or " ".join(text.split())[:MAX_WORDS], text)


def _first(tree: object, paths: Sequence[str]) -> str:
    for path in paths:
        value = _at(tree, path)
        if isinstance(value, bool) or value in (None, "", [], {}):
            continue
        return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return ""


def _at(tree: object, path: str) -> object:
    for step in path.split("."):
        if isinstance(tree, Mapping):
            tree = tree.get(step)
        elif isinstance(tree, list) and step.isdigit() and int(step) < len(tree):
            tree = tree[int(step)]
        else:
            return None
    return tree


def _bounded(seconds: float) -> float:
    return min(MAX_RETRY_AFTER_SECONDS, max(MIN_RETRY_AFTER_SECONDS, seconds))


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _texts(value: object, default: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(str(entry) for entry in _list(value)) or default


def _pattern(value: object) -> re.Pattern[str] | None:
    return None if value is None else re.compile(str(value), re.DOTALL)
