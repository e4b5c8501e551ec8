"""The same port and connector against OpenSSH's own server, where there is one."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from connectors.sftp_files.connector import SftpFiles
from hub.sdk.connector import Context, FileRules
from hub.sdk.errors import FileMissing, FileStands, HostKeyRefused
from hub.sdk.ports import SftpPort
from hub.transport.http import HttpPolicy, RequestsHttp
from hub.transport.sftp import SftpAccess
from hub.transport.sftp import SftpFiles as SftpSession
from tests.conftest import SettableClock
from tests.connectors.declarative_world import Kept
from tests.connectors.sftp_world import POLICY

SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin")
SETTINGS = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_ed25519
HostKey {folder}/host_rsa
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
Subsystem sftp internal-sftp
"""
SHELL = pwd.getpwuid(os.getuid()).pw_shell
pytestmark = [
    pytest.mark.skipif(SSHD is None, reason="no sshd: install openssh-server to run against OpenSSH"),
    pytest.mark.skipif(
        SHELL.endswith(("nologin", "false")), reason="sshd lets nobody in whose account has no shell, as ours here"
    ),
]


def ssh_keygen(path: Path, kind: str) -> str:
    """Makes a key; its public half as a pin."""
    command = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(path), *(["-b", "2048"] if kind == "rsa" else [])]
    subprocess.run(command, check=True, timeout=60)
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])


class OpenSsh:
    """sshd for this user only, on loopback; it serves the whole file system, so paths begin with `root`."""

    def __init__(self, folder: Path, clock: SettableClock) -> None:
        self.root, self.clock = folder / "files", clock
        for name in ("out", "in"):
            (self.root / name).mkdir(parents=True)
        self.pins = [ssh_keygen(folder / "host_ed25519", "ed25519"), ssh_keygen(folder / "host_rsa", "rsa")]
        ssh_keygen(folder / "login", "ed25519")
        shutil.copy(folder / "login.pub", folder / "authorized_keys")
        self.private = (folder / "login").read_text()
        with closing(socket.create_server(("127.0.0.1", 0))) as listener:
            self.port = int(listener.getsockname()[1])
        (folder / "sshd_config").write_text(SETTINGS.format(folder=folder, port=self.port))
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # privilege separation wants it
        assert SSHD is not None
        self._log = (folder / "sshd.log").open("wb")
        self.process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=self._log)
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((folder / "sshd.log").read_text()) from None
                time.sleep(0.02)
            else:
                return

    def access(self, **changes: object) -> dict[str, object]:
        given = {
            "host": "127.0.0.1",
            "port": self.port,
            "host_keys": self.pins[:1],
            "username": getpass.getuser(),
            "private_key": self.private,
        }
        return given | changes

    def session(self, **changes: object) -> SftpSession:
        return SftpSession(SftpAccess(**self.access(**changes)), self.clock, POLICY)  # type: ignore[arg-type]

    def connector(self, **rules: object) -> SftpFiles:
        def opened(**access: object) -> SftpPort:
            return SftpSession(SftpAccess(**access), self.clock, POLICY)  # type: ignore[arg-type]

        given = {"directory": f"{self.root}/out", "stable_for_seconds": 0.0} | rules
        context = Context(
            connection="edi-acme",
            config=self.access(),
            http=RequestsHttp(HttpPolicy(), self.clock),
            clock=self.clock,
            log=Kept(),
            loads=lambda body: body,
            loads_xml=lambda body: body,
            soap=lambda **_: None,  # type: ignore[arg-type]
            start_from={},
            sftp=opened,
            files={"orders": FileRules(**given)},  # type: ignore[arg-type]
        )
        return SftpFiles(context)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(10)
        self._log.close()


@pytest.fixture
def ssh(tmp_path: Path, clock: SettableClock) -> Iterator[OpenSsh]:
    server = OpenSsh(tmp_path, clock)
    yield server
    server.close()


def test_files_go_there_and_back_whole(ssh: OpenSsh) -> None:
    files, path = ssh.session(), f"{ssh.root}/in/a.x12"
    body = os.urandom(3_000_000)
    files.write(path, body)
    assert files.read(path, max_bytes=4_000_000) == body
    assert [entry.name for entry in (ssh.root / "in").iterdir()] == ["a.x12"]
    with pytest.raises(FileStands):
        files.write(path, b"other")
    with pytest.raises(FileMissing):
        files.rename(f"{ssh.root}/in/none", f"{ssh.root}/in/b")


@pytest.mark.parametrize("number", [0, 1])
def test_either_of_the_servers_keys_may_be_pinned(ssh: OpenSsh, number: int) -> None:
    assert ssh.session(host_keys=[ssh.pins[number]]).stat(str(ssh.root)) is not None


def test_another_key_is_refused(ssh: OpenSsh, tmp_path: Path) -> None:
    stranger = ssh_keygen(tmp_path / "stranger", "ed25519")
    with pytest.raises(HostKeyRefused):
        ssh.session(host_keys=[stranger]).stat(str(ssh.root))


def test_a_name_that_is_no_utf8_hides_no_other_and_is_taken_like_them(ssh: OpenSsh) -> None:
    awkward = os.fsdecode(b"caf\xe9 \x07.850")
    for name in (awkward, "plain.850"):
        (ssh.root / "out" / name).write_bytes(b"order")
    connector = ssh.connector()
    (batch,) = connector.read("orders", None, 250)
    connector.settle(batch)
    shown = sorted(receipt.headers["x-file"].rpartition("/")[2] for receipt in batch.receipts)
    assert shown == ["caf\\xe9 \\x07.850", "plain.850"]
    assert sorted(entry.name for entry in (ssh.root / "out/archive").iterdir()) == [awkward, "plain.850"]


def test_two_thousand_files_are_listed_oldest_first(ssh: OpenSsh) -> None:
    for number in range(2_000):
        path = ssh.root / f"out/{number * 7 % 2_000:04d}.850"
        path.write_bytes(b"")
        os.utime(path, (number, number))
    found = ssh.session().list(f"{ssh.root}/out", wanted=lambda _: True, limit=1_500)
    assert [one.modified_at for one in found] == list(range(1_500))


def test_a_session_that_the_server_ended_is_opened_again(ssh: OpenSsh) -> None:
    files = ssh.session()
    assert files.stat(str(ssh.root)) is not None
    for session in psutil.Process(ssh.process.pid).children(recursive=True):
        session.kill()
    assert files.stat(str(ssh.root)) is not None
