"""A hub killed with SIGKILL between storing a file and moving it takes no order twice and loses none."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import SettableClock
from tests.connectors.sftp_site import environment, write_site
from tests.connectors.sftp_world import Partner, partner

LINES = [{"sku": "MUG-BLUE", "quantity": "2", "price": "9.25"}]


@pytest.fixture
def other(tmp_path: Path, clock: SettableClock) -> Iterator[Partner]:
    with partner(tmp_path, clock) as found:
        yield found


def run(folder: Path, other: Partner, point: str, since_seconds: int, minutes: int = 12) -> int:
    """One life of a hub; its exit code."""
    environ = {**os.environ, **environment(other), "HUB_TEST_SECONDS": str(since_seconds)}
    command = [sys.executable, "-m", "tests.connectors.sftp_dying_hub", str(folder / "config"), str(folder / "home")]
    ended = subprocess.run([*command, point, str(minutes)], env=environ, timeout=120, check=False, capture_output=True)
    if ended.returncode not in (0, -signal.SIGKILL):
        raise AssertionError(ended.stderr.decode())
    return ended.returncode


@pytest.mark.parametrize("point", ["before_store", "before_settle", "after_settle"])
def test_no_order_is_doubled_or_lost_wherever_the_hub_is_killed(
    tmp_path: Path, other: Partner, sqlite_template: Path, point: str
) -> None:
    write_site(tmp_path)
    (tmp_path / "home").mkdir()
    shutil.copy(sqlite_template, tmp_path / "home" / "hub.db")
    names = sorted(other.control("place", lines=LINES)["name"] for _ in range(3))
    assert run(tmp_path, other, point, 0) == -signal.SIGKILL
    assert other.names("/out") == ([] if point == "after_settle" else names)
    assert run(tmp_path, other, "never", 3600) == 0
    assert other.names("/out") == []
    assert other.names("/out/archive") == names
    # One acknowledgement for each group: each file was taken as one receipt, once.
    assert sorted(other.entries("acknowledgement")) == ["PO/1", "PO/2", "PO/3"]
    assert other.entries("repeated_interchange") == []
