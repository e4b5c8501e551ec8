"""The owner's control socket: how writing commands of other processes reach the process that owns the database.

One request and one answer a connection, each a line of JSON:

    {"call": "orders.hold", "args": {...}}  ->  {"result": ...}  or  {"error": {"kind": "...", "message": "..."}}

The socket lies in the hub's home, for this user only. `ping` is always there and answers the owner's process id.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import socketserver
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hub.store.values import json_to_database

Handler = Callable[[Mapping[str, Any]], Any]

LARGEST_LINE = 16 * 1024 * 1024
ANSWER_SECONDS = 60.0
LONGEST_PATH = 100
"""Operating systems refuse socket paths beyond 104 or 108 bytes."""


class ControlUnavailable(Exception):
    """No owner answers: it is not running, or it does not answer in time."""


class ControlRefused(Exception):
    """The owner's handler failed. `kind` is the class of its error."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def socket_path(home: Path) -> Path:
    """In the home; where that path is too long for a socket, in a folder of this user's among temporary files."""
    path = home.absolute() / "control.sock"
    if len(os.fsencode(path)) <= LONGEST_PATH:
        return path
    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:24]
    return Path(tempfile.gettempdir()) / f"order-hub-{os.getuid()}" / f"{name}.sock"


class _Request(socketserver.StreamRequestHandler):
    timeout = ANSWER_SECONDS

    def handle(self) -> None:
        server = self.server
        assert isinstance(server, _Server)
        line = self.rfile.readline(LARGEST_LINE + 1)
        answer = server.answer(line)
        self.wfile.write(answer.encode() + b"\n")


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 32

    def __init__(self, path: str, handlers: Mapping[str, Handler]) -> None:
        self.handlers = handlers
        super().__init__(path, _Request)

    def handle_error(self, request: object, client_address: object) -> None:
        """The other side went away before its answer: nobody is left to tell."""

    def answer(self, line: bytes) -> str:
        try:
            if len(line) > LARGEST_LINE:
                raise ValueError(f"a request has at most {LARGEST_LINE} bytes")
            asked = json.loads(line)
            handler = self.handlers.get(asked["call"])
            if handler is None:
                raise LookupError(f"the owner knows no call {asked['call']}")
            return json_to_database({"result": handler(asked.get("args", {}))})
        except Exception as error:  # noqa: BLE001 - the caller gets it, whatever it is
            return json_to_database({"error": {"kind": type(error).__name__, "message": str(error)}})


class ControlServer:
    """Answers calls until closed. Start it only while owning the database: an older socket file is taken over."""

    def __init__(self, home: Path, handlers: Mapping[str, Handler]) -> None:
        self._path = socket_path(home)
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._path.parent.stat().st_uid != os.getuid():
            raise PermissionError(f"{self._path.parent} belongs to somebody else")
        self._path.unlink(missing_ok=True)
        table: dict[str, Handler] = {"ping": lambda args: {"pid": os.getpid()}, **handlers}
        before = os.umask(0o177)
        try:
            self._server = _Server(str(self._path), table)
        finally:
            os.umask(before)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="hub-control", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._path.unlink(missing_ok=True)


def call(home: Path, name: str, args: Mapping[str, Any], *, timeout_seconds: float = ANSWER_SECONDS) -> Any:
    """The owner's answer. Raises ControlUnavailable, or ControlRefused with the owner's reason."""
    request = json_to_database({"call": name, "args": dict(args)}).encode() + b"\n"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_seconds)
            connection.connect(str(socket_path(home)))
            connection.sendall(request)
            with connection.makefile("rb") as answers:
                line = answers.readline(LARGEST_LINE + 1)
    except OSError as error:
        raise ControlUnavailable(f"the running hub does not answer: {error}") from error
    if not line.endswith(b"\n"):
        raise ControlUnavailable("the running hub went away before it answered")
    answer = json.loads(line)
    if "error" in answer:
        raise ControlRefused(answer["error"]["kind"], answer["error"]["message"])
    return answer["result"]
