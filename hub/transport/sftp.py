"""SFTP with pinned host keys: one session a connection, every wait bounded, nothing overwritten (SSH_FXP, version 3).

paramiko is imported by hub.transport.sftp_session when the first session is opened.
"""

from __future__ import annotations

import datetime as dt
import heapq
import posixpath
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from hub.sdk.errors import FileDenied, FileFailure, FileMissing, FileStands, FileTooLarge, TransportError
from hub.sdk.ports import Clock, RemoteFile, printable

if TYPE_CHECKING:
    from hub.transport.sftp_session import Session

T = TypeVar("T")
CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class SftpAccess:
    """Where and as whom. `host_keys` are lines as in known_hosts without the host (`ssh-ed25519 AAAA...`), several
    where a key is being changed. `temporary_name` is what a file is called until it is whole."""

    host: str
    host_keys: Sequence[str]
    username: str
    port: int = 22
    password: str = ""
    private_key: str = ""
    passphrase: str = ""
    temporary_name: str = "{name}.tmp"


@dataclass(frozen=True, slots=True)
class SftpPolicy:
    """Bounds, in seconds unless named otherwise. `read` is one wait for the server, `total` one whole call without a
    deadline of its own. A session idle for longer than `idle` is opened anew."""

    connect: float = 5.0
    banner: float = 10.0
    login: float = 15.0
    channel: float = 10.0
    read: float = 30.0
    total: float = 60.0
    idle: float = 120.0
    keepalive: int = 30
    max_entries: int = 200_000
    max_write_bytes: int = 64_000_000

    def within(self, seconds: float) -> SftpPolicy:
        """No wait longer than that."""
        waits = ("connect", "banner", "login", "channel", "read")
        return replace(self, **{name: min(getattr(self, name), seconds) for name in waits})


