"""HttpPort that talks to an emulator in the same process: no sockets, no threads, the simulation's clock.

The simulation gives what time does: `delay` is called with the seconds an answer takes, and `before_answer` with the
webhooks that must arrive first. A drop is the same TransportError that a closed socket gives.
"""

from __future__ import annotations

import datetime as dt
import urllib.parse
from collections.abc import Callable, Mapping

from hub.sdk.emulator import EmulatedRequest, Emulator
from hub.sdk.errors import CallFailed, Resolution, TransportError
from hub.sdk.ports import Clock, HttpResponse
from hub.transport.limits import Limits


class InProcessHttp:
    """`emulators` by host name with port, as in the connection's configured addresses."""

    def __init__(
        self,
        emulators: Mapping[str, Emulator],
        clock: Clock,
        *,
        limits: Limits | None = None,
        delay: Callable[[float], None] | None = None,
        before_answer: Callable[[Emulator, tuple[str, ...]], None] | None = None,
        read_seconds: float = 30.0,
        total_seconds: float = 60.0,
    ) -> None:
        self._emulators = emulators
        self._clock = clock
        self._limits = limits
        self._delay = delay
        self._before_answer = before_answer
        self._read_seconds = read_seconds
        self._total_seconds = total_seconds

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
        del reuse_idle  # there are no connections to reuse
        if self._limits is not None and (seconds := self._limits.take(operation)) > 0:
            raise CallFailed(Resolution.RATE_LIMITED, "our own limit", retry_after_seconds=seconds)
        parts = urllib.parse.urlsplit(url)
        emulator = self._emulators.get(parts.netloc)
        if emulator is None:
            raise TransportError(f"{method} {parts.netloc}: no such host", before_first_byte=True)
        patience = self._read_seconds
        if deadline is not None:
            patience = min(patience, (deadline - self._clock.now()).total_seconds())
            if patience <= 0:
                raise TransportError("the deadline had passed before the call began", before_first_byte=True)
        answer = emulator.handle(
            EmulatedRequest(
                method=method,
                path=urllib.parse.unquote(parts.path),
                query=dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True)),
                headers={name.lower(): value for name, value in (headers or {}).items()},
                body=body,
            )
        )
        if answer.after and self._before_answer is not None:
            self._before_answer(emulator, answer.after)
        if answer.delay_seconds > 0 and self._delay is not None:
            self._delay(min(answer.delay_seconds, patience))
        if answer.delay_seconds > patience:
            raise TransportError(f"{method} {parts.netloc}: read timed out", before_first_byte=False)
        if answer.drop:
            raise TransportError(f"{method} {parts.netloc}: closed without an answer", before_first_byte=False)
        return HttpResponse(
            status=answer.status,
            headers={name.lower(): value for name, value in answer.headers.items()},
            body=answer.body,
        )
