"""From the thread that commits into the event loop: one wake-up for everybody whom a commit answers."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class Landings(Generic[T]):
    """For one event loop. `asyncio.wrap_future` wakes the loop once for every future, and cancels the work of another
    thread when the one who waits for it is cancelled; here the work goes on and only its result is dropped."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._landed: deque[tuple[asyncio.Future[T], Future[T]]] = deque()
        self._called = False

    def __call__(self, work: Future[T]) -> asyncio.Future[T]:
        """What to await in the loop for `work`, which another thread resolves."""
        waiter: asyncio.Future[T] = self.loop.create_future()

        def landed(done: Future[T]) -> None:
            self._landed.append((waiter, done))
            # Set here before the call and taken back there before the queue is emptied: what is appended is either seen
            # by the call that is under way or makes one of its own.
            if not self._called and not self.loop.is_closed():
                self._called = True
                self.loop.call_soon_threadsafe(self._hand_out)

        work.add_done_callback(landed)
        return waiter

    def _hand_out(self) -> None:
        self._called = False
        while self._landed:
            waiter, done = self._landed.popleft()
            if waiter.done():  # cancelled: nobody is there to be told
                continue
            error = done.exception()
            if error is not None:
                waiter.set_exception(error)
            else:
                waiter.set_result(done.result())
