"""The worker's threads: they outlive what fails, let nobody wait for another, and end when asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, cast

from hub.exchange.engine import Engine
from hub.exchange.ports import StoreUnavailable
from hub.runtime.worker import Worker


class Scripted:
    """An engine that does what a test says; everything else finds nothing to do."""

    def __init__(self, **steps: Callable[..., Any]) -> None:
        self._steps = steps

    def __getattr__(self, name: str) -> Callable[..., Any]:
        quiet: Callable[..., Any] = (lambda *_: []) if name == "destinations_due" else (lambda *_: 0)
        return self._steps.get(name, quiet)


def worker(engine: Scripted, counts: list[str], *, apart: bool = False) -> Worker:
    bell = threading.Event()
    return Worker(
        lambda: cast("Engine", engine),
        lambda seconds: bell.wait(min(seconds, 0.02)),
        wake=bell.set,
        senders=2,
        apart=apart,
        failed=lambda: counts.append("failed"),
        worked=lambda: counts.append("worked"),
    )


def awaited(event: threading.Event) -> bool:
    return event.wait(20)


def test_a_round_that_fails_is_counted_and_followed_by_another(monkeypatch: Any) -> None:
    monkeypatch.setattr("hub.runtime.worker.AFTER_FAILURE_SECONDS", 0.0)
    again = threading.Event()
    rounds: list[int] = []

    def apply() -> int:
        rounds.append(1)
        if len(rounds) == 1:
            raise ZeroDivisionError("a mistake")
        if len(rounds) == 2:
            raise StoreUnavailable("the disk is full")
        again.set()
        return 0

    counts: list[str] = []
    running = worker(Scripted(apply=apply), counts)
    running.start(scheduler=False)
    assert awaited(again)
    running.stop()
    assert counts.count("failed") == 1, "a store that is away is no failure of the worker"


def test_where_several_may_write_parsing_does_not_wait_for_what_is_being_applied() -> None:
    parsed, release = threading.Event(), threading.Event()

    def apply() -> int:
        release.wait(20)
        return 0

    def parse() -> int:
        parsed.set()
        return 0

    running = worker(Scripted(apply=apply, parse=parse), [], apart=True)
    running.start(scheduler=False)
    assert awaited(parsed)
    parsed.clear()
    assert awaited(parsed), "it comes round again while the other still waits"
    release.set()
    running.stop()


def test_a_destination_that_hangs_keeps_no_other_waiting() -> None:
    served, release = threading.Event(), threading.Event()

    def drain(destination: str) -> int:
        if destination == "slow":
            release.wait(20)
        else:
            served.set()
        return 0

    engine = Scripted(drain=drain, destinations_due=lambda: ["slow", "quick"])
    running = worker(engine, [])
    running.start(scheduler=False)
    assert awaited(served)
    release.set()
    running.stop()


def test_stopping_lets_what_is_under_way_finish() -> None:
    began, finished = threading.Event(), threading.Event()

    def drain(destination: str) -> int:
        del destination
        began.set()
        time.sleep(0.2)
        finished.set()
        return 0

    running = worker(Scripted(drain=drain, destinations_due=lambda: [] if began.is_set() else ["erp"]), [])
    running.start(scheduler=False)
    assert awaited(began)
    running.stop()
    assert finished.is_set()


def test_a_part_does_only_its_part() -> None:
    seen: set[str] = set()
    looked = threading.Event()

    def step(name: str) -> Callable[..., int]:
        def run(*_: object) -> int:
            seen.add(name)
            looked.set()
            return 0

        return run

    names = ("parse", "apply", "decide", "ask", "upkeep")
    running = worker(Scripted(**{name: step(name) for name in names}), [])
    running.start(work=False, scheduler=True)
    assert awaited(looked)
    running.stop()
    assert seen <= {"ask", "upkeep"}
