"""Mail over SMTP (RFC 5321): a session a message, every wait bounded, and a word for where a message was lost.

What the server answered no to was not taken. Of a connection that broke nothing is known once the message's data have
begun to leave; before, nothing can have been taken.
"""

from __future__ import annotations

import datetime as dt
import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from hub.sdk.errors import LoginRefused, MailRefused, TransportError
from hub.sdk.ports import Clock, MailAnswer

CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
SHORTEST_SECONDS = 0.1
_TAKES_DATA = 354
MAX_WORDS = 500


@dataclass(frozen=True, slots=True)
class MailAccess:
    """Where and as whom. `security`: tls from the first byte, starttls, or none (a relay on the same machine or net).
    `ca` is a file of certificates to trust instead of the system's."""

    host: str
    port: int = 587
    security: str = "starttls"
    username: str = ""
    password: str = ""
    ca: str = ""
    greets_as: str = ""


class MailServer:
    """Implements hub.sdk.ports.MailPort."""

    def __init__(self, access: MailAccess, clock: Clock) -> None:
        self._access = access
        self._clock = clock

    def greet(self, *, deadline: dt.datetime | None = None) -> MailAnswer:
        with self._session(deadline) as session:
            return _answer(*_before_data(session.noop))

    def send(self, sender: str, recipient: str, message: bytes, *, deadline: dt.datetime | None = None) -> MailAnswer:
        with self._session(deadline) as session:
            # A server that announces SIZE refuses a message that is too large before it is sent.
            size = (f"size={len(message)}",) if session.has_extn("size") else ()
            _taken(*_before_data(lambda: session.mail(sender, size)))
            _taken(*_before_data(lambda: session.rcpt(recipient)))
            code, words = _before_data(lambda: session.docmd("DATA"))
            if code != _TAKES_DATA:
                raise MailRefused(code, _text(words))
            code, words = _with_data(session, message)
            _taken(code, words)
            return _answer(code, words)

    @contextmanager
    def _session(self, deadline: dt.datetime | None) -> Iterator[smtplib.SMTP]:
        seconds = READ_SECONDS
        if deadline is not None:
            seconds = min(seconds, (deadline - self._clock.now()).total_seconds())
        if seconds < SHORTEST_SECONDS:
            raise TransportError("there is no time left to reach the mail server", before_first_byte=True)
        session = self._open(min(CONNECT_SECONDS, seconds))
        try:
            assert session.sock is not None
            session.sock.settimeout(seconds)
            self._enter(session)
            yield session
        finally:
            with suppress(smtplib.SMTPException, OSError):
                session.quit()
            session.close()

    def _open(self, seconds: float) -> smtplib.SMTP:
        access, name = self._access, self._access.greets_as or None
        try:
            if access.security == "tls":
                return smtplib.SMTP_SSL(
                    access.host, access.port, local_hostname=name, timeout=seconds, context=self._trust()
                )
            return smtplib.SMTP(access.host, access.port, local_hostname=name, timeout=seconds)
        except smtplib.SMTPConnectError as error:
            raise MailRefused(error.smtp_code, _text(error.smtp_error)) from error
        except (OSError, smtplib.SMTPException) as error:
            raise _unreached(access, error) from error

    def _enter(self, session: smtplib.SMTP) -> None:
        access = self._access
        try:
            session.ehlo_or_helo_if_needed()
            if access.security == "starttls":
                session.starttls(context=self._trust())
                session.ehlo()
            if access.username:
                session.login(access.username, access.password)
        except smtplib.SMTPAuthenticationError as error:
            if error.smtp_code >= 500:
                raise LoginRefused(f"{access.host} did not let us in: {error.smtp_code}") from error
            raise MailRefused(error.smtp_code, _text(error.smtp_error)) from error
        except smtplib.SMTPNotSupportedError as error:
            raise LoginRefused(f"{access.host} offers no {'login' if access.username else 'encryption'}") from error
        except smtplib.SMTPResponseException as error:
            raise MailRefused(error.smtp_code, _text(error.smtp_error)) from error
        except (OSError, smtplib.SMTPException) as error:
            raise _unreached(access, error) from error

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._access.ca or None)


def _unreached(access: MailAccess, error: Exception) -> TransportError:
    why = "its certificate is not trusted" if isinstance(error, ssl.SSLCertVerificationError) else type(error).__name__
    return TransportError(f"{access.host}:{access.port} could not be reached: {why}", before_first_byte=True)


def _before_data(step: Callable[[], tuple[int, bytes]]) -> tuple[int, bytes]:
    try:
        code, words = step()
    except (OSError, smtplib.SMTPException) as error:
        message = f"the mail server went away before the message was sent: {type(error).__name__}"
        raise TransportError(message, before_first_byte=True) from error
    return int(code), bytes(words)


def _with_data(session: smtplib.SMTP, message: bytes) -> tuple[int, bytes]:
    """The data itself, with dots doubled at the beginning of lines; from here on the server may take it."""
    quoted = message.replace(b"\r\n.", b"\r\n..")
    quoted = b"." + quoted if quoted.startswith(b".") else quoted
    ending = b".\r\n" if quoted.endswith(b"\r\n") else b"\r\n.\r\n"
    try:
        session.send(quoted + ending)
        code, words = session.getreply()
    except (OSError, smtplib.SMTPException) as error:
        raise TransportError(
            f"the mail server went away while it took the message: {type(error).__name__}", before_first_byte=False
        ) from error
    if code < 0:
        raise TransportError("the mail server gave no answer to the message", before_first_byte=False)
    return int(code), bytes(words)


def _taken(code: int, words: bytes) -> None:
    if not 200 <= code < 300:
        if code < 0:
            raise TransportError("the mail server gave no answer", before_first_byte=True)
        raise MailRefused(code, _text(words))


def _answer(code: int, words: bytes) -> MailAnswer:
    return MailAnswer(code, _text(words))


def _text(words: bytes | str) -> str:
    text = words if isinstance(words, str) else words.decode("utf-8", "replace")
    return text[:MAX_WORDS]
