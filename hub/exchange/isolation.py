"""Computing something suspicious apart: a child process with limits, that reads through its parent (docs: applying).

The child is forked, so it has the code and the configuration, but never touches the database: every read of its
snapshot is asked of the parent over a pipe. A child that hangs, eats memory or dies harms nobody.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import struct
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from hub.domain.snapshot import Snapshot
from hub.exchange.defaults import DEFAULTS, Defaults

T = TypeVar("T")
Compute = Callable[[Snapshot], T]
_LENGTH = struct.Struct(">I")
MAX_ANSWER_BYTES = 256 * 1024 * 1024


class Crashed(Exception):
    """The computation ended its process, or took too long or too much; `str()` says which."""


def alone(compute: Compute[T], snapshot: Snapshot, defaults: Defaults = DEFAULTS) -> T:
    """Run `compute` in a child process and return its result. Raises Crashed, or what `compute` raised.

    Where processes cannot be forked it runs here: the count of claims still ends a crash loop.
    """
    if not hasattr(os, "fork"):
        return compute(snapshot)
    from_child, to_parent = os.pipe()
    from_parent, to_child = os.pipe()
    with warnings.catch_warnings():
        # Python warns of forking with threads: the child only computes, and one that hangs is killed.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os.close(from_child)
        os.close(to_child)
        _child(compute, from_parent, to_parent, defaults)
    os.close(from_parent)
    os.close(to_parent)
    try:
        result: T = _serve(child, from_child, to_child, snapshot, defaults)
        return result
    finally:
        os.close(from_child)
        os.close(to_child)
        os.kill(child, signal.SIGKILL)  # a zombie until it is waited for, so the id is still its own
        os.waitpid(child, 0)


def _child(compute: Compute[Any], incoming: int, outgoing: int, defaults: Defaults) -> None:
    """Never returns."""
    try:
        import resource  # not on every platform, and only those that fork come here

        cpu = int(defaults.poison_cpu)
        resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
        if sys.platform == "linux":
            limit = _address_space_bytes(resource.getpagesize()) + defaults.poison_memory_bytes
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        try:
            answer: tuple[str, Any] = ("done", compute(_Remote(incoming, outgoing)))
        except Exception as error:  # noqa: BLE001 - handed to the parent, which decides
            answer = ("raised", error)
        try:
            if answer[0] == "raised":
                pickle.loads(pickle.dumps(answer))  # noqa: S301 - our own error: can the parent read it?
            _send(outgoing, answer)
        except Exception:  # noqa: BLE001 - an error that cannot travel
            _send(outgoing, ("failed", f"it failed with {type(answer[1]).__name__}"))
    finally:
        os._exit(0)


def _address_space_bytes(page_bytes: int) -> int:
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - no pathlib imports in a fork
        return int(statm.read().split()[0]) * page_bytes


class _Remote:
    """The snapshot as the child sees it."""

    def __init__(self, incoming: int, outgoing: int) -> None:
        self._incoming, self._outgoing = incoming, outgoing

    def rows(
        self, table: str, where: Mapping[str, Any], *, order_by: Sequence[str] = (), limit: int = 10_000
    ) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._ask("rows", table, dict(where), tuple(order_by), limit)
        return found

    def row(self, table: str, where: Mapping[str, Any]) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self._ask("row", table, dict(where))
        return found

    def count(self, table: str, where: Mapping[str, Any]) -> int:
        found: int = self._ask("count", table, dict(where))
        return found

    def body(self, body_id: str) -> bytes | None:
        found: bytes | None = self._ask("body", body_id)
        return found

    def once(self, key: tuple[str, ...], work_out: Callable[[], T]) -> T:
        return work_out()  # one decision is worked out here: nobody shares it

    def _ask(self, *question: Any) -> Any:
        _send(self._outgoing, ("ask", question))
        return _receive(self._incoming, None)


def _serve(child: int, incoming: int, outgoing: int, snapshot: Snapshot, defaults: Defaults) -> Any:
    ends_at = time.monotonic() + defaults.poison_wall
    while True:
        kind, value = _receive(incoming, ends_at)
        if kind == "ask":
            _send(outgoing, _look_up(snapshot, value))
        elif kind == "done":
            return value
        elif kind == "raised":
            raise value
        else:
            raise Crashed(str(value))


def _look_up(snapshot: Snapshot, question: Any) -> Any:
    match question:
        case ("rows", table, where, order_by, limit):
            return snapshot.rows(table, where, order_by=order_by, limit=limit)
        case ("row", table, where):
            return snapshot.row(table, where)
        case ("count", table, where):
            return snapshot.count(table, where)
        case ("body", body_id):
            return snapshot.body(body_id)
    raise Crashed(f"the computation asked for {question[0]}")


def _send(to: int, value: Any) -> None:
    data = pickle.dumps(value)
    view = memoryview(_LENGTH.pack(len(data)) + data)
    while view:
        view = view[os.write(to, view) :]


def _receive(source: int, ends_at: float | None) -> Any:
    length = _LENGTH.unpack(_read(source, _LENGTH.size, ends_at))[0]
    if length > MAX_ANSWER_BYTES:
        raise Crashed("the result is too large")
    return pickle.loads(_read(source, length, ends_at))  # noqa: S301 - our own child, over a pipe of ours


def _read(source: int, size: int, ends_at: float | None) -> bytes:
    parts: list[bytes] = []
    while size:
        if ends_at is not None:
            left = ends_at - time.monotonic()
            if left <= 0 or not select.select([source], [], [], left)[0]:
                raise Crashed("it took too long")
        part = os.read(source, min(size, 1 << 20))
        if not part:
            raise Crashed("its process ended")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
