"""A mail server's side of SMTP (RFC 5321) on loopback, for the emulator: EHLO, STARTTLS, AUTH, then messages."""

from __future__ import annotations

import base64
import binascii
import hmac
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass

ACCEPT_SECONDS = 0.05
READ_SECONDS = 30.0
BACKLOG = 50
MAX_LINE = 4096


@dataclass(frozen=True, slots=True)
class Verdict:
    """A reply; `cut` closes the line after it (an empty reply is not sent), `wait` seconds before."""

    reply: str
    cut: bool = False
    wait: float = 0.0


Judge = Callable[[str, str], Verdict | None]
"""(stage, recipient) -> None for yes. Stages: connect, mail, rcpt, data."""
Take = Callable[[str, str, bytes], Verdict]
"""(sender, recipient, message) -> the reply to a message that has come."""


class _Cut(Exception):
    """The line ends here."""


class SmtpSink:
    """Takes messages on 127.0.0.1. `port` 0 takes a free one."""

    def __init__(
        self,
        *,
        port: int,
        username: str,
        password: str,
        security: str,
        certificate: str,
        max_bytes: int,
        judge: Judge,
        take: Take,
    ) -> None:
        self.username, self.password, self.security = username, password, security
        self.max_bytes, self.judge, self.take = max_bytes, judge, take
        self.trust: ssl.SSLContext | None = None
        if certificate:
            self.trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.trust.load_cert_chain(certificate)
        self.closed = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=BACKLOG)
        self._listener.settimeout(ACCEPT_SECONDS)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, name="smtp-accept", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self.closed.set()
        self._thread.join(timeout=5)
        self._listener.close()

    def _accept(self) -> None:
        while not self.closed.is_set():
            try:
                line, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            threading.Thread(target=self._serve, args=(line,), name="smtp-session", daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        line.settimeout(READ_SECONDS)
        session = _Session(self, line)
        try:
            if self.security == "tls":
                session.encrypt()
            session.run()
        except (_Cut, OSError):
            pass  # the client went away, or a fault sent it away
        finally:
            session.close()


class _Session:
    def __init__(self, server: SmtpSink, line: socket.socket) -> None:
        self._server = server
        self._line = line
        self._rest = b""
        self._inside = False
        self._sender: str | None = None
        self._recipient: str | None = None

    def close(self) -> None:
        self._line.close()

    def encrypt(self) -> None:
        if self._server.trust is not None:
            self._line = self._server.trust.wrap_socket(self._line, server_side=True)
            self._rest = b""

    def run(self) -> None:
        if self._refused("connect", ""):
            return
        self._say("220 mail.example ESMTP")
        while True:
            words = self._read_line()
            verb = words.split(" ")[0].upper()
            if verb == "QUIT":
                self._say("221 2.0.0 bye")
                return
            step: Callable[[str], None] | None = {
                "EHLO": self._greet,
                "HELO": self._greet,
                "STARTTLS": self._encrypt,
                "AUTH": self._login,
                "MAIL": self._mail,
                "RCPT": self._rcpt,
                "DATA": self._data,
                "RSET": self._forget,
                "NOOP": self._nothing,
            }.get(verb)
            if step is None:
                self._say("502 5.5.1 not known here")
            else:
                step(words)

    def _greet(self, words: str) -> None:
        offers = ["mail.example", f"SIZE {self._server.max_bytes}", "8BITMIME", "ENHANCEDSTATUSCODES"]
        encrypted = isinstance(self._line, ssl.SSLSocket)
        if self._server.security == "starttls" and not encrypted:
            offers.append("STARTTLS")
        if self._server.username and (self._server.security == "none" or encrypted):
            offers.append("AUTH PLAIN")
        if words.upper().startswith("HELO"):
            offers = offers[:1]
        for number, offer in enumerate(offers):
            self._say(f"250{' ' if number == len(offers) - 1 else '-'}{offer}")

    def _encrypt(self, _: str) -> None:
        if self._server.trust is None:
            return self._say("454 4.7.0 no certificate here")
        self._say("220 2.0.0 go on")
        self.encrypt()
        return None

    def _login(self, words: str) -> None:
        parts = words.split(" ")
        if len(parts) < 3 or parts[1].upper() != "PLAIN":
            return self._say("504 5.5.4 PLAIN only")
        try:
            _, user, password = base64.b64decode(parts[2], validate=True).split(b"\0")
        except (binascii.Error, ValueError):
            return self._say("501 5.5.2 cannot be read")
        good = user.decode("utf-8", "replace") == self._server.username
        good = good and hmac.compare_digest(password, self._server.password.encode())
        self._inside = good
        return self._say("235 2.7.0 welcome" if good else "535 5.7.8 wrong name or password")

    def _mail(self, words: str) -> None:
        if self._server.username and not self._inside:
            return self._say("530 5.7.0 log in first")
        if self._refused("mail", ""):
            return None
        size = words.upper().rpartition("SIZE=")[2] if "SIZE=" in words.upper() else ""
        if size.strip().isdigit() and int(size) > self._server.max_bytes:
            return self._say("552 5.3.4 too large")
        self._sender = _between(words)
        return self._say("250 2.1.0 ok")

    def _rcpt(self, words: str) -> None:
        recipient = _between(words)
        if self._sender is None:
            return self._say("503 5.5.1 who writes?")
        if self._refused("rcpt", recipient):
            return None
        self._recipient = recipient
        return self._say("250 2.1.5 ok")

    def _data(self, _: str) -> None:
        if self._sender is None or self._recipient is None:
            return self._say("503 5.5.1 to whom?")
        if self._refused("data", self._recipient):
            return None
        self._say("354 go on")
        content = self._read_message()
        verdict = self._server.take(self._sender, self._recipient, content)
        self._sender = self._recipient = None
        if verdict.wait:
            self._server.closed.wait(verdict.wait)
        if verdict.cut:
            raise _Cut
        return self._say(verdict.reply)

    def _nothing(self, _: str) -> None:
        self._say("250 2.0.0 ok")

    def _forget(self, _: str) -> None:
        self._sender = self._recipient = None
        self._say("250 2.0.0 ok")

    def _refused(self, stage: str, recipient: str) -> bool:
        verdict = self._server.judge(stage, recipient)
        if verdict is None:
            return False
        if verdict.reply:
            self._say(verdict.reply)
        if verdict.cut:
            raise _Cut
        return True

    def _say(self, reply: str) -> None:
        self._line.sendall(reply.encode() + b"\r\n")

    def _read_line(self) -> str:
        while b"\n" not in self._rest:
            self._more(MAX_LINE)
        line, _, self._rest = self._rest.partition(b"\n")
        return line.rstrip(b"\r").decode("utf-8", "replace")

    def _read_message(self) -> bytes:
        """Up to the line with a dot alone; doubled dots at the beginning of lines are one."""
        ending = b"\r\n.\r\n"
        while ending not in self._rest and not self._rest.startswith(b".\r\n"):
            self._more(self._server.max_bytes + MAX_LINE)
        content, _, self._rest = self._rest.partition(ending)
        content = (content + b"\r\n").replace(b"\r\n..", b"\r\n.")
        return content[1:] if content.startswith(b"..") else content

    def _more(self, at_most: int) -> None:
        if len(self._rest) > at_most:
            raise _Cut
        chunk = self._line.recv(65536)
        if not chunk:
            raise _Cut
        self._rest += chunk


def _between(words: str) -> str:
    """What stands in angle brackets."""
    return words.partition("<")[2].partition(">")[0]
