"""The control socket: commands of other processes reach the process that owns the database.

One JSON line in, one JSON line out, over a Unix socket in the hub's home that only its user may open. A running hub
answers `{"result": ...}`, or `{"refused": "why"}` where a person must decide otherwise.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import logging
import os
import socket
import socketserver
import tempfile
import threading
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

log = logging.getLogger("hub.control")

MAX_REQUEST_BYTES = 1_048_576
MAX_ANSWER_BYTES = 64 * 1_048_576
ANSWER_TIMEOUT_SECONDS = 600.0
MAX_PATH = 100
"""A Unix socket's path may not be longer than about 104 bytes."""


class OwnerUnreachable(Exception):
    """The owner runs, but its control socket does not answer."""


class ActionRefused(Exception):
    """Raised by an action that says no, with words for a person."""


def socket_path(home: Path) -> Path:
    """`control.sock` in the home, or a short name in the temporary folder where that path is too long."""
    path = home.absolute() / "control.sock"
    if len(os.fsencode(path)) <= MAX_PATH:
        return path
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"order-hub-{os.getuid()}-{digest}.sock"


def _plain(value: object) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dt.datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")


Act = Callable[[str, dict[str, Any]], Mapping[str, Any]]


class ControlServer:
    """Serves `act(action, arguments)` until closed."""

    def __init__(self, home: Path, act: Act) -> None:
        self.path = socket_path(home)
        self.path.unlink(missing_ok=True)

        class Handler(socketserver.StreamRequestHandler):
            timeout = ANSWER_TIMEOUT_SECONDS

            def handle(self) -> None:
                line = self.rfile.readline(MAX_REQUEST_BYTES)
                answer = _answer(act, line)
                with contextlib.suppress(BrokenPipeError):
                    self.wfile.write(json.dumps(answer, default=_plain).encode() + b"\n")

        mask = os.umask(0o177)
        try:
            self._server = socketserver.ThreadingUnixStreamServer(str(self.path), Handler)
        finally:
            os.umask(mask)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.2,), name="control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.path.unlink(missing_ok=True)


def _answer(act: Act, line: bytes) -> dict[str, Any]:
    try:
        request = json.loads(line)
        return {"result": act(str(request["action"]), dict(request["arguments"]))}
    except ActionRefused as error:
        return {"refused": str(error)}
    except Exception as error:  # the person who asked must hear of it, and the hub must go on
        log.exception("a control request failed")
        return {"refused": f"the request could not be carried out: {type(error).__name__}: {error}"}


def call_owner(home: Path, action: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Ask the owner to do something. Raises OwnerUnreachable."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(ANSWER_TIMEOUT_SECONDS)
            client.connect(str(socket_path(home)))
            client.sendall(
                json.dumps({"action": action, "arguments": dict(arguments)}, default=_plain).encode() + b"\n"
            )
            with client.makefile("rb") as stream:
                line = stream.readline(MAX_ANSWER_BYTES)
    except OSError as error:
        raise OwnerUnreachable(str(error)) from error
    if not line:
        raise OwnerUnreachable("it closed the connection without an answer")
    answer: dict[str, Any] = json.loads(line)
    return answer
