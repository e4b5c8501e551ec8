"""A time limit whose clock starts late behaves as one that starts early."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from hub.api.patience import Patient

LONG = 30.0


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        await asyncio.wait_for(test(), 10)

    asyncio.run(limited())


async def at_once() -> str:
    return "here"


async def failing() -> str:
    await asyncio.sleep(0)
    raise ZeroDivisionError


async def never() -> str:
    await asyncio.Event().wait()
    raise AssertionError


def test_what_is_there_at_once_and_what_comes_later_are_given_alike() -> None:
    async def later() -> str:
        for _ in range(3):
            await asyncio.sleep(0.001)
        return await at_once()

    async def both() -> None:
        assert await Patient(at_once(), 0.0) == "here"
        assert await Patient(later(), LONG) == "here"

    run(both)


def test_what_does_not_come_in_time_is_given_up() -> None:
    ended: list[str] = []

    async def closing() -> str:
        try:
            return await never()
        finally:
            ended.append("work")

    async def waits() -> None:
        with pytest.raises(TimeoutError):
            await Patient(closing(), 0.01)
        assert ended == ["work"]

    run(waits)


def test_an_error_of_the_work_is_the_caller_s() -> None:
    async def waits() -> None:
        with pytest.raises(ZeroDivisionError):
            await Patient(failing(), LONG)

    run(waits)


def test_a_cancellation_reaches_the_work_and_is_no_timeout() -> None:
    heard: list[str] = []

    async def listening() -> str:
        try:
            return await never()
        except asyncio.CancelledError:
            heard.append("cancelled")
            raise

    async def cancels() -> None:
        async def waiting() -> str:
            return await Patient(listening(), LONG)

        task = asyncio.create_task(waiting())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert heard == ["cancelled"]

    run(cancels)
