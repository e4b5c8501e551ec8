"""One process owns a SQLite database, and others reach it by its control socket."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from hub.store.control import ControlRefused, ControlServer, ControlUnavailable, call, socket_path
from hub.store.owner import OwnerRunning, owner_pid, take_ownership
from tests.conftest import Database, SettableClock

OWNING = """
    import sys, time
    from pathlib import Path
    from hub.store.owner import take_ownership
    owner = take_ownership(Path(sys.argv[1]))
    print("owned", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other_owner(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(OWNING), str(tmp_path / "hub.db")],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "owned\n"
    yield process
    process.kill()
    process.wait(10)
    process.stdout.close()


def test_a_second_owner_is_refused_and_told_who_the_first_is(
    other_owner: subprocess.Popen[str], tmp_path: Path
) -> None:
    assert owner_pid(tmp_path / "hub.db") == other_owner.pid
    with pytest.raises(OwnerRunning, match="PostgreSQL for several") as refused:
        take_ownership(tmp_path / "hub.db")
    assert refused.value.pid == other_owner.pid


def test_kill_9_frees_the_ownership_at_once(other_owner: subprocess.Popen[str], tmp_path: Path) -> None:
    other_owner.send_signal(signal.SIGKILL)
    other_owner.wait(10)
    assert owner_pid(tmp_path / "hub.db") is None
    owner = take_ownership(tmp_path / "hub.db")
    assert owner_pid(tmp_path / "hub.db") == os.getpid()
    owner.release()


def test_a_store_is_opened_by_one_owner_at_a_time(
    make_database: Callable[[str], Database], clock: SettableClock
) -> None:
    database = make_database("sqlite")
    first = database.open(clock)
    with pytest.raises(OwnerRunning):
        database.open(clock)
    database.close(first)
    assert database.open(clock).epoch == 2


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Path]:
    asked = threading.Event()

    def hold(args: Mapping[str, Any]) -> Any:
        asked.set()
        if not args["order"]:
            raise ValueError("which order?")
        return {"held": args["order"]}

    server = ControlServer(tmp_path, {"orders.hold": hold})
    yield tmp_path
    server.close()


def test_the_owner_answers_calls(control: Path) -> None:
    assert call(control, "ping", {}) == {"pid": os.getpid()}
    assert call(control, "orders.hold", {"order": "or-1"}) == {"held": "or-1"}


def test_the_owners_refusal_reaches_the_caller(control: Path) -> None:
    with pytest.raises(ControlRefused, match="which order") as refused:
        call(control, "orders.hold", {"order": ""})
    assert refused.value.kind == "ValueError"
    with pytest.raises(ControlRefused, match="knows no call"):
        call(control, "orders.eat", {})


def test_only_this_user_may_connect(control: Path) -> None:
    assert socket_path(control).stat().st_mode & 0o777 == 0o600


def test_without_an_owner_nobody_answers(tmp_path: Path) -> None:
    with pytest.raises(ControlUnavailable):
        call(tmp_path, "ping", {})


def test_a_socket_left_by_a_killed_owner_is_taken_over(control: Path) -> None:
    second = ControlServer(control, {})
    assert call(control, "ping", {}) == {"pid": os.getpid()}
    second.close()


def test_a_home_with_a_very_long_path_has_a_control_socket_too(tmp_path: Path) -> None:
    home = tmp_path / ("long" * 40)
    server = ControlServer(home, {})
    assert call(home, "ping", {}) == {"pid": os.getpid()}
    server.close()
