"""Returns: what comes back and what each waits for, one with everything of it, and what a person does to it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hub.domain.return_policy import Disposition
from hub.domain.returns import BEFORE_RECEIPT, RETURN_MOVES, ReturnState, Stage
from hub.views import dashboard
from hub.views.money import refunds_of
from hub.views.returns import OPEN, as_return, list_returns, show_return
from hub.views.states import RETURN_STATES
from hub.web.request import Answer, Go, Page, Request, Stop, get, post

SIZE = 50
ID = "(?P<one>[^/]{1,200})"
ORDER = "(?P<order>[^/]{1,200})"
ANY = "any"
LINE = "units-"
"""Before the number of a line, the name of the field that says how many units of it."""


def returns(request: Request) -> Answer:
    """What is not ended, unless something else is asked for."""
    words, state, after = request.asked("q"), request.asked("state"), request.asked("after")
    wanted = state or (ANY if words else OPEN)
    with request.reading() as connection:
        found = list_returns(
            connection, state=None if wanted == ANY else wanted, words=words, after=after, limit=SIZE + 1
        )
    if words and len(found) == 1 and not after:
        return Go(f"/returns/{found[0]['id']}")
    values = {
        "returns": found[:SIZE],
        "next": found[SIZE - 1]["id"] if len(found) > SIZE else None,
        "q": words or "",
        "state": wanted,
        "states": RETURN_STATES,
    }
    return Page("returns.html", values)


def one(request: Request) -> Answer:
    with request.reading() as connection:
        found = show_return(connection, request.params["one"])
        if found is None:
            raise Stop(404, "There is no such return.")
        refunds = {row["id"]: row for row in refunds_of(connection, found["order_id"])}
        audited = dashboard.audited(connection, found["id"])
    whole = as_return(found)
    waiting = [
        {"line": line, "units": units}
        for line in found["lines"]
        if (units := line["quantities"].get("requested", 0) + line["quantities"].get("in_transit", 0)) > 0
    ]
    held = [
        {"line": line, "stage": stage, "location": location, "units": Decimal(units)}
        for line in found["lines"]
        for stage in (Stage.RECEIVED.value, Stage.QUARANTINED.value)
        for location, units in line["document"].get("held", {}).get(stage, {}).items()
    ]
    moves = RETURN_MOVES[whole.state]
    owed = [part for part in whole.lines if part.settleable > 0]
    values = {
        "one": found,
        "means": RETURN_STATES[found["state"]],
        "waiting": waiting,
        "held": held,
        "refunds": refunds,
        "audited": audited,
        "dispositions": [one.value for one in Disposition],
        "locations": [one.id for one in request.hub.loaded.bundle.locations.values() if "receive_returns" in one.can],
        "can": {
            "approve": ReturnState.APPROVED in moves,
            "refuse": ReturnState.REFUSED in moves,
            "cancel": whole.state in BEFORE_RECEIPT,
            "receive": bool(waiting) and whole.state is not ReturnState.REQUESTED,
            "settle": bool(owed),
            "close": whole.open and whole.state not in BEFORE_RECEIPT and not held_of(held) and not owed,
        },
    }
    return Page("return.html", values)


def held_of(held: list[dict[str, Any]]) -> bool:
    """Something waits for its first inspection."""
    return any(one["stage"] == Stage.RECEIVED for one in held)


def _lines(request: Request) -> list[dict[str, str]]:
    """How many of which line, as the form says; lines left empty are not meant."""
    return [
        {"line": name.removeprefix(LINE), "sku": name.removeprefix(LINE), "quantity": said.strip()}
        for name, said in request.form.items()
        if name.startswith(LINE) and said.strip() not in ("", "0")
    ]


def _named(request: Request) -> list[dict[str, str]]:
    found = _lines(request)
    if not found:
        raise Stop(400, "Say how many of at least one line.")
    return found


def _back(request: Request) -> str:
    return f"/returns/{request.params['one']}"


def _decide(action: str) -> Any:
    def run(request: Request) -> Answer:
        reason = request.form.get("reason", "").strip() if action == "approve" else request.given("reason", "why")
        return request.do(_back(request), f"returns.{action}", reference=request.params["one"], reason=reason)

    return run


def _receive(request: Request) -> Answer:
    location = request.given("location", "where the goods are")
    more = _found_out(request)
    lines = [{**line, **more} for line in _named(request)]
    return request.do(
        _back(request), "returns.receive", reference=request.params["one"], location=location, lines=lines
    )


def _inspect(request: Request) -> Answer:
    request.given("disposition", "what becomes of it")
    more = {**_found_out(request), "location": request.form.get("location", "").strip()}
    lines = [{**line, **more} for line in _named(request)]
    return request.do(_back(request), "returns.inspect", reference=request.params["one"], lines=lines)


def _found_out(request: Request) -> dict[str, str]:
    said = {name: request.form.get(name, "").strip() for name in ("grade", "disposition")}
    disposition = said["disposition"]
    if disposition and disposition not in [one.value for one in Disposition]:
        raise Stop(400, "Goods are restocked, put in quarantine or scrapped.")
    return {name: text[:80] for name, text in said.items() if text}


def _settle(request: Request) -> Answer:
    kind, amount = request.given("kind", "what is given"), request.form.get("amount", "").strip()
    if kind not in ("refund", "store_credit", "nothing"):
        raise Stop(400, "A refund, store credit or nothing is given.")
    if amount:
        try:
            good = Decimal(amount).is_finite() and Decimal(amount) >= 0
        except ArithmeticError:
            good = False
        if not good:
            return Go(_back(request), "The amount is no number such as 12.50.", good=False)
    return request.do(
        _back(request),
        "returns.settle",
        reference=request.params["one"],
        kind=kind,
        amount=amount,
        credit_reference=request.form.get("number", "").strip()[:80],
        reason=request.given("reason", "why"),
    )


def _exchange(request: Request) -> Answer:
    wanted = {
        "sku": request.given("sku", "what goes out instead"),
        "quantity": request.given("quantity", "how many"),
        "price": request.form.get("price", "").strip(),
    }
    reason = request.given("reason", "why")
    return request.do(
        _back(request), "returns.exchange", reference=request.params["one"], wanted=[wanted], reason=reason
    )


def _request(request: Request) -> Answer:
    """Goods of an order are to come back, asked for on the order's page."""
    order_id = request.params["order"]
    lines, reason = _named(request), request.given("reason", "why")
    wants = request.form.get("wants", "refund")
    if wants not in ("refund", "exchange", "store_credit"):
        raise Stop(400, "Its buyer wants a refund, an exchange or store credit.")
    return request.do(
        f"/orders/{order_id}", "returns.request", reference=order_id, lines=lines, reason=reason, wants=wants
    )


ROUTES = (
    get("/returns", returns, "orders:read"),
    get(f"/returns/{ID}", one, "orders:read"),
    *(
        post(f"/returns/{ID}/{action}", _decide(action), "orders:write")
        for action in ("approve", "refuse", "cancel", "close")
    ),
    post(f"/returns/{ID}/receive", _receive, "orders:write"),
    post(f"/returns/{ID}/inspect", _inspect, "orders:write"),
    post(f"/returns/{ID}/settle", _settle, "orders:write"),
    post(f"/returns/{ID}/exchange", _exchange, "orders:write"),
    post(f"/orders/{ORDER}/returns", _request, "orders:write"),
)
