"""Commands of the hub as a user types them: processes of their own, in a home of their own."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
COMMAND_SECONDS = 300


def environ(home: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HUB_", "DEMO_"))}
    return {**kept, "HUB_HOME": str(home), "PYTHONPATH": str(CHECKOUT), **more}


def hub(
    home: Path, *arguments: str, check: int | None = 0, more: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `hub ARGUMENTS`; fails with everything it said unless it ended with `check`."""
    done = subprocess.run(
        [sys.executable, "-m", "hub", *arguments],
        env=environ(home, **(more or {})),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    if check is not None:
        assert done.returncode == check, (
            f"hub {' '.join(arguments)} ended with {done.returncode}\n{done.stderr[-4000:]}"
        )
    return done


def data(home: Path, *arguments: str, check: int | None = 0, more: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What `hub ARGUMENTS --json` printed, one JSON object."""
    found: dict[str, Any] = json.loads(hub(home, *arguments, "--json", check=check, more=more).stdout)
    assert found["hub_cli"] == "1.0"
    return found


def until(condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.05)


@contextmanager
def ledger(path: Path) -> Iterator[sqlite3.Connection]:
    """An emulated system's own file, read-only."""
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=10)
    try:
        yield connection
    finally:
        connection.close()


def entries(path: Path, kind: str) -> list[tuple[str, str, dict[str, Any]]]:
    """(key, subject, data) of one kind, in the order they happened."""
    with ledger(path) as connection:
        rows = connection.execute("SELECT key, subject, data FROM entries WHERE kind = ? ORDER BY id", (kind,))
        return [(key, subject, json.loads(text)) for key, subject, text in rows]


def memory(path: Path, prefix: str) -> dict[str, Any]:
    """What the system remembers under names with this prefix."""
    with ledger(path) as connection:
        rows = connection.execute("SELECT name, data FROM state WHERE name LIKE ? || '%' ORDER BY name", (prefix,))
        return {name: json.loads(text) for name, text in rows}
