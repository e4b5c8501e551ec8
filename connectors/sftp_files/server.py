"""An SFTP server over a folder, for the emulated partner: real SSH, scripted faults, a word for every file."""

from __future__ import annotations

import contextlib
import errno
import hmac
import os
import posixpath
import socket
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import paramiko

BANNER_SECONDS = 10.0
ACCEPT_SECONDS = 0.2
BACKLOG = 50

Fault = Callable[[str, str], str | None]
"""(operation, path) -> the fault of this call. Operations: login, list, read, write, rename, remove."""
Seen = Callable[[str, str, str], None]
"""(operation, path, new path) of what happened: written, renamed, removed, read."""


class FolderServer:
    """Serves one folder to one user on loopback. `wait` sleeps for a delay and ends early when the server closes."""

    def __init__(
        self,
        root: Path,
        host_key: paramiko.PKey,
        *,
        username: str,
        password: str,
        public_key: str = "",
        port: int = 0,
        fault: Fault,
        seen: Seen,
        delay_seconds: Callable[[], float],
    ) -> None:
        self.root, self.host_key = root, host_key
        self.username, self.password, self.public_key = username, password, public_key
        self.fault, self.seen, self.delay_seconds = fault, seen, delay_seconds
        self.closed = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=BACKLOG)
        self._listener.settimeout(ACCEPT_SECONDS)
        self.port: int = self._listener.getsockname()[1]
        self._transports: list[paramiko.Transport] = []
        self._thread = threading.Thread(target=self._accept, name="sftp-accept", daemon=True)

    @property
    def pin(self) -> str:
        """The host key as a connection pins it."""
        return f"{self.host_key.get_name()} {self.host_key.get_base64()}"

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self.closed.set()
        self._thread.join(timeout=5)
        self._listener.close()
        self.drop_all()

    def drop_all(self) -> None:
        """End every session, as a restart would."""
        for transport in self._transports:
            transport.close()
        self._transports = []

    def _accept(self) -> None:
        while not self.closed.is_set():
            try:
                connected, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            threading.Thread(target=self._greet, args=(connected,), name="sftp-session", daemon=True).start()

    def _greet(self, connected: socket.socket) -> None:
        try:
            transport = paramiko.Transport(connected)
            transport.banner_timeout = BANNER_SECONDS
            transport.add_server_key(self.host_key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Files)
            self._transports = [one for one in self._transports if one.is_active()] + [transport]
            transport.start_server(server=_Door(self, connected))
        except (paramiko.SSHException, EOFError, OSError):
            connected.close()  # a client that went away while it was greeted


class _Door(paramiko.ServerInterface):
    """Who may come in."""

    def __init__(self, server: FolderServer, connected: socket.socket) -> None:
        self.server = server
        self._connected = connected

    def get_allowed_auths(self, username: str) -> str:
        del username
        return "publickey,password" if self.server.public_key else "password"

    def check_auth_password(self, username: str, password: str) -> int:
        good = hmac.compare_digest(password.encode(), self.server.password.encode())
        return self._let_in(good and username == self.server.username)

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        known = bool(self.server.public_key) and key.get_base64() in self.server.public_key.split()
        return self._let_in(known and username == self.server.username)

    def _let_in(self, good: bool) -> int:
        fault = self.server.fault("login", "") if good else None
        if fault == "refuse_login" or not good:
            return paramiko.common.AUTH_FAILED
        if fault is not None:
            self.act_out(fault)
        return paramiko.common.AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        del chanid
        session = kind == "session"
        return paramiko.common.OPEN_SUCCEEDED if session else paramiko.common.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def act_out(self, fault: str) -> int | None:
        """What a fault does to the call after or instead of its work: the answer, or None to answer as usual."""
        if fault.startswith("drop") or fault in ("late_commit", "partial_file"):
            with contextlib.suppress(OSError):
                self._connected.shutdown(socket.SHUT_RDWR)
        elif fault == "delay":
            self.server.closed.wait(self.server.delay_seconds())
            return None
        elif fault == "permission_denied":
            return int(paramiko.sftp.SFTP_PERMISSION_DENIED)
        return int(paramiko.sftp.SFTP_FAILURE)


DONE_FIRST = frozenset({"error_after", "drop_after", "delay"})
"""Faults that strike after the work; the others come instead of it."""


