"""A mail server that keeps what it is sent: real SMTP on a socket of its own, HTTP for its controls only.

Configuration: `smtp_port` (0 = a free one), `username` and `password` (without them nobody has to log in), `security`
(none, starttls, tls) with `certificate`, a PEM file of certificate and key; `max_bytes` (announced as SIZE).

Its status tells `smtp_host` and `smtp_port`. Controls: `mails` lists what it took; `address`; `fault` {stage, kind,
times?} plans what happens to the next messages.

Recipients whose name begins with `nobody` are refused (550), with `later` put off (450), with `full` refused (552).
Stages are connect, mail, rcpt, data; kinds `refuse` (550), `later` (451), `closing` (421 and the line is cut), `cut`
(nothing done, the line is cut) and, at `data`, `lost` (taken, and the line is cut before the answer).
Of the common faults error_before is 451 instead of taking it, throttle 421, drop_after and error_after are taken and
cut, late_commit is cut and taken later, delay waits.

Ledger: mail (key the Message-ID, subject the recipient), repeated (the same Message-ID again: a mailbox shows it once),
refused (key the recipient).
"""

from __future__ import annotations

import datetime as dt
import email
import email.policy
import json
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from connectors.mail.server import SmtpSink, Verdict
from hub.sdk.emulator import EmulatedRequest, EmulatedResponse, Emulator

_MAX_BYTES = "20000000"
_REPLIES: Mapping[str, Verdict] = {
    "refuse": Verdict("550 5.1.1 no such person here"),
    "later": Verdict("451 4.3.0 try again later"),
    "closing": Verdict("421 4.3.2 going down", cut=True),
    "cut": Verdict("", cut=True),
}
_BY_NAME = (
    ("nobody", "550 5.1.1 no such person here"),
    ("later", "450 4.2.1 the mailbox is busy"),
    ("full", "552 5.2.2 the mailbox is full"),
)


class MailEmulator(Emulator):
    """Served by hub.sdk.emulator_server; the SMTP side runs from `open` to `close`."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._lock = threading.RLock()
        self._planned: dict[str, deque[str]] = {}
        self._late: list[tuple[dt.datetime, bytes, str, str]] = []
        self._server: SmtpSink | None = None

    def open(self) -> None:
        self._server = SmtpSink(
            port=int(self.config.get("smtp_port", "0")),
            username=self.config.get("username", ""),
            password=self.config.get("password", ""),
            security=self.config.get("security", "none"),
            certificate=self.config.get("certificate", ""),
            max_bytes=int(self.config.get("max_bytes", _MAX_BYTES)),
            judge=self._judge,
            take=self._take,
        )
        self._server.start()

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def details(self) -> Mapping[str, object]:
        if self._server is None:
            return {}
        return {"smtp_host": "127.0.0.1", "smtp_port": self._server.port}

    def handle(self, request: EmulatedRequest) -> EmulatedResponse:
        controls: dict[str, Callable[[Mapping[str, Any]], object]] = {
            "address": lambda _: dict(self.details()),
            "mails": lambda _: {"mails": [json.loads(data) for *_, data in self.ledger.entries("mail")]},
            "fault": self._plan,
        }
        verb = request.path.removeprefix("/_control/")
        control = controls.get(verb)
        if request.method != "POST" or control is None or verb == request.path:
            return _answer(404, {"error": f"there are {', '.join(sorted(controls))}"})
        try:
            asked = json.loads(request.body) if request.body else {}
            with self._lock:
                self._run_late(self.clock.now())
                return _answer(200, control(asked))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return _answer(400, {"error": f"{type(error).__name__}: {error}"})

    def next_due(self) -> dt.datetime | None:
        times = [at for at, *_ in self._late]
        upcoming = super().next_due()
        return min([*times, *([] if upcoming is None else [upcoming])], default=None)

    def _plan(self, asked: Mapping[str, Any]) -> object:
        stage, kind = str(asked["stage"]), str(asked["kind"])
        if kind not in (*_REPLIES, "lost"):
            raise ValueError(f"there are {', '.join((*_REPLIES, 'lost'))}")
        planned = self._planned.setdefault(stage, deque())
        planned.extend([kind] * int(asked.get("times", 1)))
        return {"planned": len(planned)}

    def _judge(self, stage: str, recipient: str) -> Verdict | None:
        """What to say at a stage, None for yes."""
        with self._lock:
            self._run_late(self.clock.now())
            planned = self._planned.get(stage)
            if planned and planned[0] != "lost":
                kind = planned.popleft()
                self.ledger.count_fault(kind)
                return _REPLIES[kind]
            if stage == "rcpt":
                for name, reply in _BY_NAME:
                    if recipient.startswith(name):
                        self.ledger.add(self.clock.now(), "refused", recipient, reply[:3], "{}")
                        return Verdict(reply)
            return None

    def _take(self, sender: str, recipient: str, content: bytes) -> Verdict:
        """A whole message has come."""
        with self._lock:
            planned = self._planned.get("data")
            if planned and planned[0] == "lost":
                planned.popleft()
                self.ledger.count_fault("lost")
                self._keep(sender, recipient, content)
                return Verdict("", cut=True)
            fault = self.fault()
            if fault == "error_before":
                return _REPLIES["later"]
            if fault == "throttle":
                return _REPLIES["closing"]
            if fault == "late_commit":
                at = self.clock.now() + dt.timedelta(seconds=self.faults.late_commit_seconds)
                self._late.append((at, content, sender, recipient))
                return Verdict("", cut=True)
            number = self._keep(sender, recipient, content)
            wait = self.random.random() * self.faults.delay_seconds if fault == "delay" else 0.0
            return Verdict(f"250 2.0.0 taken as {number}", cut=fault in ("drop_after", "error_after"), wait=wait)

    def _run_late(self, now: dt.datetime) -> None:
        ready = [one for one in self._late if one[0] <= now]
        self._late = [one for one in self._late if one[0] > now]
        for _, content, sender, recipient in ready:
            self._keep(sender, recipient, content)

    def _keep(self, sender: str, recipient: str, content: bytes) -> int:
        message = email.message_from_bytes(content, policy=email.policy.SMTP)
        key = str(message["Message-ID"] or "").strip()
        text, page = message.get_body(("plain",)), message.get_body(("html",))
        data = {
            "id": key,
            "from": sender,
            "to": recipient,
            "sender": str(message["From"]),
            "subject": str(message["Subject"]),
            "text": text.get_content() if text is not None else "",
            "html": page.get_content() if page is not None else "",
            "attachments": [part.get_filename() for part in message.iter_attachments()],
            "bytes": len(content),
        }
        known = key and self.ledger.recall(f"mail:{key}") is not None
        self.ledger.add(self.clock.now(), "repeated" if known else "mail", key, recipient, json.dumps(data))
        self.ledger.remember(f"mail:{key}", "1")
        return len(self.ledger.entries("mail"))


def _answer(status: int, tree: object) -> EmulatedResponse:
    return EmulatedResponse(status, json.dumps(tree).encode(), {"content-type": "application/json"})
