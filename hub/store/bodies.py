"""Where bytes lie: up to 1 MiB in their row, larger ones in a file beside the database or a PostgreSQL large object.

A file is written and synced before the transaction that names it, so a committed row always has its bytes; a file
without a row is what a crash between the two leaves, and is swept away when the hub starts.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

INLINE_BYTES = 1024 * 1024


class BodyShelf(Protocol):
    def place(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """The row of `bodies` as it is to be stored: large bytes put away, `file` naming where. Durable on return."""
        ...

    def read(self, file: str) -> bytes | None: ...

    def discard(self, file: str) -> None:
        """Remove one that no row names any more."""
        ...

    def sweep(self, known: Callable[[list[str]], set[str]]) -> int:
        """Remove what no row names; `known` answers which of the given names have rows. Count of the removed."""
        ...


class InlineShelf:
    """Everything stays in the row: the simulation in memory, and PostgreSQL's own out-of-line storage."""

    def place(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        return row

    def read(self, file: str) -> bytes | None:
        return None

    def discard(self, file: str) -> None:
        return None

    def sweep(self, known: Callable[[list[str]], set[str]]) -> int:
        return 0


class FolderShelf:
    """Files in one folder, named by the body's id; never overwritten, since a body never changes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def place(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        body = row.get("body")
        if not isinstance(body, bytes) or len(body) <= INLINE_BYTES:
            return row
        name = hashlib.sha256(str(row["id"]).encode()).hexdigest()[:40] + ".body"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        target, draft = self._folder / name, self._folder / (name + ".draft")
        with draft.open("wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return {**row, "body": None, "file": name}

    def read(self, file: str) -> bytes | None:
        try:
            return (self._folder / file).read_bytes()
        except FileNotFoundError:
            return None

    def discard(self, file: str) -> None:
        (self._folder / file).unlink(missing_ok=True)

    def sweep(self, known: Callable[[list[str]], set[str]]) -> int:
        if not self._folder.is_dir():
            return 0
        names = sorted(path.name for path in self._folder.iterdir())
        orphans = set(names) - known(names)
        for name in orphans:
            (self._folder / name).unlink(missing_ok=True)
        return len(orphans)
