"""One request on its way through the API: who asks, for what, and what it may look at."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hub.actions.once import Once
from hub.actions.orders import Changed
from hub.api.problems import Problem
from hub.runtime.control import ActionRefused
from hub.runtime.hub import Busy

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from hub.actions.keys import Caller
    from hub.runtime.hub import Hub
    from hub.store.reading import ReadingPool


@dataclass(slots=True)
class Call:
    """`body` is the exact tree of the request's body (None without one), `raw` its bytes."""

    hub: Hub
    caller: Caller
    operation: str
    method: str
    path: str
    query: bytes
    headers: Mapping[str, str]
    request_id: str
    views: Callable[[], ReadingPool]
    doing: Doing
    body: Any = None
    raw: bytes = b""

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A read-only connection of one consistent state."""
        with self.views().reading() as connection:
            yield connection

    def act(self, action: str, **arguments: Any) -> dict[str, Any]:
        """Do one thing of hub.actions as this caller. Raises Problem where it is refused."""
        try:
            return self.hub.act(action, {**arguments, "who": self.caller.who})
        except ActionRefused as error:
            if isinstance(error.__cause__, Changed):
                raise Problem("changed", str(error)) from error
            if isinstance(error.__cause__, Busy):
                raise Problem("unavailable", str(error), headers={"Retry-After": "1"}) from error
            raise Problem("refused", str(error)) from error

    @contextmanager
    def once(self) -> Iterator[Once]:
        """This request by its Idempotency-Key. Raises Problem while the same one is being done."""
        key = self.headers.get("idempotency-key", "")
        if not key:
            raise Problem("idempotency-key-missing", "This operation needs the header Idempotency-Key")
        once = Once.of(
            self.caller.key, key, self.operation, self.method.encode(), self.path.encode(), self.query, self.raw
        )
        with self.doing.alone(once.id):
            yield once


class Doing:
    """What is being done at present, so that the same request a second time is told to wait. Thread safe.

    Across processes the database decides: the second to commit finds the first one's answer.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids: set[str] = set()

    @contextmanager
    def alone(self, request: str) -> Iterator[None]:
        with self._lock:
            if request in self._ids:
                words = "A request with this Idempotency-Key is being done; send it again in a moment"
                raise Problem("in-progress", words, headers={"Retry-After": "1"})
            self._ids.add(request)
        try:
            yield
        finally:
            with self._lock:
                self._ids.discard(request)
