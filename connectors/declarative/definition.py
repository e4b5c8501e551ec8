"""The content of a connector.yaml as types. The hub has checked it against its schema and filled in the defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Literal, NotRequired, TypedDict

Value = str | int | Decimal | bool
"""A text is an expression, anything else itself."""


class RequestSpec(TypedDict):
    method: str
    path: str
    parameters: Mapping[str, Value]
    query: Mapping[str, Value]
    headers: Mapping[str, Value]
    body: NotRequired[str]
    encode: Literal["json", "form"]


class AuthSpec(TypedDict):
    kind: Literal["none", "basic", "bearer", "header", "query", "oauth2_client_credentials"]
    username: NotRequired[str]
    password: NotRequired[str]
    token: NotRequired[str]
    name: NotRequired[str]
    key: NotRequired[str]
    token_url: NotRequired[str]
    client_id: NotRequired[str]
    client_secret: NotRequired[str]
    scope: NotRequired[str]
    credentials_in: Literal["header", "body"]


class PagesSpec(TypedDict):
    kind: Literal["none", "page_number", "offset", "cursor", "link", "next_url"]
    parameter: NotRequired[str]
    next: NotRequired[str]
    more: NotRequired[str]
    first: int
    size: int
    at_most: int


SinceSpec = TypedDict("SinceSpec", {"from": str, "kind": Literal["instant", "sequence"], "lookback_seconds": int})


class ReadSpec(TypedDict):
    request: RequestSpec
    records: str
    pages: NotRequired[PagesSpec]
    since: NotRequired[SinceSpec]


class FetchSpec(TypedDict):
    request: RequestSpec
    records: str


class ListSpec(TypedDict):
    request: RequestSpec
    records: str
    id: str
    version: str
    pages: NotRequired[PagesSpec]


class StreamSpec(TypedDict, total=False):
    read: ReadSpec
    fetch: FetchSpec
    list_ids: ListSpec


class SendSpec(TypedDict):
    request: RequestSpec
    external_id: NotRequired[str]
    asynchronous: Sequence[int]


class Pair(TypedDict):
    theirs: str
    ours: str


class LookupSpec(TypedDict):
    request: RequestSpec
    records: str
    match: NotRequired[Sequence[Pair]]
    same: NotRequired[Sequence[Pair]]
    external_id: NotRequired[str]


class EffectSpec(TypedDict):
    send: SendSpec
    lookup: NotRequired[LookupSpec]


class Signed(TypedDict, total=False):
    """One of the keys."""

    body: bool
    header: str
    text: str
    timestamp: bool


TimestampSpec = TypedDict("TimestampSpec", {"in": Literal["header", "pairs"], "name": str, "tolerance_seconds": int})


class SignatureSpec(TypedDict):
    header: str
    form: Literal["plain", "list", "pairs"]
    prefix: str
    name: str
    algorithm: Literal["sha1", "sha256", "sha512"]
    encoding: Literal["hex", "base64"]
    key: Literal["text", "base64"]
    signed: Sequence[Signed]
    timestamp: NotRequired[TimestampSpec]


class WebhooksSpec(TypedDict):
    secrets: str
    signature: SignatureSpec
    delivery_id: NotRequired[str]
    topic: NotRequired[str]
    records: str


class ProbeSpec(TypedDict):
    name: str
    request: RequestSpec


class FailureSpec(TypedDict):
    when: str
    code: NotRequired[str]
    words: NotRequired[str]


class Definition(TypedDict):
    base_url: str
    headers: Mapping[str, Value]
    check: Sequence[ProbeSpec]
    streams: Mapping[str, StreamSpec]
    effects: Mapping[str, EffectSpec]
    auth: NotRequired[AuthSpec]
    failure: NotRequired[FailureSpec]
    webhooks: NotRequired[WebhooksSpec]
