"""The threads of a running hub: one decides, one asks other systems, a pool sends. Woken by commits and by a sweep."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from hub.exchange.defaults import DEFAULTS
from hub.exchange.engine import Engine
from hub.exchange.ports import StoreUnavailable

log = logging.getLogger("hub.worker")

SWEEP_SECONDS = 1.0
AFTER_FAILURE_SECONDS = 1.0
GATHER_SECONDS = {"parse": 0.1, "apply": 0.1, "decide": 0.1, "dispatch": 0.1, "ask": 0.25, "upkeep": SWEEP_SECONDS}
"""How long a loop lets work gather before its next round: a round costs nearly the same for one message as for ten, and
every commit wakes every loop."""


class Worker:
    """`engine()` is the one of the active revision; `wait(seconds)` returns early when somebody committed work.

    `apart`: parsing, applying and deciding have a thread each, for a database that takes several writers; a round there
    is mostly waiting. Stopping lets what is under way finish.
    """

    def __init__(
        self,
        engine: Callable[[], Engine],
        wait: Callable[[float], bool],
        *,
        wake: Callable[[], None],
        senders: int = 8,
        apart: bool = False,
        failed: Callable[[], None] = lambda: None,
        worked: Callable[[], None] = lambda: None,
    ) -> None:
        self._engine = engine
        self._wait = wait
        self._wake = wake
        self._apart = apart
        self._failed = failed
        self._worked = worked
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(senders, thread_name_prefix="send")
        self._sending: dict[str, Future[int]] = {}
        self._threads: list[threading.Thread] = []

    def start(self, *, work: bool = True, scheduler: bool = True) -> None:
        """`work` parses, decides and sends; `scheduler` asks other systems and keeps the schedules."""
        loops: list[tuple[str, Callable[[], int]]] = []
        if work:
            loops += [*self._deciding(), ("dispatch", self._dispatch)]
        if work or scheduler:
            loops.append(("ask", self._ask))
        if scheduler:
            loops.append(("upkeep", lambda: self._engine().upkeep()))
        for name, once in loops:
            thread = threading.Thread(target=self._loop, args=(name, once), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self, timeout_seconds: float = 30.0) -> None:
        self._stop.set()
        self._wake()
        for thread in self._threads:
            thread.join(timeout_seconds)
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _loop(self, name: str, once: Callable[[], int]) -> None:
        while not self._stop.is_set():
            try:
                busy = once()
            except StoreUnavailable as error:
                log.warning("%s waits, the store is unavailable: %s", name, error)
                self._stop.wait(AFTER_FAILURE_SECONDS)
                continue
            except Exception:
                # The thread must outlive what nobody foresaw; rows that were claimed come back and count as claimed.
                log.exception("%s failed and goes on", name)
                self._failed()
                self._stop.wait(AFTER_FAILURE_SECONDS)
                continue
            if busy:
                self._worked()
            else:
                self._wait(SWEEP_SECONDS)
            if busy < DEFAULTS.claim_limit:  # else there is a backlog to work off
                self._stop.wait(GATHER_SECONDS[name])

    def _deciding(self) -> list[tuple[str, Callable[[], int]]]:
        if not self._apart:
            return [("decide", self._decide)]
        return [
            ("parse", lambda: self._engine().parse()),
            ("apply", lambda: self._engine().apply()),
            ("decide", lambda: self._engine().decide()),
        ]

    def _decide(self) -> int:
        engine = self._engine()
        return engine.parse() + engine.apply() + engine.decide()

    def _ask(self) -> int:
        return self._engine().ask()

    def _dispatch(self) -> int:
        for destination in self._engine().destinations_due():
            running = self._sending.get(destination)
            if running is None or running.done():
                self._sending[destination] = self._pool.submit(self._send, destination)
        return 0  # until something changes there is nothing new to start; a sender that ends wakes us

    def _send(self, destination: str) -> int:
        sent = 0
        try:
            while not self._stop.is_set():
                found = self._engine().drain(destination)
                sent += found
                if not found:
                    break
        except StoreUnavailable as error:
            log.warning("sending to %s waits, the store is unavailable: %s", destination, error)
            self._stop.wait(AFTER_FAILURE_SECONDS)
        except Exception:
            log.exception("sending to %s failed and goes on", destination)
            self._failed()
            self._stop.wait(AFTER_FAILURE_SECONDS)
        finally:
            self._wake()
        return sent
