"""The way in, and the first page: what needs a person now, orders by state, connections, the last hours."""

from __future__ import annotations

import re
from typing import Any

from hub.actions import sessions
from hub.exchange.verbs import Refused
from hub.views import dashboard
from hub.views.risk import NEAREST, list_at_risk
from hub.views.work import counts
from hub.web.pages.connections import health
from hub.web.request import COOKIE, Answer, Go, Page, Request, Route, Stop, get, post
from hub.web.show import MENU

HOURS = 12
AT_RISK = 8
SOON_HOURS = 24


def start(request: Request) -> Answer:
    """Who may not see all of it comes to the first page that is theirs."""
    if not request.may("monitor"):
        theirs = [path for path, _, scope in MENU if request.may(scope)]
        if not theirs:
            raise Stop(403, "Your key opens no page. A key for the dashboard needs orders:read or monitor.")
        return Go(theirs[0])
    with request.reading() as connection:
        now = request.hub.clock.now()
        found = counts(connection)
        hours = dashboard.hours(connection, now, HOURS)
        at_risk = list_at_risk(connection, now, NEAREST)
        connections = health(request, connection)
        tiles = _tiles(request, dashboard.needs(connection, now), at_risk, connections)
        values = {
            "tiles": tiles,
            "needed": sum(tile["n"] for tile in tiles),
            "causes": dashboard.causes(connection),
            "waiting": dashboard.waits_for_a_person(connection),
            "orders": found["orders"],
            "at_risk": at_risk[:AT_RISK],
            "more_at_risk": max(0, len(at_risk) - AT_RISK),
            "hours": hours,
            "most": max(1, *(max(hour["orders"], hour["sent"]) for hour in hours)),
            "connections": connections,
        }
    return Page("start.html", values)


def _tiles(
    request: Request,
    needs: dict[str, dict[str, Any]],
    at_risk: list[dict[str, Any]],
    connections: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    """What needs a person, each with where to go on; only what this visitor may see."""
    late = {row["order_id"] for row in at_risk if row["hours_left"] < 0}
    soon = {row["order_id"] for row in at_risk if 0 <= row["hours_left"] < SOON_HOURS} - late
    ill = [one for one in connections if one["paused"] or one["breaker"] == "open" or one["waiting"]]
    named = (
        ("exceptions", "open exceptions", "/exceptions", "monitor"),
        ("held", "held orders", "/orders?status=held", "orders:read"),
        ("returns", "returns to decide, inspect or settle", "/returns", "orders:read"),
        ("unmatched", "lines of payouts nobody knows", "/payouts", "money:read"),
        ("deliveries", "calls that wait for your word", "/deliveries", "monitor"),
    )
    tiles = [
        {"name": text, "path": path, "words": "", **needs[name]}
        for name, text, path, scope in named
        if request.may(scope)
    ]
    if request.may("orders:read"):
        words = f"{len(late)} late already" if late else ""
        risk = {"name": f"orders late or due within {SOON_HOURS} hours", "path": "#risk", "n": len(late | soon)}
        tiles.insert(2, {**risk, "words": words, "oldest": None, "old": 0})
    name = "connection not well" if len(ill) == 1 else "connections not well"
    words = ", ".join(one["id"] for one in ill[:3]) + (" ..." if len(ill) > 3 else "")
    tiles.append({"name": name, "path": "/connections", "n": len(ill), "words": words, "oldest": None, "old": 0})
    return tiles


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
