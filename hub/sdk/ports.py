"""What a connector is given to reach the world: HTTP, SOAP, a clock; made by hub.transport and the simulation."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

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


class Clock(Protocol):
    def now(self) -> dt.datetime:
        """Aware UTC."""
        ...

    def monotonic(self) -> float: ...


class Log(Protocol):
    def info(self, message: str, **fields: object) -> None: ...
    def warning(self, message: str, **fields: object) -> None: ...
