"""Outgoing calls: the list, one with its bytes and attempts, and what a person says of it."""

from __future__ import annotations

from typing import Any

from hub.views import dashboard
from hub.views.intake import body_of
from hub.views.states import DELIVERY_STATES
from hub.views.work import OPEN_DELIVERIES, list_deliveries, show_delivery
from hub.web.request import Answer, Download, Page, Request, Stop, get, post

SIZE = 50
ID = "(?P<delivery>[^/]{1,200})"
SETTLED_BY_A_PERSON = ("unknown", "conflict")


def deliveries(request: Request) -> Answer:
    state, destination, after = request.asked("state"), request.asked("destination"), request.asked("after")
    with request.reading() as connection:
        found = list_deliveries(connection, state=state, destination=destination, after=after, limit=SIZE + 1)
    values = {
        "deliveries": found[:SIZE],
        "next": found[SIZE - 1]["id"] if len(found) > SIZE else None,
        "state": state or "",
        "destination": destination or "",
        "states": DELIVERY_STATES,
        "destinations": [one.id for one in request.hub.loaded.bundle.connections.values() if one.effects_out],
    }
    return Page("deliveries.html", values)


def delivery(request: Request) -> Answer:
    with request.reading() as connection:
        found = show_delivery(connection, request.params["delivery"])
        if found is None:
            raise Stop(404, "There is no such delivery.")
        audited = dashboard.audited(connection, found["id"])
    values = {
        "delivery": found,
        "body": bytes_of(request, found["body_id"]),
        "audited": audited,
        "open": found["state"] in OPEN_DELIVERIES or found["state"] == "suppressed",
        "in_doubt": found["state"] in SETTLED_BY_A_PERSON,
        "means": DELIVERY_STATES.get(found["state"], ""),
    }
    return Page("delivery.html", values)


def bytes_of(request: Request, body_id: str | None) -> bytes | None:
    """None where they are erased, or not for this visitor's eyes: bytes hold personal data."""
    if body_id is None or not request.may("bodies:read"):
        return None
    with request.hub.store.read() as snapshot:
        return snapshot.body(body_id)


def download(request: Request) -> Answer:
    return saved(request, "delivery", request.params["delivery"])


def saved(request: Request, kind: str, owner: str) -> Download:
    """The bytes of a receipt, message or delivery. Raises Stop."""
    with request.reading() as connection:
        found = body_of(connection, kind, owner)
    raw = bytes_of(request, found["id"]) if found else None
    if raw is None:
        raise Stop(404, "These bytes are not there, or erased.")
    return Download(
        "".join(letter for letter in owner if letter.isascii() and (letter.isalnum() or letter in "_-")), raw
    )


def _do(action: str, **fields: str) -> Any:
    def run(request: Request) -> Answer:
        delivery_id = request.params["delivery"]
        given = {name: request.given(name, label) for name, label in fields.items()}
        optional = request.form.get("reason", "").strip()
        if action in ("happened", "did_not_happen") and optional:
            given["reason"] = request.given("reason", "why")
        return request.do(f"/deliveries/{delivery_id}", f"deliveries.{action}", delivery=delivery_id, **given)

    return run


ROUTES = (
    get("/deliveries", deliveries, "monitor"),
    get(f"/deliveries/{ID}", delivery, "monitor"),
    get(f"/deliveries/{ID}/body", download, "bodies:read"),
    post(f"/deliveries/{ID}/retry", _do("retry"), "operate"),
    post(f"/deliveries/{ID}/happened", _do("happened", external_id="the other side's id"), "operate"),
    post(f"/deliveries/{ID}/did-not-happen", _do("did_not_happen"), "operate"),
    post(f"/deliveries/{ID}/abandon", _do("abandon", reason="why"), "operate"),
    post(f"/deliveries/{ID}/done", _do("done", external_id="the other side's id", reason="how"), "operate"),
    post(f"/deliveries/{ID}/resend", _do("resend", reason="why"), "operate"),
)
