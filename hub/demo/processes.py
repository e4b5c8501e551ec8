"""Emulators and the hub as processes of their own, started, asked, killed and stopped."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

START_TIMEOUT_SECONDS = 60.0
CALL_TIMEOUT_SECONDS = 10.0
STOP_TIMEOUT_SECONDS = 35.0


class ProcessFailed(Exception):
    """A process did not start or died; the message holds the end of what it printed."""


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def call(
    port: int, method: str, path: str, payload: object = None, headers: Mapping[str, str] | None = None
) -> tuple[int, Any]:
    """One HTTP call on loopback; JSON in and out. Raises OSError when nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=CALL_TIMEOUT_SECONDS)
    try:
        body = None if payload is None else json.dumps(payload, default=str).encode()
        connection.request(method, path, body, {"content-type": "application/json", **(headers or {})})
        answer = connection.getresponse()
        raw = answer.read(32 * 1024 * 1024)
    except http.client.HTTPException as error:
        raise ConnectionError(str(error)) from error
    finally:
        connection.close()
    try:
        return answer.status, json.loads(raw) if raw else None
    except ValueError:
        return answer.status, raw.decode("utf-8", "replace")


def compiled_environment() -> dict[str, str]:
    """This process's environment, with compiled code kept between starts: compiling anew costs a second each time."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


class EmulatorProcess:
    """One emulated system. Ends with this process: it watches its standard input."""

    def __init__(
        self,
        emulator: str,
        ledger: Path,
        *,
        seed: int = 1,
        faults: Mapping[str, Any] | None = None,
        config: Mapping[str, str] | None = None,
        port: int = 0,
        log: IO[bytes] | None = None,
    ) -> None:
        self.emulator = emulator
        self.ledger = ledger
        arguments = [sys.executable, "-m", "hub.sdk.emulator_server", "--emulator", emulator, "--ledger", str(ledger)]
        arguments += ["--seed", str(seed), "--port", str(port), "--exit-on-stdin-eof"]
        arguments += ["--faults", json.dumps(dict(faults or {})), "--config", json.dumps(dict(config or {}))]
        self._process = subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log or subprocess.DEVNULL,
            env=compiled_environment(),
            process_group=0,  # Ctrl-C is for whoever started us; we are stopped in order
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ProcessFailed(f"the emulator {emulator} did not start (exit {self._process.wait(5)})")
        self.port = int(json.loads(line)["port"])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self._process.pid

    def connect_hub(self, url: str, connection: str) -> None:
        self._own("hub", {"url": url, "connection": connection})

    def set_faults(self, **faults: object) -> None:
        self._own("faults", faults)

    def status(self) -> dict[str, Any]:
        status, answer = call(self.port, "GET", "/_server/status")
        assert status == 200
        return dict(answer)

    def control(self, verb: str, payload: Mapping[str, Any] | None = None) -> Any:
        """Play the people of that system. Raises ValueError with its words for what it refuses."""
        status, answer = call(self.port, "POST", f"/_control/{verb}", dict(payload or {}))
        if status != 200:
            raise ValueError(f"{self.emulator} {verb}: {status} {answer}")
        return answer

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(5)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def _own(self, verb: str, payload: Mapping[str, object]) -> None:
        status, answer = call(self.port, "POST", f"/_server/{verb}", dict(payload))
        if status != 200:
            raise ValueError(f"{self.emulator} {verb}: {answer}")


class HubProcess:
    """`hub run` as a process; may be killed and started again on the same port."""

    def __init__(
        self,
        config: Path,
        home: Path,
        *,
        port: int,
        environ: Mapping[str, str],
        arguments: Sequence[str] = (),
        module: Sequence[str] = ("-m", "hub"),
    ) -> None:
        self.config, self.home, self.port = config, home, port
        self._environ = {**compiled_environment(), **environ, "HUB_CONFIG": str(config), "HUB_HOME": str(home)}
        self._arguments = [sys.executable, *module, "run", "--port", str(port), *arguments]
        self._process: subprocess.Popen[bytes] | None = None
        home.mkdir(parents=True, exist_ok=True)
        self.log = home / "hub.log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start and return at once."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environ, process_group=0
            )

    def wait_ready(self, timeout_seconds: float = START_TIMEOUT_SECONDS) -> float:
        """Seconds until it answered ready. Raises ProcessFailed."""
        started = time.monotonic()
        while time.monotonic() - started < timeout_seconds:
            if not self.alive:
                raise ProcessFailed(f"the hub ended with {self._process and self._process.poll()}:\n{self._tail()}")
            with contextlib.suppress(OSError):
                status, _ = call(self.port, "GET", "/readyz")
                if status == 200:
                    return time.monotonic() - started
            time.sleep(0.02)
        raise ProcessFailed(f"the hub was not ready after {timeout_seconds:g} s:\n{self._tail()}")

    def kill(self) -> None:
        """SIGKILL: nothing gets to finish."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(10)

    def stop(self) -> int:
        """SIGTERM and wait; the exit code."""
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        return int(self._process.returncode or 0)

    def _tail(self) -> str:
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])
