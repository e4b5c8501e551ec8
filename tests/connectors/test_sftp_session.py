"""The SFTP port on real SSH over loopback: only to pinned servers, bounded in time and size, reopened when it broke."""

from __future__ import annotations

import datetime as dt
import io
import random
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest

from hub.sdk.emulator import Faults
from hub.sdk.errors import (
    ConfigurationError,
    FileDenied,
    FileMissing,
    FileStands,
    FileTooLarge,
    HostKeyRefused,
    LoginRefused,
    TransportError,
)
from hub.sdk.ports import RemoteFile
from hub.transport.sftp_session import read_private_key
from tests.conftest import SettableClock
from tests.connectors.sftp_world import POLICY, Partner, partner


def everything(_: RemoteFile) -> bool:
    return True


@pytest.fixture
def other(tmp_path: Path, clock: SettableClock) -> Iterator[Partner]:
    with partner(tmp_path, clock) as found:
        yield found


def new_key(passphrase: str = "") -> str:
    return written(paramiko.ECDSAKey.generate(), passphrase)


def written(key: paramiko.PKey, passphrase: str = "") -> str:
    text = io.StringIO()
    key.write_private_key(text, passphrase or None)
    return text.getvalue()


def public(private: str, passphrase: str = "") -> str:
    return read_private_key(private, passphrase).get_base64()


def test_files_are_listed_oldest_first_and_no_more_than_asked_for(other: Partner) -> None:
    for age, name in ((30, "b.850"), (10, "a.850"), (20, "c.850")):
        other.control("put", name=name, text="x", age_seconds=age)
    files = other.session()
    assert [one.name for one in files.list("/out", wanted=everything, limit=9)] == ["b.850", "c.850", "a.850"]
    assert [one.name for one in files.list("/out", wanted=everything, limit=1)] == ["b.850"]
    assert {one.kind for one in files.list("/", wanted=everything, limit=9)} == {"directory"}


def test_what_is_written_stands_whole_under_its_name_and_is_not_overwritten(other: Partner) -> None:
    files = other.session()
    files.write("/in/a.x12", b"first")
    with pytest.raises(FileStands):
        files.write("/in/a.x12", b"second")
    assert (other.root / "in/a.x12").read_bytes() == b"first"
    assert other.names("/in") == ["a.x12"]
    assert other.entries("file_written") == ["/in/a.x12.tmp"]


def test_a_large_file_is_read_whole_and_one_that_is_too_large_is_not(other: Partner) -> None:
    body = bytes(range(256)) * 4_000
    (other.root / "out/big").write_bytes(body)
    files = other.session()
    assert files.read("/out/big", max_bytes=len(body)) == body
    with pytest.raises(FileTooLarge):
        files.read("/out/big", max_bytes=len(body) - 1)
    assert files.read("/out/big", max_bytes=len(body)) == body


def test_what_is_not_there_and_what_is_forbidden_are_told_apart(other: Partner) -> None:
    files = other.session()
    assert files.stat("/out/none") is None
    with pytest.raises(FileMissing) as missing:
        files.read("/out/none", max_bytes=10)
    assert missing.value.before_first_byte
    other.put("a.850")
    other.fault("read", "permission_denied")
    with pytest.raises(FileDenied):
        files.read("/out/a.850", max_bytes=10)


def test_a_server_with_another_key_is_refused_before_a_password_is_sent(other: Partner) -> None:
    stranger = f"ecdsa-sha2-nistp256 {public(new_key())}"
    with pytest.raises(HostKeyRefused):
        other.session(host_keys=[stranger]).stat("/out")
    assert other.emulator.calls == 0
    assert other.session(host_keys=[stranger, other.pin]).stat("/out") is not None


def test_a_server_without_a_key_of_the_pinned_kind_is_refused(other: Partner) -> None:
    rsa = paramiko.RSAKey.generate(2048)
    with pytest.raises(HostKeyRefused):
        other.session(host_keys=[f"ssh-rsa {rsa.get_base64()}"]).stat("/out")


@pytest.mark.parametrize("pin", ["ssh-ed25519", "ssh-ed25519 AAAA", "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIA==", ""])
def test_a_pin_that_is_none_is_a_fault_of_the_configuration(other: Partner, pin: str) -> None:
    with pytest.raises(ConfigurationError):
        other.session(host_keys=[pin]).stat("/out")


def test_a_wrong_password_is_a_refused_login_that_does_not_quote_it(other: Partner) -> None:
    with pytest.raises(LoginRefused) as refused:
        other.session(password="wrong-one").stat("/out")
    assert "wrong-one" not in str(refused.value)
    assert "hub" in str(refused.value)


@pytest.mark.parametrize("passphrase", ["", "open sesame"])
def test_a_key_lets_us_in_without_a_password(tmp_path: Path, clock: SettableClock, passphrase: str) -> None:
    private = new_key(passphrase)
    with partner(tmp_path, clock, public_key=public(private, passphrase)) as other:
        files = other.session(password=None, private_key=private, passphrase=passphrase)
        assert files.stat("/out") is not None
        with pytest.raises(LoginRefused):
            other.session(password=None, private_key=new_key()).stat("/out")


