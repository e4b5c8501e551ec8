"""Which demo runs: a lock beside its home that ends with the process, and what a second start must know of it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.store.owner import owner_pid

MARK = "demo.json"
"""Lies in every home that a demo made, so that nothing else is ever emptied."""
ORPHAN_SECONDS = 35.0


class NotADemo(Exception):
    """The home holds something that no demo made."""


@dataclass(slots=True)
class DemoLock:
    """Held until released or the process ends. `write` says what the next start shall know."""

    path: Path
    descriptor: int

    def write(self, facts: Mapping[str, Any]) -> None:
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, json.dumps(dict(facts)).encode(), 0)

    def release(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def take_lock(home: Path) -> DemoLock | dict[str, Any]:
    """The lock, or what the running demo says of itself (empty while it starts)."""
    home.parent.mkdir(parents=True, exist_ok=True)
    path = home.parent / f"{home.name}.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        facts = _read(descriptor)
        os.close(descriptor)
        return facts
    lock = DemoLock(path, descriptor)
    lock.write({"pid": os.getpid()})
    return lock


def _read(descriptor: int) -> dict[str, Any]:
    try:
        found = json.loads(os.pread(descriptor, 65_536, 0) or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def prepare_home(home: Path, *, database: str, keep: bool) -> None:
    """An empty home, or the one of the last demo. Raises NotADemo for a folder with something else in it."""
    if home.is_dir() and any(home.iterdir()) and not (home / MARK).is_file():
        raise NotADemo(f"{home} holds files that no demo made; move them away or set HUB_HOME")
    _end_orphan(home / database)
    if home.is_dir() and not keep:
        shutil.rmtree(home)
    home.mkdir(parents=True, exist_ok=True)
    (home / MARK).write_text('{"made by": "hub demo"}\n', encoding="utf-8")


def _end_orphan(database: Path) -> None:
    """A hub whose demo was killed (we hold the demo's lock, so it has none) is asked to end, as its demo would have."""
    pid = owner_pid(database)
    if not pid:
        return
    os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + ORPHAN_SECONDS
    while owner_pid(database) == pid and time.monotonic() < until:
        time.sleep(0.05)
