"""The emulated partner as a process of its own, controlled over HTTP as the demo does it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hub.demo.processes import EmulatorProcess
from hub.sdk.errors import TransportError
from hub.transport.sftp import SftpAccess, SftpFiles
from tests.conftest import SettableClock
from tests.connectors.sftp_world import PASSWORD, POLICY

EMULATOR = "connectors.sftp_files.emulator:PartnerEmulator"
LINES = [{"sku": "MUG-BLUE", "quantity": 3, "price": "9.25"}, {"sku": "TEE-M", "quantity": "1.5", "price": "11.10"}]


@pytest.fixture
def process(tmp_path: Path) -> Iterator[EmulatorProcess]:
    started = EmulatorProcess(EMULATOR, tmp_path / "edi.ledger", config={"password": PASSWORD})
    yield started
    started.stop()


def session(process: EmulatorProcess, clock: SettableClock) -> SftpFiles:
    told = process.status()
    access = SftpAccess(
        host=told["sftp_host"], port=told["sftp_port"], host_keys=[told["host_key"]], username="hub", password=PASSWORD
    )
    return SftpFiles(access, clock, POLICY)


def test_an_order_that_is_placed_lies_there_with_its_number_name_and_total(
    process: EmulatorProcess, clock: SettableClock
) -> None:
    placed = process.control("place", {"po": "4711", "lines": LINES})
    assert (placed["id"], placed["total_price"]) == ("4711", "44.40")
    body = session(process, clock).read(f"/out/{placed['name']}", max_bytes=10_000)
    assert b"BEG*00*SA*4711**" in body
    assert b"AMT*TT*44.40~" in body
    with pytest.raises(ValueError, match="lines"):
        process.control("place", {"po": "4712"})


def test_what_the_hub_puts_is_listed_when_it_is_whole(process: EmulatorProcess, clock: SettableClock) -> None:
    assert process.control("inbox") == {"files": []}
    session(process, clock).write("/in/note.json", b"{}")
    assert process.control("inbox") == {"files": [{"name": "note.json", "bytes": 2, "set": None}]}


def test_its_ledger_and_its_host_key_outlive_the_process(
    tmp_path: Path, process: EmulatorProcess, clock: SettableClock
) -> None:
    process.control("place", {"po": "4711", "lines": LINES})
    key = process.status()["host_key"]
    process.stop()
    with closing(sqlite3.connect(tmp_path / "edi.ledger")) as ledger:
        rows = ledger.execute("SELECT kind, key FROM entries").fetchall()
    assert rows == [("order_placed", "4711")]
    again = EmulatorProcess(EMULATOR, tmp_path / "edi.ledger", config={"password": PASSWORD})
    try:
        assert again.status()["host_key"] == key
        assert again.control("place", {"lines": LINES})["control"] == 2
    finally:
        again.stop()


def test_scripted_faults_strike_the_call_of_their_number_and_are_counted(
    process: EmulatorProcess, clock: SettableClock
) -> None:
    process.set_faults(script={"2": "drop_before"})
    files = session(process, clock)
    with pytest.raises(TransportError):  # the second call; the first is the login
        files.list("/out", wanted=lambda _: True, limit=5)
    assert files.list("/out", wanted=lambda _: True, limit=5) == []
    assert process.status()["faults"] == {"drop_before": 1}
