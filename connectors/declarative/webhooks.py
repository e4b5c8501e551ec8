"""Webhooks as described: an HMAC over raw bytes in one of the forms that vendors write it in."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence

from connectors.declarative.definition import SignatureSpec, WebhooksSpec
from connectors.declarative.reading import SELECTOR
from connectors.declarative.request import JSON
from hub.sdk.connector import Context
from hub.sdk.errors import ConfigurationError, SignatureError
from hub.sdk.manifest import Manifest
from hub.sdk.records import RawRequest, Receipt
from hub.sdk.signatures import Secret, check_age, read_secrets, read_unix_time, verify_any

MAX_HEADER = 2_000
MAX_SIGNATURES = 10
_SEPARATORS = re.compile(r"[\s,]+")
_BASE64_PREFIX = b"whsec_"
"""How Standard Webhooks marks a secret that is base64 of the key (standardwebhooks.com)."""


class Webhooks:
    """`verify` and `receipt` of one connection."""

    def __init__(self, spec: WebhooksSpec, manifest: Manifest, context: Context) -> None:
        self._spec = spec
        self._connection = context.connection
        self._streams = {topic: stream.name for stream in manifest.streams.values() for topic in stream.topics}
        values = context.expression(spec["secrets"])({"config": dict(context.config)})
        secrets = read_secrets(values) if isinstance(values, list) and values else ()
        self._secrets = _keys(secrets) if spec["signature"]["key"] == "base64" else secrets

    def verify(self, request: RawRequest) -> None:
        """Raises SignatureError and nothing else."""
        if not self._secrets:
            raise SignatureError("the connection has no webhook secret")
        spec = self._spec["signature"]
        header = request.headers.get(spec["header"].lower(), "")
        if len(header) > MAX_HEADER:
            raise SignatureError("the signature is malformed")
        pairs = list(_pairs(header)) if spec["form"] == "pairs" else []
        stamp = _stamp(spec, request.headers, pairs)
        if stamp:
            tolerance = float(spec["timestamp"]["tolerance_seconds"])
            check_age(read_unix_time(stamp), request.received_at, past_seconds=tolerance, future_seconds=tolerance)
        parts = [_part(part, request, stamp) for part in spec["signed"]]
        given = _given(spec, header, pairs)
        verify_any(
            given,
            parts,
            self._secrets,
            now=request.received_at,
            algorithm=spec["algorithm"],
            encoding=spec["encoding"],
        )

    def receipt(self, request: RawRequest, topic: str | None) -> Receipt:
        """The address's topic counts, else the header's; a topic that no stream of the manifest has, the stream ""."""
        header = self._spec.get("topic")
        name = topic or (request.headers.get(header.lower(), "") if header else "")
        identity = self._spec.get("delivery_id")
        return Receipt(
            connection=self._connection,
            stream=self._streams.get(name, ""),
            delivery_id=request.headers.get(identity.lower()) if identity else None,
            headers={**request.headers, SELECTOR: "webhook"},
            body=request.body,
            content_type=request.headers.get("content-type", JSON),
            received_at=request.received_at,
            topic=name or None,
        )


def _stamp(spec: SignatureSpec, headers: Mapping[str, str], pairs: Sequence[tuple[str, str]]) -> str:
    """The time as it was written; "" where none is described. One that is described must be there."""
    described = spec.get("timestamp")
    if described is None:
        return ""
    name = described["name"]
    if described["in"] == "pairs":
        found = next((value for given, value in pairs if given == name), "")
    else:
        found = headers.get(name.lower(), "")
    if not found:
        raise SignatureError("the signature's time is missing")
    return found


def _part(part: Mapping[str, object], request: RawRequest, stamp: str) -> bytes:
    if "body" in part:
        return request.body
    if "timestamp" in part:
        return stamp.encode("latin-1", "replace")
    if "header" in part:
        return request.headers.get(str(part["header"]).lower(), "").encode("latin-1", "replace")
    return str(part["text"]).encode()


def _given(spec: SignatureSpec, header: str, pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Signatures in the header, at least one, malformed if need be. Bounded: each costs a computation."""
    prefix = spec["prefix"]
    match spec["form"]:
        case "pairs":
            found = [value for name, value in pairs if name == spec["name"]]
        case "list":
            # A comma may belong to the prefix ("v1,<base64>"), so spaces part first.
            words = [word for word in header.split() if word.startswith(prefix)] if "," in prefix else None
            found = [w.removeprefix(prefix) for w in (words or _SEPARATORS.split(header)) if w.startswith(prefix)]
        case _:
            found = [header.removeprefix(prefix)] if header.startswith(prefix) else []
    return found[:MAX_SIGNATURES] or [""]


def _pairs(header: str) -> Iterator[tuple[str, str]]:
    for item in header.split(","):
        name, equals, value = item.strip().partition("=")
        if equals:
            yield name.strip(), value.strip()


def _keys(secrets: Sequence[Secret]) -> tuple[Secret, ...]:
    try:
        return tuple(
            dataclasses.replace(one, key=base64.b64decode(one.key.removeprefix(_BASE64_PREFIX), validate=True))
            for one in secrets
        )
    except (ValueError, binascii.Error):
        raise ConfigurationError("a webhook secret is no base64, which connector.yaml says it is") from None
