"""CPU of processes, and what a SQLite database wrote, both read from outside."""

from __future__ import annotations

import os
import struct
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

SAMPLE_SECONDS = 0.02
_INDEX_HEADER = struct.Struct("=IIIBBHIIIIII")
"""The first bytes of the -shm file (SQLite, "WAL-mode File Format", the WAL-index header): version, unused, commits,
flags, page size, frames, pages, checksums of the last frame, salts."""


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, its live children and those it has waited for.

    The process and its live children are read from their processor clocks, exact to the nanosecond: the counters in
    /proc move in steps of 10 ms, and a short run of a fast program is less than one step. (clock_getcpuclockid(3): the
    clock of a process is its number complemented, shifted by three bits, with CPUCLOCK_SCHED = 2 in the low bits.)
    """
    process = psutil.Process(pid)
    waited_for = process.cpu_times()
    total = waited_for.children_user + waited_for.children_system
    for one in (process, *process.children(recursive=True)):
        total += time.clock_gettime((~one.pid << 3) | 2)
    return total


def process_line(pid: int, name: str, seconds: float) -> dict[str, Any]:
    """How a measured process stands in the output."""
    return {"name": name, "cpu_seconds": round(seconds, 3), "threads": psutil.Process(pid).num_threads()}


def beside() -> dict[str, Any]:
    """What else ran: load average of the last minute and the number of processors."""
    return {"load_average": round(os.getloadavg()[0], 2), "processors": os.cpu_count()}


def percentile(values: Iterable[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


@dataclass(frozen=True, slots=True)
class Written:
    """`fsyncs` follows from the settings: with synchronous FULL one a commit, three more when the log starts anew (log
    and database at its checkpoint, and the new log's header)."""

    commits: int
    wal_bytes: int
    restarts: int

    @property
    def fsyncs(self) -> int:
        return self.commits + 3 * self.restarts


class WalWatch:
    """Samples the write-ahead log's index while a database is written by others. Frames written between the last
    sample and a restart of the log are missed, so bytes are a few per cent low."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + "-shm")
        self._stop = threading.Event()
        self._first = self._last = self._read()
        self._frames = 0
        self._restarts = 0
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _read(self) -> tuple[int, int, int, int]:
        """commits, page size, frames, first salt"""
        with self._path.open("rb") as file:
            fields = _INDEX_HEADER.unpack(file.read(_INDEX_HEADER.size))
        return fields[2], fields[5] or 4096, fields[6], fields[10]

    def _watch(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            self._sample()

    def _sample(self) -> None:
        now = self._read()
        if now[3] != self._last[3] or now[2] < self._last[2]:
            self._restarts += 1
            self._frames += now[2]
        else:
            self._frames += now[2] - self._last[2]
        self._last = now

    def end(self) -> Written:
        self._stop.set()
        self._thread.join()
        self._sample()
        return Written(self._last[0] - self._first[0], self._frames * (self._last[1] + 24), self._restarts)
