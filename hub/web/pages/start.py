"""The way in, and the first page: what needs a person now, orders by state, connections, the last hours."""

from __future__ import annotations

import re

from hub.actions import sessions
from hub.exchange.verbs import Refused
from hub.views import dashboard
from hub.views.risk import list_at_risk
from hub.views.work import counts
from hub.web.pages.connections import health
from hub.web.request import COOKIE, Answer, Go, Page, Request, Route, Stop, get, post
from hub.web.show import PLACES

HOURS = 12
AT_RISK = 8


def start(request: Request) -> Answer:
    """Who may not see all of it comes to the first page that is theirs."""
    if not request.may("monitor"):
        theirs = [path for path, _, scope in PLACES if request.may(scope)]
        if not theirs:
            raise Stop(403, "Your key opens no page. A key for the dashboard needs orders:read or monitor.")
        return Go(theirs[0])
    with request.reading() as connection:
        found = counts(connection)
        hours = dashboard.hours(connection, request.hub.clock.now(), HOURS)
        values = {
            "causes": dashboard.causes(connection),
            "waiting": dashboard.waits_for_a_person(connection),
            "orders": found["orders"],
            "at_risk": list_at_risk(connection, request.hub.clock.now(), AT_RISK),
            "hours": hours,
            "most": max(1, *(max(hour["orders"], hour["sent"]) for hour in hours)),
            "connections": health(request, connection),
        }
    return Page("start.html", values)


def log_in_page(request: Request) -> Answer:
    return Go("/") if request.visitor else Page("login.html", {"words": ""})


def log_in(request: Request) -> Answer:
    try:
        token = sessions.log_in(request.hub, request.form.get("key", "").strip()[: sessions.LONGEST_TOKEN])
    except Refused:
        return Page("login.html", {"words": "This key is unknown, expired or revoked."}, 403)
    return Go("/", cookies=(_cookie(token),))


def enter(request: Request) -> Answer:
    """A page that goes on by itself: only a step inside this site carries a strict cookie."""
    try:
        token = sessions.enter(request.hub, request.query.get("link", "")[: sessions.LONGEST_TOKEN])
    except Refused as error:
        return Go("/") if request.visitor else Page("login.html", {"words": f"{error}."}, 403)
    return Page("entered.html", {"cookie": _cookie(token)})


def log_out(request: Request) -> Answer:
    assert request.visitor is not None
    sessions.log_out(request.hub, request.visitor.session)
    return Go("/login", cookies=(f"{COOKIE}=; Max-Age=0",))


def _cookie(token: str) -> str:
    return f"{COOKIE}={token}; Max-Age={int(sessions.SESSION_FOR.total_seconds())}"


def _open(method: str, path: str, run: object) -> Route:
    assert callable(run)
    return Route(method, re.compile(re.escape(path)), run, "", open=True)


ROUTES = (
    get("/", start, ""),
    _open("GET", "/login", log_in_page),
    _open("POST", "/login", log_in),
    _open("GET", sessions.ENTRANCE, enter),
    post("/logout", log_out, ""),
)
