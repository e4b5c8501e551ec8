"""Processes of a benchmark: the hub, sinks, load and floors, each a program of its own, and their durability checks."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.demo.processes import HubProcess, compiled_environment, free_port
from hub.store.engine import driver as sqlite
from tests.bench.site import SHOP, SHOP_SECRET, environment

LOAD_TIMEOUT_SECONDS = 600.0
SETTLE_TIMEOUT_SECONDS = 300.0
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Load:
    """What load.py printed."""

    sent: int
    stored: int
    seconds: float
    p50_ms: float
    p99_ms: float
    max_ms: float


def program(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", f"tests.bench.{module}", *arguments]


def run_load(
    url: str, orders: int, *, first: int, per_second: float = 0.0, connections: int = 16, assortments: int = 2
) -> Load:
    """Send orders from a process of its own. Raises RuntimeError where one was not answered 202."""
    arguments = ["--url", url, "--secret", SHOP_SECRET, "--orders", str(orders), "--first", str(first)]
    arguments += ["--per-second", str(per_second), "--connections", str(connections)]
    arguments += ["--assortments", str(assortments)]
    done = subprocess.run(
        program("load", *arguments),
        env=compiled_environment(),
        stdout=subprocess.PIPE,
        timeout=LOAD_TIMEOUT_SECONDS,
        check=True,
    )
    said = json.loads(done.stdout)
    stored = int(said["answers"].get("202", 0))
    if stored != orders:
        raise RuntimeError(f"{orders} webhooks were sent and answered {said['answers']}")
    return Load(said["sent"], stored, said["seconds"], said["p50_ms"], said["p99_ms"], said["max_ms"])


@contextlib.contextmanager
def served(module: str, *arguments: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """A program that prints one line of JSON when it listens; (process id, the line). Killed at the end: what it
    promised must be on disk by then."""
    process = subprocess.Popen(program(module, *arguments), env=compiled_environment(), stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"{module} did not start (exit {process.wait(10)})")
        yield process.pid, json.loads(line)
    finally:
        process.kill()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


@contextlib.contextmanager
def hub(folder: Path, config: Path) -> Iterator[HubProcess]:
    """A running hub on a database of its own; killed at the end, not stopped: see `served`."""
    process = HubProcess(config, folder / "home", port=free_port(), environ=environment())
    process.start()
    try:
        process.wait_ready()
        yield process
    finally:
        process.kill()


def hooks_url(process: HubProcess) -> str:
    return f"{process.url}/in/{SHOP}/orders/create"


def database_of(process: HubProcess) -> Path:
    return process.home / "hub.db"


def count(database: Path, sql: str, parameters: Sequence[object] = ()) -> int:
    """One number from a database, read only."""
    connection = sqlite.connect(f"file:{database}?mode=ro", uri=True, timeout=10)
    try:
        return int(connection.execute(sql, tuple(parameters)).fetchone()[0])
    finally:
        connection.close()


def wait_until(reached: Callable[[], bool], what: str, alive: Callable[[], bool]) -> None:
    """Raises RuntimeError when it takes too long or the process that works on it has ended."""
    end = time.monotonic() + SETTLE_TIMEOUT_SECONDS
    while not reached():
        if time.monotonic() > end or not alive():
            raise RuntimeError(f"{what}: not reached")
        time.sleep(POLL_SECONDS)


__all__ = ["Load", "count", "database_of", "hooks_url", "hub", "run_load", "served", "wait_until"]
