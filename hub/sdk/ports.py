"""What a connector is given to reach the world: HTTP, SOAP, a clock; made by hub.transport and the simulation."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from hub.sdk.records import Tree


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """Status, headers (lower-case names) and the whole body, bounded by the port's size limit."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpPort(Protocol):
    """One connection's HTTP session: timeouts, size caps, no redirects, rate limits by `operation`."""

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        deadline: dt.datetime | None = None,
        operation: str = "default",
        reuse_idle: bool = True,
    ) -> HttpResponse:
        """Send and read everything. Raises TransportError. `reuse_idle=False` never reuses a connection idle > 5 s."""
        ...


class SoapPort(Protocol):
    """A SOAP service built from a WSDL that lies in the connector's folder; nothing is fetched."""

    def call(self, operation: str, payload: Tree, *, deadline: dt.datetime | None = None) -> HttpResponse:
        """Build the envelope from `payload`, send it, return the raw answer (faults included, as HTTP 500 bytes).

        Raises DataError, before anything is sent, where the payload does not fit.
        """
        ...


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """An entry of a directory. `name` is as the server wrote it, bytes that are no UTF-8 as lone surrogates;
    `modified_at` in whole Unix seconds by the server's clock."""

    name: str
    size: int
    modified_at: int
    kind: Literal["file", "directory", "other"] = "file"

    @property
    def printable(self) -> str:
        """The name for people, logs and the store."""
        return printable(self.name)


def printable(name: str) -> str:
    r"""A file's name as text that can be stored: bytes that are no UTF-8 and control characters as ``\\xNN``."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in text)


class SftpPort(Protocol):
    """Files of one SFTP server whose host key is pinned. Paths are absolute. One session, opened when first needed and
    again when it broke; calls of several threads wait for each other. Everything raises TransportError and its kin."""

    def list(
        self, directory: str, *, wanted: Callable[[RemoteFile], bool], limit: int, deadline: dt.datetime | None = None
    ) -> list[RemoteFile]:
        """The oldest `limit` of the entries that are wanted, oldest first."""
        ...

    def stat(self, path: str) -> RemoteFile | None:
        """None where there is nothing of that name."""
        ...

    def read(self, path: str, *, max_bytes: int, deadline: dt.datetime | None = None) -> bytes:
        """All of a file. Raises FileTooLarge, FileMissing, FileDenied."""
        ...

    def write(self, path: str, body: bytes, *, deadline: dt.datetime | None = None) -> None:
        """Write under a temporary name, then rename: nobody sees half a file under `path`. Overwrites nothing.

        Raises FileStands; a TransportError with `before_first_byte` says that nothing stands under `path` of ours.
        """
        ...

    def rename(self, path: str, to: str) -> None:
        """Raises FileStands where `to` exists, FileMissing where `path` or the directory of `to` does not."""
        ...

    def remove(self, path: str) -> None: ...

    def make_directory(self, path: str) -> None:
        """With the directories above it; one that stands already is fine."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class MailAnswer:
    """What a mail server said when it took a message: the reply's code and words, as text with line breaks."""

    code: int
    words: str


class MailPort(Protocol):
    """One mail server. A message is handed over in a session of its own, so nothing is idle between two."""

    def send(self, sender: str, recipient: str, message: bytes, *, deadline: dt.datetime | None = None) -> MailAnswer:
        """Hand over a message (RFC 5322, lines end in CRLF).

        Raises MailRefused where the server answered no, LoginRefused, and TransportError: `before_first_byte` says that
        no byte of the message left, otherwise it may have been taken.
        """
        ...

    def greet(self, *, deadline: dt.datetime | None = None) -> MailAnswer:
        """Connect, encrypt and log in, and send nothing. Raises as `send`."""
        ...


class Clock(Protocol):
    def now(self) -> dt.datetime:
        """Aware UTC."""
        ...

    def monotonic(self) -> float: ...


class Log(Protocol):
    def info(self, message: str, **fields: object) -> None: ...
    def warning(self, message: str, **fields: object) -> None: ...
