"""One SSH session with its SFTP channel, on paramiko: opened only to a server whose key is pinned."""

from __future__ import annotations

import base64
import binascii
import errno
import hmac
import io
import logging
import posixpath
import socket
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Literal

import paramiko
from paramiko.message import Message
from paramiko.sftp import CMD_CLOSE, CMD_HANDLE, CMD_NAME, CMD_OPENDIR, CMD_READDIR

from hub.sdk.errors import (
    ConfigurationError,
    FileDenied,
    FileFailure,
    FileMissing,
    HostKeyRefused,
    LoginRefused,
    TransportError,
)
from hub.sdk.ports import RemoteFile, printable

if TYPE_CHECKING:
    from hub.transport.sftp import SftpAccess, SftpPolicy

BROKEN = (paramiko.SSHException, EOFError, OSError)
"""What paramiko raises where the session is at fault and not the file."""
PREFETCHED = 64
"""Requests under way at once, as OpenSSH's own client does; small servers choke on more."""
SMALL_BYTES = 32_768
"""One request's worth: nothing to fetch ahead."""
_SIGNATURES = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}
"""Key types as pins name them -> algorithms by which they prove themselves (RFC 8332: SHA-1 is gone)."""

# We report what fails, with our own words; paramiko's log would add traces and peers' banners.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)


class _Client(paramiko.SFTPClient):
    """Lists directories as bytes: one name that is no UTF-8 would otherwise hide all the others."""

    @property
    def gone(self) -> bool:
        channel = self.get_channel()
        return channel is None or channel.closed

    def scan(self, directory: bytes) -> Iterator[tuple[bytes, paramiko.SFTPAttributes]]:
        kind, answer = self._request(CMD_OPENDIR, directory)  # type: ignore[attr-defined]
        if kind != CMD_HANDLE:
            raise paramiko.SFTPError("expected a handle")
        handle = answer.get_binary()
        try:
            while True:
                try:
                    kind, answer = self._request(CMD_READDIR, handle)  # type: ignore[attr-defined]
                except EOFError:
                    if self.gone:
                        raise
                    return
                if kind != CMD_NAME:
                    raise paramiko.SFTPError("expected names")
                yield from self._names(answer)
        finally:
            if not self.gone:
                self._request(CMD_CLOSE, handle)  # type: ignore[attr-defined]

    def _names(self, answer: Message) -> Iterator[tuple[bytes, paramiko.SFTPAttributes]]:
        for _ in range(answer.get_int()):
            name = answer.get_binary()
            answer.get_binary()  # the long name, for eyes only
            yield name, paramiko.SFTPAttributes._from_msg(answer)  # type: ignore[attr-defined]  # noqa: SLF001


class Reading:
    """A file that is being read. `size` as the server told it when it was opened."""

    def __init__(self, file: paramiko.SFTPFile, size: int) -> None:
        self._file, self.size = file, size

    def read(self, count: int) -> bytes:
        return self._file.read(count)


class Session:
    """Calls raise FileFailure for what the server answered, and what BROKEN lists where the session is at fault."""

    def __init__(self, transport: paramiko.Transport, client: _Client) -> None:
        self._transport, self._client = transport, client

    @property
    def alive(self) -> bool:
        return self._transport.is_active() and not self._client.gone

    def wait_at_most(self, seconds: float) -> None:
        """For one answer of the server."""
        channel = self._client.get_channel()
        if channel is not None:
            channel.settimeout(seconds)

    def entries(self, directory: str) -> Iterator[RemoteFile]:
        with self._answers(directory):
            for raw, attributes in self._client.scan(_bytes(directory)):
                name = raw.decode("utf-8", "surrogateescape")
                if name in (".", "..") or "/" in name or "\0" in name:
                    continue  # no honest server names files of other directories
                yield _entry(name, attributes)

    def stat(self, path: str) -> RemoteFile:
        with self._answers(path):
            return _entry(posixpath.basename(path), self._client.stat(_bytes(path)))

    @contextmanager
    def reading(self, path: str, max_bytes: int) -> Iterator[Reading]:
        with self._answers(path):
            file = self._client.open(_bytes(path), "rb")
            with file:
                size = int(file.stat().st_size or 0)
                if SMALL_BYTES < size <= max_bytes:
                    file.prefetch(size, max_concurrent_requests=PREFETCHED)
                yield Reading(file, size)

    @contextmanager
    def writing(self, path: str) -> Iterator[paramiko.SFTPFile]:
        with self._answers(path):
            file = self._client.open(_bytes(path), "wb")
            with file:
                file.set_pipelined(True)
                yield file

    def rename(self, path: str, to: str) -> None:
        with self._answers(path):
            self._client.rename(_bytes(path), _bytes(to))

    def remove(self, path: str) -> None:
        with self._answers(path):
            self._client.remove(_bytes(path))

    def make_directory(self, path: str) -> None:
        with self._answers(path):
            self._client.mkdir(_bytes(path))

    def close(self) -> None:
        self._transport.close()

    @contextmanager
    def _answers(self, path: str) -> Iterator[None]:
        """The server's words for a refusal become a FileFailure, as long as it is there to have said them."""
        try:
            yield
        except OSError as error:
            if error.errno == errno.ENOENT:
                raise FileMissing(f"{printable(path)}: there is no such file", path) from error
            if error.errno in (errno.EACCES, errno.EPERM):
                raise FileDenied(f"{printable(path)}: permission denied", path) from error
            if type(error) is OSError and error.errno is None and self.alive:
                raise FileFailure(f"{printable(path)}: the server says {str(error)[:200]!r}", path) from error
            raise


