"""Money: payments with what became of them, payouts with what they pay for, and lines that pay for nothing known."""

from __future__ import annotations

from hub.views.money import list_payments, list_payouts, show_payout, unmatched_lines
from hub.views.orders import find_order
from hub.views.states import PAYMENT_STATES
from hub.web.request import Answer, Page, Request, Stop, get, post

SIZE = 50
UNMATCHED = 100
ID = "(?P<payout>[^/]{1,200})"


def payments(request: Request) -> Answer:
    words, state, after = request.asked("q"), request.asked("state"), request.asked("after")
    with request.reading() as connection:
        ids = find_order(connection, words) if words else []
        found = (
            []
            if words and len(ids) != 1
            else list_payments(connection, order_id=ids[0] if ids else None, state=state, after=after, limit=SIZE + 1)
        )
    values = {
        "payments": found[:SIZE],
        "next": found[SIZE - 1]["id"] if len(found) > SIZE else None,
        "q": words or "",
        "state": state or "",
        "states": PAYMENT_STATES,
        "several": len(ids) > 1,
    }
    return Page("payments.html", values)


def payouts(request: Request) -> Answer:
    last = (request.asked("paid"), request.asked("before"))
    before = (int(last[0]), last[1]) if last[0] and last[0].isdecimal() and len(last[0]) < 19 and last[1] else None
    with request.reading() as connection:
        found = list_payouts(connection, before=before, limit=SIZE + 1)
        unmatched = unmatched_lines(connection, request.hub.clock.now(), limit=UNMATCHED + 1)
    final = found[SIZE - 1] if len(found) > SIZE else None
    values = {
        "payouts": found[:SIZE],
        "next": None if final is None else (int(final["paid_at"].timestamp() * 1_000_000), final["id"]),
        "unmatched": unmatched[:UNMATCHED],
        "more_unmatched": len(unmatched) > UNMATCHED,
    }
    return Page("payouts.html", values)


def payout(request: Request) -> Answer:
    with request.reading() as connection:
        found = show_payout(connection, request.params["payout"])
    if found is None:
        raise Stop(404, "There is no such payout.")
    return Page("payout.html", {"payout": found})


def match(request: Request) -> Answer:
    return request.do("/payouts", "payments.match")


ROUTES = (
    get("/payments", payments, "money:read"),
    get("/payouts", payouts, "money:read"),
    get(f"/payouts/{ID}", payout, "money:read"),
    post("/payouts/match", match, "money:write"),
)