def test_an_rsa_key_lets_us_in_too(tmp_path: Path, clock: SettableClock) -> None:
    key = paramiko.RSAKey.generate(2048)
    with partner(tmp_path, clock, public_key=key.get_base64()) as other:
        assert other.session(password=None, private_key=written(key)).stat("/out") is not None


@pytest.mark.parametrize(("text", "passphrase"), [("no key", ""), (new_key("x"), ""), (new_key("x"), "y")])
def test_a_key_that_cannot_be_read_is_a_fault_of_the_configuration(other: Partner, text: str, passphrase: str) -> None:
    with pytest.raises(ConfigurationError):
        other.session(password=None, private_key=text, passphrase=passphrase).stat("/out")


def test_a_session_that_broke_is_opened_again(other: Partner) -> None:
    files = other.session()
    assert files.stat("/out") is not None
    other.control("drop")
    assert files.stat("/out") is not None
    files.close()
    assert files.stat("/out") is not None


def test_a_write_whose_line_is_cut_before_the_rename_has_not_happened(other: Partner) -> None:
    files = other.session()
    other.fault("write", "drop_after")
    with pytest.raises(TransportError) as cut:
        files.write("/in/a.x12", b"body")
    assert cut.value.before_first_byte
    assert other.names("/in") == ["a.x12.tmp"]
    files.write("/in/a.x12", b"body")
    assert other.names("/in") == ["a.x12"]


def test_a_rename_whose_line_is_cut_may_have_happened(other: Partner) -> None:
    files = other.session()
    other.fault("rename", "drop_after")
    with pytest.raises(TransportError) as cut:
        files.write("/in/a.x12", b"body")
    assert not cut.value.before_first_byte
    assert other.names("/in") == ["a.x12"]


def test_a_rename_that_says_no_and_did_it_is_seen_to_have_done_it(other: Partner) -> None:
    other.fault("rename", "error_after")
    other.session().write("/in/a.x12", b"body")
    assert other.names("/in") == ["a.x12"]


def test_a_rename_that_says_no_has_not_happened(other: Partner) -> None:
    other.fault("rename", "error_before")
    with pytest.raises(TransportError) as refused:
        other.session().write("/in/a.x12", b"body")
    assert refused.value.before_first_byte
    assert other.names("/in") == ["a.x12.tmp"]


def test_a_line_that_is_cut_in_the_middle_of_a_file_gives_no_half_of_it(other: Partner) -> None:
    (other.root / "out/a.850").write_bytes(b"x" * 300_000)
    files = other.session()
    assert files.stat("/out/a.850") is not None
    other.fault("read", "partial_file", times=2)
    with pytest.raises(TransportError):
        files.read("/out/a.850", max_bytes=1_000_000)
    assert len(files.read("/out/a.850", max_bytes=1_000_000)) == 300_000


def test_directories_are_made_with_those_above_them_and_may_stand_already(other: Partner) -> None:
    files = other.session()
    files.make_directory("/out/archive/2026/11")
    files.make_directory("/out/archive/2026/11")
    assert (other.root / "out/archive/2026/11").is_dir()


def test_a_server_that_says_nothing_is_given_up_in_time(clock: SettableClock, other: Partner) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hasty = replace(POLICY, banner=0.3, login=0.5)
        with pytest.raises(TransportError) as waited:
            other.session(hasty, port=silent.getsockname()[1]).stat("/out")
    assert waited.value.before_first_byte


def test_a_server_that_falls_silent_is_given_up_at_the_deadline(clock: SettableClock, tmp_path: Path) -> None:
    with partner(tmp_path, clock, Faults(delay_seconds=60.0)) as other:
        files = other.session()
        assert files.stat("/out") is not None
        other.put("a.850")
        other.fault("list", "delay")
        other.emulator.random = Longest()
        began = time.monotonic()
        deadline = clock.now() + dt.timedelta(seconds=0.5)
        with pytest.raises(TransportError):
            files.list("/out", wanted=everything, limit=1, deadline=deadline)
        assert time.monotonic() - began < 5
        with pytest.raises(TransportError) as late:
            files.write("/in/a.x12", b"body", deadline=clock.now())
        assert late.value.before_first_byte
        assert other.names("/in") == []


class Longest(random.Random):
    """Draws the longest delay there is."""

    def random(self) -> float:
        return 0.999


def test_nobody_at_the_address_is_a_call_that_did_not_happen(other: Partner) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(TransportError) as refused:
        other.session(port=port).stat("/out")
    assert refused.value.before_first_byte


def test_threads_share_one_session(other: Partner) -> None:
    for number in range(20):
        other.put(f"{number}.850", str(number) * 1000)
    files = other.session()
    found: dict[int, bytes] = {}

    def read(number: int) -> None:
        found[number] = files.read(f"/out/{number}.850", max_bytes=10_000)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found == {number: str(number).encode() * 1000 for number in range(20)}
    assert other.emulator.calls == 21  # one login
