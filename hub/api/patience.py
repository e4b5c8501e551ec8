"""A time limit that costs nothing where there is nothing to wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Patient(Generic[T]):
    """Awaits `work` as inside `asyncio.timeout(seconds)`, but the clock starts when `work` first has to wait: a timer a
    request costs more than reading the body, which mostly came with the headers. Raises TimeoutError."""

    __slots__ = ("_seconds", "_work")

    def __init__(self, work: Coroutine[Any, Any, T], seconds: float) -> None:
        self._work, self._seconds = work, seconds

    def __await__(self) -> Generator[Any, Any, T]:
        steps = self._work.__await__()
        try:
            asked = next(steps)
        except StopIteration as done:
            result: T = done.value
            return result
        return (yield from self._timed(asked, steps).__await__())

    async def _timed(self, asked: Any, steps: Generator[Any, Any, T]) -> T:
        async with asyncio.timeout(self._seconds):
            return await _Rest(asked, steps)


class _Rest(Generic[T]):
    """What is left of a generator whose first step has been taken."""

    def __init__(self, asked: Any, steps: Generator[Any, Any, T]) -> None:
        self._asked, self._steps = asked, steps

    def __await__(self) -> Generator[Any, Any, T]:
        asked = self._asked
        while True:
            error: BaseException | None = None
            given: Any = None
            try:
                given = yield asked
            except BaseException as thrown:  # noqa: BLE001 - also a cancellation: the work says what comes of it
                error = thrown
            try:
                asked = self._steps.send(given) if error is None else self._steps.throw(error)
            except StopIteration as done:
                result: T = done.value
                return result