def open_session(access: SftpAccess, policy: SftpPolicy) -> Session:
    """Connect, check the host key, log in, open the channel. Raises LoginRefused, HostKeyRefused, TransportError."""
    pins = [_pin(line) for line in access.host_keys]
    try:
        connected = socket.create_connection((access.host, access.port), timeout=policy.connect)
        transport = paramiko.Transport(connected)
    except (OSError, paramiko.SSHException) as error:
        raise TransportError(f"{access.host}: cannot be reached: {error}", before_first_byte=True) from error
    try:
        return _logged_in(transport, access, policy, pins)
    except TransportError:
        transport.close()
        raise
    except BROKEN as error:
        transport.close()
        words = str(error) or type(error).__name__
        raise TransportError(f"{access.host}: no session: {words}", before_first_byte=True) from error
    except BaseException:
        transport.close()
        raise


def _logged_in(
    transport: paramiko.Transport, access: SftpAccess, policy: SftpPolicy, pins: Sequence[tuple[str, bytes]]
) -> Session:
    transport.banner_timeout = policy.banner
    transport.handshake_timeout = policy.login
    transport.auth_timeout = policy.login
    transport.channel_timeout = policy.channel
    options = transport.get_security_options()
    wanted = [algorithm for kind, _ in pins for algorithm in _SIGNATURES.get(kind, (kind,))]
    options.key_types = tuple(dict.fromkeys(one for one in wanted if one in options.key_types))
    try:
        transport.start_client(timeout=policy.login)
    except paramiko.ssh_exception.IncompatiblePeer as error:
        if "host key" not in str(error):
            raise
        raise HostKeyRefused(f"{access.host} has no host key of a pinned kind") from error
    shown = transport.get_remote_server_key().asbytes()
    if not any(hmac.compare_digest(shown, pinned) for _, pinned in pins):
        kind = transport.get_remote_server_key().get_name()
        raise HostKeyRefused(f"{access.host} shows a host key ({kind}) that is not pinned; nothing was sent to it")
    transport.set_keepalive(policy.keepalive)
    _login(transport, access)
    channel = transport.open_session(timeout=policy.channel)
    channel.settimeout(policy.read)
    channel.invoke_subsystem("sftp")
    return Session(transport, _Client(channel))


def _login(transport: paramiko.Transport, access: SftpAccess) -> None:
    """By key where there is one, then by password where the server wants both or there is only that."""
    try:
        more: Sequence[str] = ["password"]
        if access.private_key:
            more = transport.auth_publickey(access.username, read_private_key(access.private_key, access.passphrase))
        if more and access.password:
            more = transport.auth_password(access.username, access.password)
    except paramiko.AuthenticationException as error:
        # paramiko calls a cut line and a server that does not answer by the same name as a refusal.
        if not transport.is_active() or "timeout" in str(error):
            raise TransportError(f"{access.host}: the login broke off: {error}", before_first_byte=True) from error
        raise LoginRefused(f"{access.host} does not let {access.username} in") from error
    if more:
        raise LoginRefused(f"{access.host} wants more from {access.username}: {', '.join(map(str, more))}")


def read_private_key(text: str, passphrase: str = "") -> paramiko.PKey:
    """A private key as ssh-keygen writes it. Raises ConfigurationError."""
    body = text.strip() + "\n"
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key(io.StringIO(body), passphrase or None)
        except paramiko.PasswordRequiredException as error:
            raise ConfigurationError("the private key has a passphrase, and none is configured") from error
        except (paramiko.SSHException, ValueError, IndexError):
            continue  # a key of another kind, as the last of them says
    raise ConfigurationError("the private key cannot be read: neither Ed25519 nor ECDSA nor RSA, or a wrong passphrase")


def _pin(line: str) -> tuple[str, bytes]:
    kind, _, rest = line.strip().partition(" ")
    with suppress(ValueError, binascii.Error):
        body = base64.b64decode(rest.split()[0] if rest.split() else "", validate=True)
        if body[4 : 4 + len(kind)] == kind.encode() and len(body) > 4 + len(kind):
            return kind, body
    raise ConfigurationError("a host key is written as its kind and its base64, as in known_hosts without the host")


def _bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _entry(name: str, attributes: paramiko.SFTPAttributes) -> RemoteFile:
    """A server that tells no mode is believed to list files."""
    mode = attributes.st_mode
    kind: Literal["file", "directory", "other"] = "file"
    if mode is not None and stat.S_IFMT(mode):
        kind = "file" if stat.S_ISREG(mode) else "directory" if stat.S_ISDIR(mode) else "other"
    return RemoteFile(name, int(attributes.st_size or 0), int(attributes.st_mtime or 0), kind)
