"""How an emulated REST system misbehaves: the drawn fault of each call carried out, work done late included."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace

from hub.sdk.emulator import EmulatedRequest, EmulatedResponse, Emulator

Problem = Callable[[int, str, str], EmulatedResponse]
"""(status, code, message) -> the answer as this system writes it."""


class Misbehaviour:
    """Stands between an emulator's door and its desk. What was put off lies in the ledger and survives a restart."""

    def __init__(
        self, emulator: Emulator, route: Callable[[EmulatedRequest], EmulatedResponse], problem: Problem
    ) -> None:
        self._emulator = emulator
        self._route = route
        self._problem = problem
        self._late: dict[str, tuple[dt.datetime, EmulatedRequest]] = {}
        for name, data in emulator.ledger.recall_all("late|"):
            if data:
                at, method, path, headers, body = json.loads(data)
                request = EmulatedRequest(method, path, {}, headers, body.encode("latin-1"))
                self._late[name] = dt.datetime.fromisoformat(at), request

    def answer(self, request: EmulatedRequest) -> EmulatedResponse:
        """Do what was asked, or what the fault of this call says."""
        emulator, faults = self._emulator, self._emulator.faults
        fault = emulator.fault()
        if fault == "throttle":
            answer = self._problem(429, "throttled", "Too many requests")
            return replace(answer, headers={**answer.headers, "retry-after": f"{faults.retry_after_seconds:g}"})
        if fault == "error_before":
            return self._problem(500, "internal", "Something went wrong")
        if fault == "late_commit":
            if request.method != "GET":
                self._put_off(request)
            return self._problem(504, "timeout", "The request took too long")
        answer = self._route(request)
        if fault == "error_after":
            return self._problem(500, "internal", "Something went wrong")
        if fault == "drop_after":
            return replace(answer, drop=True)
        if fault == "delay":
            return replace(answer, delay_seconds=emulator.random.random() * faults.delay_seconds)
        return answer

    def catch_up(self, now: dt.datetime) -> None:
        """Do what was put off until now."""
        for name, (at, request) in list(self._late.items()):
            if at <= now:
                del self._late[name]
                self._emulator.ledger.remember(name, "")
                self._route(request)

    def next_due(self) -> dt.datetime | None:
        return min((at for at, _ in self._late.values()), default=None)

    def _put_off(self, request: EmulatedRequest) -> None:
        emulator = self._emulator
        name = f"late|{emulator.calls:09d}|{emulator.random.getrandbits(64):016x}"
        at = emulator.clock.now() + dt.timedelta(seconds=emulator.faults.late_commit_seconds)
        self._late[name] = at, request
        # Who asked was known at the door; what was shown there does not belong into a file.
        headers = {name: value for name, value in request.headers.items() if name != "authorization"}
        kept = [at.isoformat(), request.method, request.path, headers, request.body.decode("latin-1")]
        emulator.ledger.remember(name, json.dumps(kept))