class SftpFiles:
    """Implements hub.sdk.ports.SftpPort."""

    def __init__(self, access: SftpAccess, clock: Clock, policy: SftpPolicy | None = None) -> None:
        self._session: Session | None = None
        self._access = access
        self._clock = clock
        self._policy = policy or SftpPolicy()
        self._lock = threading.RLock()
        self._used_at = 0.0

    def list(
        self, directory: str, *, wanted: Callable[[RemoteFile], bool], limit: int, deadline: dt.datetime | None = None
    ) -> list[RemoteFile]:
        ends = self._ends(deadline)

        def work(session: Session) -> list[RemoteFile]:
            return heapq.nsmallest(limit, self._entries(session, directory, wanted, ends), key=_by_age)

        return self._call("list", directory, work, repeats=True, ends=ends)

    def _entries(
        self, session: Session, directory: str, wanted: Callable[[RemoteFile], bool], ends: float
    ) -> Iterator[RemoteFile]:
        for number, entry in enumerate(session.entries(directory), start=1):
            if number > self._policy.max_entries:
                return  # the rest is seen when these are gone
            if number % 100 == 0:
                self._in_time(ends, "list", directory)
            if wanted(entry):
                yield entry

    def stat(self, path: str) -> RemoteFile | None:
        try:
            return self._call("stat", path, lambda session: session.stat(path), repeats=True)
        except FileMissing:
            return None

    def read(self, path: str, *, max_bytes: int, deadline: dt.datetime | None = None) -> bytes:
        ends = self._ends(deadline)

        def work(session: Session) -> bytes:
            parts, count = [], 0
            with session.reading(path, max_bytes) as file:
                if file.size > max_bytes:
                    raise FileTooLarge(f"{printable(path)} holds {file.size} bytes, more than {max_bytes}", path)
                while count <= max_bytes and (part := file.read(CHUNK_BYTES)):
                    parts.append(part)
                    count += len(part)
                    self._in_time(ends, "read", path)
            if count > max_bytes:
                raise FileTooLarge(f"{printable(path)} holds more than {max_bytes} bytes", path)
            return b"".join(parts)

        return self._call("read", path, work, repeats=True, ends=ends)

    def write(self, path: str, body: bytes, *, deadline: dt.datetime | None = None) -> None:
        if len(body) > self._policy.max_write_bytes:
            raise FileTooLarge(f"{len(body)} bytes are more than may be written", path)
        ends = self._ends(deadline)
        folder, name = posixpath.split(path)
        temporary = posixpath.join(folder, self._access.temporary_name.format(name=name))
        with self._held(ends):
            self._before(lambda: self._put(temporary, path, body, ends))
            self._to_its_name(temporary, path, len(body), ends)

    def _put(self, temporary: str, path: str, body: bytes, ends: float) -> None:
        """The whole body under its temporary name, and nothing yet under its own."""

        def work(session: Session) -> None:
            if _exists(session, path):
                raise FileStands(f"{printable(path)} stands already", path)
            with session.writing(temporary) as file:
                for start in range(0, len(body), CHUNK_BYTES):
                    file.write(body[start : start + CHUNK_BYTES])
                    self._in_time(ends, "write", temporary)
            written = _size(session, temporary)
            if written is not None and written != len(body):
                raise TransportError(
                    f"{printable(temporary)} holds {written} of {len(body)} bytes after writing", before_first_byte=True
                )
            self._in_time(ends, "write", path)  # a rename after the deadline could come after somebody has looked

        self._call("write", temporary, work, repeats=True, ends=ends)

    def _to_its_name(self, temporary: str, path: str, size: int, ends: float) -> None:
        """The rename; where its answer is no, look what became of it."""
        try:
            self._call("rename", path, lambda session: session.rename(temporary, path), ends=ends)
        except FileFailure as refused:
            kept = self._call("stat", temporary, lambda session: _exists(session, temporary), repeats=True)
            there = self._call("stat", path, lambda session: _size(session, path), repeats=True)
            if kept and there is None:
                raise
            if kept:
                raise FileStands(f"{printable(path)} stands already", path) from refused
            if there != size:
                message = f"{printable(path)} may have been written: {refused}"
                raise TransportError(message, before_first_byte=False) from refused

    def rename(self, path: str, to: str) -> None:
        def work(session: Session) -> None:
            if _exists(session, to):
                raise FileStands(f"{printable(to)} stands already", to)
            session.rename(path, to)

        self._call("rename", path, work)

    def remove(self, path: str) -> None:
        self._call("remove", path, lambda session: session.remove(path))

    def make_directory(self, path: str) -> None:
        def work(session: Session) -> None:
            missing: list[str] = []
            here = posixpath.normpath(path)
            while here not in ("/", ".", "") and not _exists(session, here):
                missing.append(here)
                here = posixpath.dirname(here)
            for one in reversed(missing):
                try:
                    session.make_directory(one)
                except FileFailure:
                    if not _exists(session, one):  # another process may have made it
                        raise

        self._call("mkdir", path, work)

    def close(self) -> None:
        with self._lock:
            self._drop()

    def __del__(self) -> None:
        # A connection of a revision that is no more leaves no session behind; its thread would keep it alive.
        self._drop()

    def _call(
        self, what: str, path: str, work: Callable[[Session], T], *, repeats: bool = False, ends: float | None = None
    ) -> T:
        """Work on the session, once more on a new one where that does no harm and the old one turned out to be broken.

        Raises FileFailure for what the server answered, TransportError where there was no answer.
        """
        from hub.transport.sftp_session import BROKEN

        until = self._ends(None) if ends is None else ends
        with self._held(until):
            for last in (False, True):
                session, reused = self._opened(until)
                try:
                    result = work(session)
                except FileFailure:
                    self._used_at = time.monotonic()
                    raise
                except TransportError:
                    self._drop()
                    raise
                except BROKEN as error:
                    self._drop()
                    if repeats and reused and not last:
                        continue
                    words = str(error) or type(error).__name__
                    message = f"{self._access.host}: {what} {printable(path)}: {words}"
                    raise TransportError(message, before_first_byte=False) from error
                self._used_at = time.monotonic()
                return result
            raise AssertionError("a second try either ends or raises")

    def _before(self, work: Callable[[], None]) -> None:
        """What fails in here has left nothing under its own name."""
        try:
            work()
        except TransportError as error:
            if error.before_first_byte:
                raise
            raise TransportError(str(error), before_first_byte=True) from error

    def _opened(self, ends: float) -> tuple[Session, bool]:
        """The session, and whether it was there before; it waits for no answer longer than until `ends`."""
        left = ends - time.monotonic()
        if left <= 0:
            raise TransportError(f"{self._access.host}: no time was left to begin", before_first_byte=True)
        session = self._session
        if session is not None and session.alive and time.monotonic() - self._used_at < self._policy.idle:
            session.wait_at_most(min(self._policy.read, left))
            return session, True
        from hub.transport.sftp_session import open_session

        self._drop()
        self._session = open_session(self._access, self._policy.within(left))
        return self._session, False

    def _drop(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    @contextmanager
    def _held(self, ends: float) -> Iterator[None]:
        if not self._lock.acquire(timeout=max(0.0, ends - time.monotonic())):
            raise TransportError(f"{self._access.host}: the session was busy all the time", before_first_byte=True)
        try:
            yield
        finally:
            self._lock.release()

    def _ends(self, deadline: dt.datetime | None) -> float:
        """Until when, by the monotonic clock."""
        seconds = self._policy.total
        if deadline is not None:
            seconds = (deadline - self._clock.now()).total_seconds()
        return time.monotonic() + max(0.0, seconds)

    def _in_time(self, ends: float, what: str, path: str) -> None:
        if time.monotonic() > ends:
            message = f"{self._access.host}: {what} {printable(path)} took too long"
            raise TransportError(message, before_first_byte=False)


def _by_age(entry: RemoteFile) -> tuple[int, str]:
    return entry.modified_at, entry.name


def _exists(session: Session, path: str) -> bool:
    return _size(session, path) is not None


def _size(session: Session, path: str) -> int | None:
    """None where there is nothing, or where we may write and not look."""
    try:
        return session.stat(path).size
    except (FileMissing, FileDenied):
        return None
