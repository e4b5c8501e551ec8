"""Tells people of old exceptions: by mail over SMTP, or by a POST to an address of theirs."""

from __future__ import annotations

import email.message
import json
import smtplib
import ssl
from collections.abc import Sequence
from typing import Any

import requests

from hub.config.model import Alerts, Mail
from hub.config.secrets import Secrets

TIMEOUT_SECONDS = 20.0


class AlertError(Exception):
    """Nobody could be told; it is tried again."""


class AlertSender:
    """`mailto:` addresses get one mail, `https:` (or loopback `http:`) addresses a JSON document."""

    def __init__(self, alerts: Alerts, secrets: Secrets, *, name: str) -> None:
        self._alerts = alerts
        self._secrets = secrets
        self._name = name

    def send(self, subject: str, text: str, exceptions: Sequence[dict[str, Any]]) -> None:
        """Raises AlertError where one of the addresses could not be reached."""
        people = [to.removeprefix("mailto:") for to in self._alerts.to if to.startswith("mailto:")]
        if people:
            self._mail(people, subject, text)
        for to in self._alerts.to:
            if not to.startswith("mailto:"):
                self._post(self._secrets.resolve(to), subject, exceptions)

    def _mail(self, people: Sequence[str], subject: str, text: str) -> None:
        mail = self._alerts.mail
        if mail is None:
            raise AlertError("alerts name mail addresses, but hub.yaml says no alerts.mail server")
        message = email.message.EmailMessage()
        message["From"], message["To"] = mail.sender, ", ".join(people)
        message["Subject"] = f"[{self._name}] {subject}"
        message.set_content(text)
        try:
            with _server(mail) as server:
                if mail.username:
                    server.login(mail.username, self._secrets.resolve(mail.password or ""))
                server.send_message(message)
        except (OSError, smtplib.SMTPException) as error:
            raise AlertError(f"{mail.host} did not take the mail: {type(error).__name__}") from error

    def _post(self, url: str, subject: str, exceptions: Sequence[dict[str, Any]]) -> None:
        rows = [
            {key: str(row[key]) for key in ("id", "kind", "title", "detail", "next_step", "owner", "raised_at")}
            for row in exceptions
        ]
        body = json.dumps({"subject": subject, "exceptions": rows}).encode()
        try:
            answer = requests.post(
                url,
                data=body,
                headers={"content-type": "application/json"},
                timeout=(5.0, TIMEOUT_SECONDS),
                allow_redirects=False,
                stream=True,
            )
            answer.close()
        except requests.RequestException as error:
            raise AlertError(f"the alert address did not answer: {type(error).__name__}") from error
        if not answer.ok:
            raise AlertError(f"the alert address answered {answer.status_code}")


def _server(mail: Mail) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if mail.security == "tls":
        return smtplib.SMTP_SSL(mail.host, mail.port, timeout=TIMEOUT_SECONDS, context=context)
    server = smtplib.SMTP(mail.host, mail.port, timeout=TIMEOUT_SECONDS)
    if mail.security == "starttls":
        server.starttls(context=context)
    return server
