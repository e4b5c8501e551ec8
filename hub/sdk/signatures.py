"""Signatures of webhooks: HMAC over raw bytes, several secrets at a time, constant time, one kind of error.

The pieces are pure; a connector's `verify` puts them together as its vendor does. Whatever is malformed is a
SignatureError: a sender's bytes never raise anything else. No error says which part was wrong in a way that helps to
forge the next try, and none carries the expected value.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from hub.sdk.errors import ConfigurationError, SignatureError
from hub.sdk.records import RawRequest

Encoding = Literal["base64", "hex"]
MAX_SIGNATURE_CHARACTERS = 512
MAX_SIGNATURE_HEADER = 1_000
"""Characters of a header that holds several; what stands beyond is not read."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A key that may have signed a request, until `not_after` where one is set (rotation)."""

    key: bytes
    not_after: dt.datetime | None = None

    def is_valid(self, at: dt.datetime) -> bool:
        return self.not_after is None or at <= self.not_after


def read_secrets(values: Sequence[object]) -> tuple[Secret, ...]:
    """Secrets of a connection's configuration: texts, or `{secret, not_after}` with an RFC 3339 instant.

    Raises ConfigurationError for an empty list, an empty secret or a time without offset.
    """
    secrets = tuple(_secret(value) for value in values)
    if not secrets:
        raise ConfigurationError("at least one webhook secret is needed")
    return secrets


def sign(
    key: bytes, parts: bytes | Iterable[bytes], *, algorithm: str = "sha256", encoding: Encoding = "base64"
) -> str:
    """The signature of `parts` joined, as it stands in a header."""
    digest = _digest(key, parts, algorithm)
    return base64.b64encode(digest).decode("ascii") if encoding == "base64" else digest.hex()


def verify(
    signature: str | None,
    parts: bytes | Iterable[bytes],
    secrets: Iterable[Secret],
    *,
    now: dt.datetime,
    algorithm: str = "sha256",
    encoding: Encoding = "base64",
) -> None:
    """Raises SignatureError unless one of the secrets that are valid `now` made `signature` over `parts` joined.

    Every valid secret is tried whatever the first ones say, so time tells nothing about which one it was.
    """
    given = decode(signature, encoding)
    signed = parts if isinstance(parts, bytes) else b"".join(parts)
    matched = False
    for secret in secrets:
        if secret.is_valid(now):
            matched |= hmac.compare_digest(_digest(secret.key, signed, algorithm), given)
    if not matched:
        raise SignatureError("the signature does not match the request")


def verify_any(
    signatures: Sequence[str],
    parts: bytes | Sequence[bytes],
    secrets: Sequence[Secret],
    *,
    now: dt.datetime,
    algorithm: str = "sha256",
    encoding: Encoding = "base64",
) -> None:
    """As `verify`, where a header holds several signatures (a secret is being changed): one that matches is enough.
    Raises SignatureError for none, and for no signature at all."""
    refused = SignatureError("the request is not signed")
    for signature in signatures:
        try:
            verify(signature, parts, secrets, now=now, algorithm=algorithm, encoding=encoding)
        except SignatureError as error:
            refused = error
        else:
            return
    raise refused


def verify_standard_webhook(request: RawRequest, secrets: Sequence[Secret], *, tolerance_seconds: float) -> None:
    """As Standard Webhooks 1.0: `webhook-signature` holds one or more `v1,<base64>` of HMAC-SHA256 over id, time and
    body, joined by points. Raises SignatureError."""
    stamp, delivery = request.headers.get("webhook-timestamp", ""), request.headers.get("webhook-id", "")
    signed_at = read_unix_time(stamp)
    check_age(signed_at, request.received_at, past_seconds=tolerance_seconds, future_seconds=tolerance_seconds)
    header = request.headers.get("webhook-signature", "")[:MAX_SIGNATURE_HEADER]
    given = [one.removeprefix("v1,") for one in header.split() if one.startswith("v1,")]
    parts = (delivery.encode("latin-1", "replace"), b".", stamp.encode("ascii"), b".", request.body)
    verify_any(given, parts, secrets, now=request.received_at)


def decode(signature: str | None, encoding: Encoding) -> bytes:
    """The bytes of a signature header. Raises SignatureError for an absent, too long or malformed one."""
    if not signature:
        raise SignatureError("the request is not signed")
    if len(signature) > MAX_SIGNATURE_CHARACTERS:
        raise SignatureError("the signature is malformed")
    try:
        text = signature.strip().encode("ascii")
        given = base64.b64decode(text, validate=True) if encoding == "base64" else binascii.unhexlify(text)
    except (ValueError, binascii.Error):
        raise SignatureError("the signature is malformed") from None
    # The last base64 character has unused bits: other spellings of the same bytes are refused.
    if encoding == "base64" and base64.b64encode(given) != text:
        raise SignatureError("the signature is malformed")
    return given


def check_age(signed_at: dt.datetime, now: dt.datetime, *, past_seconds: float, future_seconds: float) -> None:
    """Raises SignatureError for a time outside the tolerance, which is two-sided: a clock ahead is no replay shield."""
    age = (now - signed_at).total_seconds()
    if age > past_seconds or -age > future_seconds:
        raise SignatureError("the request was signed too long ago or in the future")


def read_unix_time(value: str | None) -> dt.datetime:
    """A header's whole seconds since 1970. Raises SignatureError for anything else."""
    if not value or len(value) > 12 or not (value.isascii() and value.isdigit()):
        raise SignatureError("the signature's time is malformed")
    return dt.datetime.fromtimestamp(int(value), dt.UTC) if int(value) < 253_402_300_800 else _refuse_time()


def _refuse_time() -> dt.datetime:
    raise SignatureError("the signature's time is malformed")


def _digest(key: bytes, parts: bytes | Iterable[bytes], algorithm: str) -> bytes:
    if isinstance(parts, bytes):
        return hmac.digest(key, parts, algorithm)
    mac = hmac.new(key, digestmod=getattr(hashlib, algorithm))
    for part in parts:
        mac.update(part)
    return mac.digest()


def _secret(value: object) -> Secret:
    if isinstance(value, str) and value:
        return Secret(value.encode("utf-8"))
    if isinstance(value, Mapping) and isinstance(value.get("secret"), str) and value["secret"]:
        limit = value.get("not_after")
        try:
            not_after = limit if isinstance(limit, dt.datetime) or limit is None else dt.datetime.fromisoformat(limit)
        except (TypeError, ValueError):
            raise ConfigurationError("a webhook secret's not_after is no instant") from None
        if not_after is not None and not_after.tzinfo is None:
            raise ConfigurationError("a webhook secret's not_after needs an offset from UTC")
        return Secret(value["secret"].encode("utf-8"), not_after)
    raise ConfigurationError("a webhook secret is a text, or a mapping with secret and not_after")
