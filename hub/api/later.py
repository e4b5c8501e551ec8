"""The API is large to import: it is loaded once it is asked for, or when the hub has been ready for a while.

The ingress never waits for it, and a hub that is started again and again spends nothing on it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import warnings
from collections.abc import Callable

from hub.api.ingress import Application, Receive, Scope, Send, problem

log = logging.getLogger("hub.api")

UNASKED_SECONDS = 5.0
PATIENCE_SECONDS = 20.0
RETRY_AFTER_SECONDS = 2


class Later:
    """An application that is made by `make` in a thread of its own. Until `begin` it answers 503, come again."""

    def __init__(self, make: Callable[[], Application]) -> None:
        self._make = make
        self._made: Application | None = None
        self._failed = False
        self._asked, self._done = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._load, name="api", daemon=True)

    def begin(self) -> None:
        """The hub is ready: load at the first request, or soon."""
        self._thread.start()

    def _load(self) -> None:
        self._asked.wait(UNASKED_SECONDS)
        # connexion 3.3 imports a name that Starlette 1.x has moved; it works all the same
        warnings.filterwarnings("ignore", message="Using `httpx` with `starlette.testclient`")
        try:
            self._made = self._make()
        except Exception:
            self._failed = True
            log.exception("the API cannot be loaded; webhooks and work go on without it")
        self._done.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._made is None and self._thread.is_alive():
            self._asked.set()
            await asyncio.to_thread(self._done.wait, PATIENCE_SECONDS)
        if self._made is not None:
            await self._made(scope, receive, send)
            return
        why = "The API could not be loaded; the hub's log says why" if self._failed else "The hub is starting"
        await problem(send, 503, why, extra=((b"retry-after", str(RETRY_AFTER_SECONDS).encode()),))
