"""What needs a person: grouped by cause, one exception, and trying a whole group again."""

from __future__ import annotations

from typing import Any

from hub.runtime.control import ActionRefused
from hub.views import dashboard
from hub.views.work import list_exceptions, show_exception
from hub.web.request import Answer, Go, Page, Request, Stop, get, post

SIZE = 50
AT_ONCE = 100
ID = "(?P<exception>[^/]{1,200})"


def exceptions(request: Request) -> Answer:
    state = "resolved" if request.asked("state") == "resolved" else "open"
    kind, after = request.asked("kind"), request.asked("after")
    with request.reading() as connection:
        found = list_exceptions(connection, state=state, kind=kind, after=after, limit=SIZE + 1)
        causes = dashboard.causes(connection, state)
    values = {
        "causes": causes,
        "exceptions": found[:SIZE],
        "next": found[SIZE - 1]["id"] if len(found) > SIZE else None,
        "state": state,
        "kind": kind or "",
    }
    return Page("exceptions.html", values)


def exception(request: Request) -> Answer:
    exception_id = request.params["exception"]
    with request.reading() as connection:
        found = show_exception(connection, exception_id)
        if found is None:
            raise Stop(404, "There is no such exception.")
        audited = dashboard.audited(connection, exception_id)
    return Page("exception.html", {"exception": found, "audited": audited})


def retry_all(request: Request) -> Answer:
    """Each one by itself, so that one that still fails stops no other."""
    kind, of = request.given("kind"), request.form.get("connection") or None
    with request.reading() as connection:
        ids = dashboard.of_cause(connection, kind, of, AT_ONCE)
    redriven, refused = 0, []
    for exception_id in ids:
        try:
            done = request.act("exceptions.retry", exception_id=exception_id)
        except ActionRefused as error:
            refused.append(str(error))
            continue
        redriven += len(done["redriven"])
        refused += done["refused"]
    words = f"{redriven} re-driven of {len(ids)} exceptions"
    return Go("/exceptions", words + (f"; not: {'; '.join(refused[:5])}" if refused else ""), good=not refused)


def _do(action: str, **fields: str) -> Any:
    """`fields`: argument of the action -> what the form's field is called to a person."""

    def run(request: Request) -> Answer:
        exception_id = request.params["exception"]
        given = {name: request.given(name, label) for name, label in fields.items()}
        return request.do(f"/exceptions/{exception_id}", f"exceptions.{action}", exception_id=exception_id, **given)

    return run


ROUTES = (
    get("/exceptions", exceptions, "monitor"),
    post("/exceptions/retry", retry_all, "operate"),
    get(f"/exceptions/{ID}", exception, "monitor"),
    post(f"/exceptions/{ID}/retry", _do("retry"), "operate"),
    post(f"/exceptions/{ID}/resolve", _do("resolve", reason="why"), "operate"),
    post(f"/exceptions/{ID}/assign", _do("assign", owner="to whom"), "operate"),
)
