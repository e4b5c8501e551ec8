"""The message itself (RFC 5322): who writes to whom, what, and an id by which a repeat is known."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import email.policy
import email.utils
import hashlib
from collections.abc import Mapping
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Any

POLICY = email.policy.SMTP.clone(cte_type="7bit")


def message_id(key: str, domain: str) -> str:
    """The same key gives the same id; the key itself, which names an order, is not told to the world."""
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:40]}@{domain}>"


def address(text: str) -> Address:
    """`Name <somebody@example.com>` or `somebody@example.com`. Raises ValueError for what is none."""
    name, spec = email.utils.parseaddr(text)
    return _address(name, spec)


def build(
    payload: Mapping[str, Any], *, key: str, sender: Address, reply_to: Address | None, now: dt.datetime
) -> EmailMessage:
    """The message of a frozen payload. Raises ValueError where it cannot be one: a recipient that is no address, an
    attachment that is no base64."""
    to = payload["to"]
    message = EmailMessage(policy=POLICY)
    message["From"] = sender
    message["To"] = _address(str(to.get("name") or ""), str(to.get("email") or ""))
    if reply_to is not None:
        message["Reply-To"] = reply_to
    message["Subject"] = " ".join(str(payload["subject"]).split())
    message["Date"] = email.utils.format_datetime(now)
    message["Message-ID"] = message_id(key, sender.domain)
    # Vacation notes and other machines do not answer what says this (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    if payload.get("locale"):
        message["Content-Language"] = _word(str(payload["locale"]))
    message.set_content(str(payload["text"]))
    if payload.get("html"):
        message.add_alternative(str(payload["html"]), subtype="html")
    for attached in payload.get("attachments") or ():
        _attach(message, attached)
    digest = hashlib.sha256(key.encode()).hexdigest()[:24]
    for number, part in enumerate(part for part in message.walk() if part.is_multipart()):
        part.set_boundary(f"=_{digest}_{number}")
    return message


def _address(name: str, spec: str) -> Address:
    local, at, domain = spec.rpartition("@")
    if not at or not local or not domain or not spec.isascii() or any(one.isspace() for one in spec):
        raise ValueError("the recipient or sender is no address for mail")
    try:
        return Address(" ".join(name.split()), addr_spec=spec)
    except Exception as error:  # the parser raises errors of several families for what is no address
        raise ValueError("the recipient or sender is no address for mail") from error


def _attach(message: EmailMessage, attached: Mapping[str, Any]) -> None:
    kind, _, subtype = str(attached["content_type"]).partition("/")
    try:
        content = base64.b64decode(str(attached["content"]), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("an attachment is no base64") from error
    message.add_attachment(
        content, maintype=_word(kind), subtype=_word(subtype) or "octet-stream", filename=_word(str(attached["name"]))
    )


def _word(text: str) -> str:
    return "".join(one for one in text if one.isalnum() or one in "._-+")
