"""What needs a person."""

from __future__ import annotations

from typing import Any

from hub.api.answers import Answer
from hub.api.call import Call
from hub.api.paging import after, page
from hub.api.problems import Problem
from hub.views.work import list_exceptions, show_exception

PATH = "/v1/exceptions"


def list_(
    call: Call, limit: int = 50, cursor: str | None = None, state: str = "open", kind: str | None = None
) -> Answer:
    filters = {"state": state, "kind": kind}
    last = after(cursor, PATH, filters, 1)
    with call.reading() as connection:
        found = list_exceptions(connection, state=state, kind=kind, after=last[0] if last else None, limit=limit + 1)
    return Answer(page(found, limit, PATH, filters, lambda row: [row["id"]]))


def get(call: Call, exception: str) -> Answer:
    with call.reading() as connection:
        found = show_exception(connection, exception)
    if found is None:
        raise _none(exception)
    return Answer(found)


def retry(call: Call, exception: str) -> Answer:
    return _do(call, "exceptions.retry", exception)


def resolve(call: Call, exception: str) -> Answer:
    return _do(call, "exceptions.resolve", exception, reason=call.body["reason"])


def assign(call: Call, exception: str) -> Answer:
    return _do(call, "exceptions.assign", exception, owner=call.body["owner"])


def _do(call: Call, action: str, exception: str, **said: Any) -> Answer:
    with call.hub.store.read() as snapshot:
        if snapshot.row("exceptions", {"id": exception}) is None:
            raise _none(exception)
    return Answer(call.act(action, exception_id=exception, **said))


def _none(exception: str) -> Problem:
    return Problem("not-found", f"There is no exception {exception}")
