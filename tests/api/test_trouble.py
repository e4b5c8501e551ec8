"""When the hub itself is in trouble: what callers are told, and what they are not."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import NoReturn

import psycopg.errors
import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from hub.api.call import Call
from hub.domain.writeset import Applied, Outcome
from hub.exchange.ports import StoreUnavailable
from hub.store.reading import NoDatabase
from tests.api.service import Service, an_order, problem_of


def disk_error() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("disk I/O error at /secret/place")
    error.sqlite_errorcode = 10
    return error


AWAY = {
    "nothing can be stored": StoreUnavailable("disk full at /secret/place"),
    "the disk refuses": disk_error(),
    "the connection is lost": psycopg.OperationalError("server closed the connection at /secret/place"),
    "a statement took too long": OperationalError("SELECT secret", {}, psycopg.errors.QueryCanceled("canceled")),
    "no reader is free": PoolTimeout("QueuePool limit reached, /secret/place"),
    "the database is gone": NoDatabase("/secret/place is not there"),
}


def failing(error: Exception) -> Callable[[Call], NoReturn]:
    def reading(_: Call) -> NoReturn:
        raise error

    return reading


@pytest.mark.parametrize("error", AWAY.values(), ids=AWAY.keys())
def test_a_database_that_is_away_is_no_bug(service: Service, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    service.get("/v1/orders")
    monkeypatch.setattr("hub.api.call.Call.reading", failing(error))
    answer = service.asking("GET", "/v1/orders")
    problem_of(answer, 503, "unavailable")
    assert answer.headers["retry-after"]
    assert "secret" not in answer.body.decode()


def test_what_cannot_be_stored_is_not_confirmed(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.get("/v1/orders")

    def full(write_sets: object) -> NoReturn:
        raise StoreUnavailable("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(service.hub.store, "apply", full)
        problem_of(service.post("/v1/orders", an_order(), once="one"), 503, "unavailable")
    assert service.post("/v1/orders", an_order(), once="one").status == 201


def test_a_bug_is_called_one_and_its_reason_stays_here(
    service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    service.get("/v1/orders")
    monkeypatch.setattr("hub.api.call.Call.reading", failing(RuntimeError("secret")))
    found = problem_of(service.asking("GET", "/v1/orders"), 500, "bug")
    assert "secret" not in str(found)
    assert found["request_id"] in caplog.text
    assert "secret" in caplog.text


def test_rows_that_keep_changing_ask_to_come_again(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    order = service.write()["order"]
    monkeypatch.setattr(service.hub.store, "apply", lambda write_sets: [Outcome(Applied.CONFLICT)] * len(write_sets))
    problem_of(service.post(f"/v1/orders/{order}/hold", {"reason": "why"}), 503, "unavailable")
