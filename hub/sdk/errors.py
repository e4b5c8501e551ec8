"""One tree of errors, by what the caller should do.

ConnectorError
|- SignatureError        refuse the request with 401
|- CallFailed            a call ended without success; carries the Resolution that the table decides on
|- DataError             the other side's bytes make no sense; keep them, park, tell a person
`- ConfigurationError    fix the connection's configuration

TransportError            a port could not complete a call
|- LoginRefused           renew credentials or pins; pause
|- MailRefused            a mail server said no, for now (4yz) or for good (5yz)
`- FileFailure            a file server said no: FileMissing, FileDenied, FileStands, FileTooLarge
"""

from __future__ import annotations

import enum


class Resolution(enum.StrEnum):
    """The closed set of what a call can have come to; one table in hub.exchange decides what each does."""

    SUCCESS = "success"
    DUPLICATE = "duplicate"
    RETRY = "retry"
    RATE_LIMITED = "rate_limited"
    REJECTED = "rejected"
    AUTH_FAILED = "auth_failed"
    AMBIGUOUS = "ambiguous"
    GONE = "gone"


class ConnectorError(Exception):
    """Base of all errors a connector may raise on purpose."""


class SignatureError(ConnectorError):
    """The request is not from who it says it is, or is too old. Never carries the expected signature."""


class DataError(ConnectorError):
    """Bytes of the other side cannot be read as what they claim to be."""

    def __init__(self, message: str, *, position: str = "") -> None:
        super().__init__(message)
        self.position = position


class ConfigurationError(ConnectorError):
    """The connection cannot work as configured."""


class CallFailed(ConnectorError):
    """A call ended without success.

    `resolution` is never SUCCESS. `words` are the vendor's own, verbatim and bounded, without secrets.
    `retry_after_seconds` comes from the vendor. `raw` is the answer's body where there was one.
    """

    def __init__(
        self,
        resolution: Resolution,
        words: str,
        *,
        status: int | None = None,
        retry_after_seconds: float | None = None,
        raw: bytes = b"",
        content_type: str = "",
        code: str = "",
    ) -> None:
        super().__init__(f"{resolution}: {words}")
        self.resolution = resolution
        self.words = words
        self.status = status
        self.retry_after_seconds = retry_after_seconds
        self.raw = raw
        self.content_type = content_type
        self.code = code


class TransportError(Exception):
    """A port could not complete a call.

    `before_first_byte` is True only where it is proven that no byte of the body left (DNS, connect, TLS).
    """

    def __init__(self, message: str, *, before_first_byte: bool) -> None:
        super().__init__(message)
        self.before_first_byte = before_first_byte


class LoginRefused(TransportError):
    """The other side did not let us in, or is not who it should be: another try with the same secrets is no use."""

    def __init__(self, message: str) -> None:
        super().__init__(message, before_first_byte=True)


class MailRefused(TransportError):
    """A mail server answered no; the message was not taken. `code` is its reply's code (RFC 5321, section 4.2)."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words, before_first_byte=True)
        self.code = code
        self.words = words


class HostKeyRefused(LoginRefused):
    """The server showed a host key that is not among the pinned ones; no credential was sent."""


class FileFailure(TransportError):
    """A file server answered no; the session goes on and nothing was changed. `path` is the file's, printable."""

    def __init__(self, message: str, path: str) -> None:
        super().__init__(message, before_first_byte=True)
        self.path = path


class FileMissing(FileFailure):
    """There is no such file or directory."""


class FileDenied(FileFailure):
    """We may not do that there."""


class FileStands(FileFailure):
    """A file of that name stands there already, and nothing is overwritten."""


class FileTooLarge(FileFailure):
    """The file holds more than was asked for at most."""
