"""One process owns a SQLite database: a lock of the operating system on a file beside it, gone with the process.

Writing commands of other processes go to the owner through its control socket (see hub.store.control).
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path


class OwnerRunning(Exception):
    """Another process owns this database. `pid` is that process, 0 if it has not said yet."""

    def __init__(self, path: Path, pid: int) -> None:
        who = f"process {pid}" if pid else "another process"
        super().__init__(f"{path} is owned by {who}; a SQLite database has one owner, use PostgreSQL for several")
        self.pid = pid


@dataclass(slots=True)
class Owner:
    """The lock, held until released or the process ends."""

    path: Path
    descriptor: int

    def release(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def lock_path(database: Path) -> Path:
    return database.with_name(database.name + ".lock")


def take_ownership(database: Path) -> Owner:
    """Raises OwnerRunning at once if somebody else holds it."""
    path = lock_path(database)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = _pid(descriptor)
        os.close(descriptor)
        raise OwnerRunning(database, pid) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return Owner(path, descriptor)


def owner_pid(database: Path) -> int | None:
    """The process that owns the database now; None if nobody does."""
    try:
        descriptor = os.open(lock_path(database), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _pid(descriptor)
    else:
        return None
    finally:
        os.close(descriptor)


def _pid(descriptor: int) -> int:
    text = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
    return int(text) if text.isdigit() else 0