class _Handle(paramiko.SFTPHandle):
    """An open file; told when it is closed after writing, cut short when its reading is to break."""

    def __init__(self, files: _Files, path: str, flags: int, *, breaks: bool) -> None:
        super().__init__(flags)
        self._files, self._path = files, path
        self._written = bool(flags & (os.O_WRONLY | os.O_RDWR))
        self._breaks = breaks
        self._is_closed = False

    def read(self, offset: int, length: int) -> bytes | int:
        if self._breaks:
            size = os.fstat(self.readfile.fileno()).st_size  # type: ignore[attr-defined]
            if offset + length >= size // 2:
                return self._files.door.act_out("drop_after") or 0
        return super().read(offset, length)

    def stat(self) -> paramiko.SFTPAttributes:
        file = self.writefile if self._written else self.readfile  # type: ignore[attr-defined]
        return paramiko.SFTPAttributes.from_stat(os.fstat(file.fileno()))

    def close(self) -> None:
        super().close()
        if self._is_closed:
            return
        self._is_closed = True
        if self._written:
            self._files.door.server.seen("written", self._path, "")
            fault = self._files.door.server.fault("write", self._path)
            if fault is not None:
                self._files.door.act_out(fault)


class _Files(paramiko.SFTPServerInterface):
    """The folder's files. Answers are SFTP status codes."""

    def __init__(self, server: _Door, *args: object, **options: object) -> None:
        super().__init__(server, *args, **options)
        self.door = server

    def _real(self, path: str) -> Path:
        return self.door.server.root / posixpath.normpath("/" + path).lstrip("/")

    def _do(self, operation: str, path: str, work: Callable[[], None]) -> int:
        """Carry out a call with its fault. OSError becomes the status it stands for."""
        fault = self.door.server.fault(operation, path)
        if fault is not None and fault not in DONE_FIRST:
            return self.door.act_out(fault) or int(paramiko.sftp.SFTP_OK)
        try:
            work()
        except OSError as error:
            return int(paramiko.SFTPServer.convert_errno(error.errno or errno.EIO))
        if fault is not None and (answer := self.door.act_out(fault)) is not None:
            return answer
        return int(paramiko.sftp.SFTP_OK)

    def list_folder(self, path: str) -> list[paramiko.SFTPAttributes] | int:
        found: list[paramiko.SFTPAttributes] = []

        def work() -> None:
            for entry in sorted(self._real(path).iterdir()):
                with contextlib.suppress(FileNotFoundError):
                    attributes = paramiko.SFTPAttributes.from_stat(entry.lstat())
                    attributes.filename = entry.name
                    found.append(attributes)

        status = self._do("list", path, work)
        return found if status == paramiko.sftp.SFTP_OK else status

    def stat(self, path: str) -> paramiko.SFTPAttributes | int:
        try:
            return paramiko.SFTPAttributes.from_stat(self._real(path).stat())
        except OSError as error:
            return int(paramiko.SFTPServer.convert_errno(error.errno or errno.EIO))

    lstat = stat

    def open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> paramiko.SFTPHandle | int:
        del attr
        writes = bool(flags & (os.O_WRONLY | os.O_RDWR))
        fault = None if writes else self.door.server.fault("read", path)
        if fault is not None and fault not in DONE_FIRST and fault != "partial_file":
            return self.door.act_out(fault) or int(paramiko.sftp.SFTP_FAILURE)
        try:
            number = os.open(self._real(path), flags, 0o666)
            if stat.S_ISDIR(os.fstat(number).st_mode):
                os.close(number)
                return int(paramiko.sftp.SFTP_FAILURE)
        except OSError as error:
            return int(paramiko.SFTPServer.convert_errno(error.errno or errno.EIO))
        handle = _Handle(self, path, flags, breaks=fault in ("partial_file", "drop_after"))
        if writes:
            handle.writefile = os.fdopen(number, "wb")  # type: ignore[attr-defined]
        else:
            handle.readfile = os.fdopen(number, "rb")  # type: ignore[attr-defined]
            self.door.server.seen("read", path, "")
            if fault is not None and fault not in ("partial_file", "drop_after"):
                self.door.act_out(fault)
        return handle

    def remove(self, path: str) -> int:
        def work() -> None:
            self._real(path).unlink()
            self.door.server.seen("removed", path, "")

        return self._do("remove", path, work)

    def rename(self, oldpath: str, newpath: str) -> int:
        def work() -> None:
            # As OpenSSH does it: a link fails where the new name is taken.
            os.link(self._real(oldpath), self._real(newpath))
            self._real(oldpath).unlink()
            self.door.server.seen("renamed", oldpath, newpath)

        return self._do("rename", oldpath, work)

    def mkdir(self, path: str, attr: paramiko.SFTPAttributes) -> int:
        del attr
        try:
            self._real(path).mkdir()
        except OSError as error:
            return int(paramiko.SFTPServer.convert_errno(error.errno or errno.EIO))
        return int(paramiko.sftp.SFTP_OK)
