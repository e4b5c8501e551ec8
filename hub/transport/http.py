"""HTTP on requests, with what a default session lacks: a total deadline, a size cap, proof of what left, no surprises.

One `RequestsHttp` belongs to one connection and is shared by its threads. The adapter is driven directly (no Session):
nothing is read from the environment, no cookies are kept, no redirect is followed, nothing is retried, and a call
costs about half the processor time.
"""

from __future__ import annotations

import datetime as dt
import functools
import http.client
import io
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
import requests.adapters
import requests.structures
import urllib3
import urllib3.connection
import urllib3.connectionpool
import urllib3.exceptions
from requests.adapters import BaseAdapter, HTTPAdapter

from hub.sdk.errors import CallFailed, Resolution, TransportError
from hub.sdk.ports import Clock, HttpResponse
from hub.transport.guard import AddressRefused, Guard
from hub.transport.limits import Limits

IDLE_REUSE_SECONDS = 5.0
"""Modes lookup and none reuse no connection that was idle longer: the other side may have closed it, and a reset after
the request was written is ambiguous (docs: outbox)."""

CHUNK_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class HttpPolicy:
    """Bounds of one connection's calls; times in seconds. `verify` is a bundle's path or whether to check at all."""

    connect_seconds: float = 5.0
    read_seconds: float = 30.0
    total_seconds: float = 60.0
    max_response_bytes: int = 32 * 1024 * 1024
    max_rate_wait_seconds: float = 2.0
    pool_size: int = 32
    verify: bool | str = True
    user_agent: str = "order-hub"
    headers: Mapping[str, str] = field(default_factory=dict)


class _Call(threading.local):
    """What the connection classes below need to know of the call their thread is making."""

    guard: Guard | None = None
    reuse_idle: bool = True
    read_seconds: float = 30.0
    ends_at: float = float("inf")
    sent: bool = False


_call = _Call()


class _BoundedReader(io.RawIOBase):
    """Reads a socket so that each wait ends with the call's deadline: trickled headers and bodies included."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        super().__init__()
        self._raw = raw
        self._sock = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        left = _call.ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the call's deadline has passed")
        self._sock.settimeout(min(_call.read_seconds, left))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _BoundedSocket:
    """The one method of a socket that http.client's response uses."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def makefile(self, _mode: str) -> io.BufferedReader:
        # typeshed types the unbuffered file as SocketIO, which is a RawIOBase.
        return io.BufferedReader(_BoundedReader(self._sock.makefile("rb", buffering=0), self._sock))


class _BoundedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(_BoundedSocket(sock), *arguments, **options)  # type: ignore[arg-type]


class _Watched:
    """Mixed into urllib3's connections: the guard looks before the first byte, and `sent` says when that was."""

    host: str
    sock: socket.socket | None
    last_used: float = 0.0

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        if _call.guard is not None and self.sock is not None:
            try:
                _call.guard.check(self.host, str(self.sock.getpeername()[0]))
            except AddressRefused:
                self.close()
                raise

    def close(self) -> None:
        super().close()  # type: ignore[misc]

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        _call.sent = True
        super().send(data)  # type: ignore[misc]


class _PlainConnection(_Watched, urllib3.connection.HTTPConnection):
    response_class = _BoundedResponse


class _TlsConnection(_Watched, urllib3.connection.HTTPSConnection):
    response_class = _BoundedResponse


class _Aging:
    """Mixed into urllib3's pools: remembers when a connection came back, and forgets the old ones on demand."""

    def _get_conn(self, timeout: float | None = None) -> Any:
        connection = super()._get_conn(timeout)  # type: ignore[misc]
        if (
            not _call.reuse_idle
            and getattr(connection, "sock", None) is not None
            and time.monotonic() - connection.last_used > IDLE_REUSE_SECONDS
        ):
            connection.close()
        return connection

    def _put_conn(self, connection: Any) -> None:
        if connection is not None:
            connection.last_used = time.monotonic()
        super()._put_conn(connection)  # type: ignore[misc]


