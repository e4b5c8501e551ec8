"""Requests to an ASGI application in process, with the body in the pieces and at the pace that a test wants."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.api.ingress import Application


@dataclass(frozen=True)
class Answer:
    """`taken` is how many pieces of the body the application asked for."""

    status: int
    headers: dict[str, str]
    body: bytes
    taken: int

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


class NoAnswer(Exception):
    """The application ended without one, which a server would turn into a 500."""


def ask(
    application: Application,
    method: str,
    path: str,
    *,
    pieces: Sequence[bytes] = (b"",),
    headers: Sequence[tuple[str, str]] | dict[str, str] = (),
    stalls: bool = False,
    leaves: bool = False,
    query: str = "",
) -> Answer:
    """One request, in a loop of its own; see `asking`."""
    one = asking(application, method, path, pieces=pieces, headers=headers, stalls=stalls, leaves=leaves, query=query)
    return asyncio.run(asyncio.wait_for(one, 30))


async def asking(
    application: Application,
    method: str,
    path: str,
    *,
    pieces: Sequence[bytes] = (b"",),
    headers: Sequence[tuple[str, str]] | dict[str, str] = (),
    stalls: bool = False,
    leaves: bool = False,
    query: str = "",
) -> Answer:
    """One request. `stalls`: after the pieces nothing more comes; `leaves`: the client goes away instead."""
    taken = 0
    sent: list[MutableMapping[str, Any]] = []
    given = list(headers.items()) if isinstance(headers, dict) else list(headers)

    async def receive() -> MutableMapping[str, Any]:
        nonlocal taken
        if taken < len(pieces):
            taken += 1
            more = taken < len(pieces) or stalls or leaves
            return {"type": "http.request", "body": pieces[taken - 1], "more_body": more}
        if leaves:
            return {"type": "http.disconnect"}
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in given],
    }

    await application(scope, receive, send)
    if not sent:
        raise NoAnswer
    start, *rest = sent
    return Answer(
        start["status"],
        {name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]},
        b"".join(message.get("body", b"") for message in rest),
        taken,
    )
