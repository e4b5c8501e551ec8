"""The work of a location on its people's telephones: what to pick, put ready, hand over, send and receive."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hub.views.fulfilment import arrival_note, list_work
from hub.views.papers import packing_slip, pick_list
from hub.web.request import Answer, Go, Page, Request, Stop, get, post
from hub.web.show import with_query

SIZE = 50
LOCATION = "(?P<location>[^/]{1,80})"
WORK = "(?P<work>[^/]{1,80})"
NEXT = {
    "ship": (("released", "picked", "Pick"), ("picked", "packed", "Pack"), ("packed", "shipped", "Sent")),
    "pickup": (
        ("released", "picked", "Pick"),
        ("picked", "ready_for_pickup", "Ready"),
        ("packed", "ready_for_pickup", "Ready"),
        ("ready_for_pickup", "handed_over", "Hand over"),
    ),
    "transfer": (("released", "picked", "Pick"), ("picked", "packed", "Pack"), ("packed", "shipped", "Sent")),
}
"""By method: where units stand, what is said next, and what the button says."""

ALIKE = {"accepted": "released"}


def locations(request: Request) -> Answer:
    bundle = request.hub.loaded.bundle
    return Page("work_locations.html", {"locations": list(bundle.locations.values())})


def location(request: Request) -> Answer:
    name = request.params["location"]
    if name not in request.hub.loaded.bundle.locations:
        raise Stop(404, "There is no such location.")
    with request.reading() as connection:
        found = list_work(connection, location=name, after=request.asked("after"), limit=SIZE + 1)
        for one in found:
            one["note"] = arrival_note(connection, one["order_id"]) if one["buyer_arrived_at"] else ""
    for one in found:
        one["comes"] = one["location"] != name
        one["next"] = _next(one)
        one["left"] = any(units for line in one["lines"] for units in line["quantities"].values())
    waiting = sorted(found[:SIZE], key=lambda one: one["buyer_arrived_at"] is None)
    values = {"location": name, "work": waiting, "next": found[SIZE - 1]["id"] if len(found) > SIZE else None}
    return Page("work.html", values)


def _next(one: dict[str, Any]) -> tuple[str, str] | None:
    """What its people do next with what lags behind most, as (report, words)."""
    if one["comes"]:
        return ("received", "It has come") if one["state"] == "in_transit" else None
    standing = {
        ALIKE.get(bucket, bucket)
        for line in one["lines"]
        for bucket, units in line["quantities"].items()
        if Decimal(units) > 0
    }
    steps = NEXT.get(one["method"], NEXT["ship"])
    return next(((report, words) for bucket, report, words in steps if bucket in standing), None)


def report(request: Request) -> Answer:
    """One report; where it names a line and a quantity, of so much only."""
    name, work = request.params["location"], request.params["work"]
    back = with_query(f"/work/{name}")
    said: dict[str, Any] = {"status": request.given("status", "what was done")}
    line, quantity = request.form.get("line", "").strip(), request.form.get("quantity", "").strip()
    if line and quantity:
        try:
            units = Decimal(quantity)
        except ArithmeticError:
            return Go(back, "The quantity is no number such as 2 or 1.5.", good=False)
        if not units.is_finite():
            return Go(back, "The quantity is no number such as 2 or 1.5.", good=False)
        said["lines"] = [{"line": line, "quantity": format(units, "f")}]
    for field in ("reason", "proof", "carrier", "tracking_number", "cancel_request"):
        if request.form.get(field, "").strip():
            said[field] = request.given(field)
    return request.do(back, "work.report", fulfilment_order=work, **said)


def to_pick(request: Request) -> Answer:
    name = request.params["location"]
    if name not in request.hub.loaded.bundle.locations:
        raise Stop(404, "There is no such location.")
    with request.reading() as connection:
        return Page("pick_list.html", pick_list(connection, name))


def slip(request: Request) -> Answer:
    with request.reading() as connection:
        found = packing_slip(connection, request.params["work"], request.asked("package") or None)
    if found is None or found["location"] != request.params["location"]:
        raise Stop(404, "There is no such parcel here.")
    return Page("packing_slip.html", found)


ROUTES = (
    get("/work", locations, "fulfilment:read"),
    get(f"/work/{LOCATION}/pick-list", to_pick, "fulfilment:read"),
    get(f"/work/{LOCATION}/{WORK}/packing-slip", slip, "fulfilment:write"),
    get(f"/work/{LOCATION}", location, "fulfilment:read"),
    post(f"/work/{LOCATION}/{WORK}", report, "fulfilment:write"),
)