class _PlainPool(_Aging, urllib3.connectionpool.HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(_Aging, urllib3.connectionpool.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}


class RequestsHttp:
    """HttpPort on real sockets, or on whatever `adapter_factory` gives (a simulation's in-process peer).

    `wait` sleeps for a rate limit's short waits; without it, and for longer ones, the call ends as rate_limited before
    anything is sent.
    """

    def __init__(
        self,
        policy: HttpPolicy,
        clock: Clock,
        *,
        limits: Limits | None = None,
        guard: Guard | None = None,
        adapter_factory: Callable[[], BaseAdapter] | None = None,
        wait: Callable[[float], None] | None = None,
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._limits = limits
        self._guard = guard
        self._wait = wait
        self._adapter = adapter_factory() if adapter_factory else _adapter(policy)
        self._headers = {"user-agent": policy.user_agent, "accept-encoding": "gzip, deflate", **policy.headers}

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
        self._respect_limits(operation)
        seconds = self._seconds_left(deadline)
        prepared = self._prepare(method, url, headers, body)
        _call.guard = self._guard
        _call.reuse_idle = reuse_idle
        _call.read_seconds = min(self._policy.read_seconds, seconds)
        _call.ends_at = time.monotonic() + seconds
        _call.sent = False
        try:
            response = self._exchange(prepared, seconds)
            if self._limits is not None:
                self._limits.learn(operation, response.headers)
            return response
        except TransportError:
            raise
        except AddressRefused as error:
            raise TransportError(str(error), before_first_byte=True) from error
        except (OSError, urllib3.exceptions.HTTPError, http.client.HTTPException) as error:
            # requests' own exceptions are OSErrors. The text names the host and the cause, never headers or bodies.
            where = f"{method} {_host(url)}"
            raise TransportError(f"{where}: {_cause(error)}", before_first_byte=not _call.sent) from error

    def close(self) -> None:
        """Close pooled connections; calls under way end as they will."""
        self._adapter.close()

    def _respect_limits(self, operation: str) -> None:
        if self._limits is None:
            return
        while (seconds := self._limits.take(operation)) > 0:
            if self._wait is None or seconds > self._policy.max_rate_wait_seconds:
                raise CallFailed(
                    Resolution.RATE_LIMITED,
                    f"our own limit for {operation} leaves no call for {seconds:.1f} s",
                    retry_after_seconds=seconds,
                )
            self._wait(seconds)

    def _seconds_left(self, deadline: dt.datetime | None) -> float:
        if deadline is None:
            return self._policy.total_seconds
        seconds = min(self._policy.total_seconds, (deadline - self._clock.now()).total_seconds())
        if seconds <= 0:
            raise TransportError("the deadline had passed before the call began", before_first_byte=True)
        return seconds

    def _prepare(
        self, method: str, url: str, headers: Mapping[str, str] | None, body: bytes
    ) -> requests.PreparedRequest:
        # Preparing from scratch costs as much as the rest of the call; only the address needs requests' reading.
        prepared = requests.PreparedRequest()
        prepared.method = method
        prepared.url = _address(url)
        prepared.headers = requests.structures.CaseInsensitiveDict(self._headers)
        if headers:
            prepared.headers.update(headers)
        if body or method not in ("GET", "HEAD"):
            prepared.headers["content-length"] = str(len(body))
        prepared.body = body or None
        prepared.hooks = {"response": []}
        return prepared

    def _exchange(self, prepared: requests.PreparedRequest, seconds: float) -> HttpResponse:
        connect = min(self._policy.connect_seconds, seconds)
        response = self._adapter.send(
            prepared, stream=True, timeout=(connect, _call.read_seconds), verify=self._policy.verify
        )
        try:
            parts: list[bytes] = []
            size = 0
            for part in response.iter_content(CHUNK_BYTES):
                size += len(part)
                if size > self._policy.max_response_bytes:
                    raise TransportError(
                        f"the answer is larger than {self._policy.max_response_bytes} bytes", before_first_byte=False
                    )
                parts.append(part)
                if time.monotonic() > _call.ends_at:
                    raise TimeoutError("the call's deadline passed while the answer was read")
            if len(parts) == 1:
                body = parts[0]
            else:
                body = b"".join(parts)
            return HttpResponse(
                status=response.status_code,
                headers={name.lower(): value for name, value in response.headers.items()},
                body=body,
            )
        finally:
            # Gives a fully read connection back to its pool and closes any other.
            response.close()


def _adapter(policy: HttpPolicy) -> _Adapter:
    retry = urllib3.Retry(total=0, connect=0, read=False, redirect=0, status=0, other=0)
    return _Adapter(pool_connections=8, pool_maxsize=policy.pool_size, max_retries=retry)


@functools.lru_cache(maxsize=1024)
def _address(url: str) -> str:
    """The URL as requests writes it (IDNA, quoting). Raises CallFailed for one that no HTTP call can be made to."""
    prepared = requests.PreparedRequest()
    try:
        prepared.prepare_url(url, None)
    except (requests.exceptions.RequestException, ValueError) as error:
        raise TransportError(f"not an address to call: {_cause(error)}", before_first_byte=True) from error
    if not (prepared.url or "").lower().startswith(("http://", "https://")):
        raise TransportError("not an address to call: only http and https are", before_first_byte=True)
    return str(prepared.url)


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2]


def _cause(error: BaseException) -> str:
    """The innermost reason in words; urllib3 and requests wrap it in objects that print their address in memory."""
    seen = 0
    while seen < 5:
        inner = getattr(error, "reason", None) or (error.args[0] if error.args else None)
        if not isinstance(inner, BaseException):
            break
        error, seen = inner, seen + 1
    words = str(error).rpartition("object at 0x")[2].partition(">: ")[2] or str(error)
    return f"{type(error).__name__}: {words[:300]}"
