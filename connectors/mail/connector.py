"""Notifications as mail over SMTP.

A reply of the server decides: 2yz taken, 4yz tried again, 5yz refused in the server's words. A connection that breaks
once the message has begun to leave proves nothing; a person decides, or `repeat_unknown` has it sent again under the
same Message-ID, by which a mailbox knows the repeat.
"""

from __future__ import annotations

import json
from typing import Any

from connectors.mail.message import address, build
from hub.sdk.capabilities import Capability
from hub.sdk.connector import Context
from hub.sdk.errors import CallFailed, ConfigurationError, LoginRefused, MailRefused, Resolution, TransportError
from hub.sdk.ports import MailPort
from hub.sdk.records import CheckReport, Effect, Found, NotFound, Probe, Reply, Unsure

_LOGIN = frozenset({530, 534, 535, 538})
_MAX_BYTES = 10_000_000


class Mail:
    """One mail server. No I/O in the constructor."""

    def __init__(self, context: Context) -> None:
        config = context.config
        self._context = context
        self._max_bytes = int(config.get("max_bytes", _MAX_BYTES))
        self._repeats = bool(context.effect_options.get("notify", {}).get("repeat_unknown", False))
        try:
            self._sender = address(str(config["sender"]))
            self._senders = {brand: address(str(text)) for brand, text in (config.get("senders") or {}).items()}
            self._reply_to = address(str(config["reply_to"])) if config.get("reply_to") else None
        except ValueError as error:
            raise ConfigurationError(f"sender, senders and reply_to must be addresses for mail: {error}") from error
        self._server: MailPort = context.mail(
            host=str(config["host"]),
            port=int(str(config.get("port", 587))),
            security=str(config.get("security", "starttls")),
            username=str(config.get("username", "")),
            password=str(config.get("password", "")),
            ca=str(config.get("ca", "")),
            greets_as=self._sender.domain,
        )

    def check(self) -> CheckReport:
        """Reaches the server, encrypts, logs in, and sends nothing."""
        try:
            answer = self._server.greet()
        except (TransportError, CallFailed) as error:
            return CheckReport([Probe("reach the mail server", ok=False, detail=str(error))])
        return CheckReport([Probe("reach the mail server", ok=True, detail=f"it answers {answer.code}")])

    def notify(self, effect: Effect) -> Reply:
        """Send one message to one person. Raises CallFailed: rejected, retry, auth_failed; TransportError."""
        payload: Any = effect.payload
        if not isinstance(payload, dict):
            raise CallFailed(Resolution.REJECTED, "the payload is no object")
        sender = self._senders.get(str(payload.get("brand", "")), self._sender)
        try:
            message = build(
                payload, key=effect.key, sender=sender, reply_to=self._reply_to, now=self._context.clock.now()
            )
            content = message.as_bytes()
        except (ValueError, KeyError, TypeError) as error:
            raise CallFailed(Resolution.REJECTED, f"no message could be made: {error}", code="no_message") from error
        if len(content) > self._max_bytes:
            words = f"the message has {len(content)} bytes, more than {self._max_bytes}"
            raise CallFailed(Resolution.REJECTED, words, code="too_large")
        recipient = str(payload["to"]["email"])
        try:
            answer = self._server.send(sender.addr_spec, recipient, content, deadline=effect.deadline)
        except MailRefused as error:
            raise _refusal(error) from error
        except LoginRefused as error:
            raise CallFailed(Resolution.AUTH_FAILED, str(error)) from error
        except TransportError as error:
            if self._repeats and not error.before_first_byte:
                raise CallFailed(Resolution.RETRY, str(error)) from error
            raise
        identifier = str(message["Message-ID"])
        told = {"code": answer.code, "words": answer.words, "message_id": identifier}
        return Reply(json.dumps(told).encode(), "application/json", answer.code, external_id=identifier)

    def lookup(self, capability: Capability, effect: Effect) -> Found | NotFound | Unsure:
        del effect
        return Unsure(f"a mail server cannot be asked whether it took a message ({capability})")


def _refusal(error: MailRefused) -> CallFailed:
    words = f"{error.code} {error.words}"
    if error.code in _LOGIN:
        resolution = Resolution.AUTH_FAILED
    else:
        resolution = Resolution.RETRY if error.code < 500 else Resolution.REJECTED
    return CallFailed(resolution, words, status=error.code, code=str(error.code))
