"""`hub work`: what the people of a location do with its fulfilment orders."""

from __future__ import annotations

import re
from typing import Any

import click

from hub.cli.failure import FAILED, Failure
from hub.cli.output import cell, emit_json, emit_object, emit_result, emit_table, json_option
from hub.cli.session import act, ask
from hub.runtime.place import Place

LINE = re.compile(r"(?P<line>.+)=(?P<quantity>[0-9]{1,9}(\.[0-9]{1,6})?)\Z")
LATER = ("planned", "sent", "unknown", "acknowledged", "in_progress", "packed", "ready", "in_transit")


@click.group()
def work() -> None:
    """Work of locations: pick, pack, send, put ready, hand over, receive."""


@work.command("list")
@click.option("--location", help="What this location does, and what is on its way to it")
@click.option(
    "--state", type=click.Choice(["all", *LATER, "completed", "partially_completed", "rejected", "cancelled"])
)
@click.option("--method", help="ship, pickup, transfer ...")
@click.option("--after", help="Page on: the id of the last one shown")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True)
@json_option
@click.pass_obj
def list_(
    place: Place,
    location: str | None,
    state: str | None,
    method: str | None,
    after: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Fulfilment orders, oldest first; unless a state is named, those that are not finished."""
    found = ask(place, "work.list", location=location, state=state, method=method, after=after, limit=limit)
    if as_json:
        emit_json(found)
        return
    columns = (
        ("order_number", "ORDER"),
        ("location", "LOCATION"),
        ("method", "METHOD"),
        ("destination", "TO"),
        ("state", "STATE"),
        ("what", "LINES"),
        ("asked", "NOT WANTED"),
        ("buyer_arrived_at", "BUYER WAITS"),
        ("id", "ID"),
    )
    emit_table([{**row, "what": _lines(row), "asked": _asked(row)} for row in found], columns, empty="Nothing to do.")


def _lines(row: dict[str, Any]) -> str:
    return ", ".join(f"{line['quantity']} {line['sku']}" for line in row["lines"])


def _asked(row: dict[str, Any]) -> str:
    return ", ".join(request["id"] for request in row["cancel_requests"])


@work.command("show")
@click.argument("fulfilment_order")
@json_option
@click.pass_obj
def show(place: Place, fulfilment_order: str, as_json: bool) -> None:
    """One fulfilment order: its lines, where their units are, and what should not leave any more."""
    found = ask(place, "work.get", fulfilment_order)
    if found is None:
        raise Failure(
            f"There is no fulfilment order {fulfilment_order!r}. `hub work list` shows what there is.", FAILED
        )
    if as_json:
        emit_object({"items": [found]})
        return
    goes = f" to {found['destination']}" if found["destination"] else ""
    number = found["order_number"] or found["order_id"]
    click.echo(f"{found['id']}  order {number}  {found['location']}  {found['method']}{goes}  {found['state']}")
    if found["buyer_arrived_at"]:
        click.echo(f"  the buyer waits outside since {cell(found['buyer_arrived_at'])}")
    for line in found["lines"]:
        stands = ", ".join(f"{units} {bucket.replace('_', ' ')}" for bucket, units in line["quantities"].items())
        click.echo(f"  {line['quantity']} {line['sku']}: {stands or 'nothing left'}  (line {line['line']})")
    for request in found["cancel_requests"]:
        units = ", ".join(f"{one['quantity']} of line {one['line']}" for one in request["lines"])
        click.echo(f"  not wanted: {units} ({request['reason']}); answer {request['id']}")


@work.command("pick-list")
@click.argument("location")
@click.option("--order", help="Only for this order: the hub's id of it")
@json_option
@click.pass_obj
def pick_list(place: Place, location: str, order: str | None, as_json: bool) -> None:
    """What is to be taken from the shelves of a location, by SKU, and for which orders."""
    found = ask(place, "work.pick_list", location, order)
    if as_json:
        emit_object({"items": [found]})
        return
    columns = (("sku", "ARTICLE"), ("title", "WHAT"), ("quantity", "HOW MANY"), ("for", "FOR"))
    lines = [
        {**item, "for": ", ".join(f"{one['order_number']}: {one['quantity']}" for one in item["of"])}
        for item in found["items"]
    ]
    emit_table(lines, columns, empty="Nothing to pick.")


@work.command("packing-slip")
@click.argument("fulfilment_order")
@click.option("--package", help="Only this parcel: its name at the location, its tracking number or our id of it")
@json_option
@click.pass_obj
def packing_slip(place: Place, fulfilment_order: str, package: str | None, as_json: bool) -> None:
    """The slip that lies in a parcel: to whom it goes and what is in it, without prices."""
    found = ask(place, "work.packing_slip", fulfilment_order, package)
    if found is None:
        raise Failure(f"There is no such parcel of {fulfilment_order!r}. `hub work list` shows what there is.", FAILED)
    if as_json:
        emit_object({"items": [found]})
        return
    click.echo(f"Order {found['order_number']}")
    to = found.get("ship_to") or {}
    parts = ("postal_code", "locality", "admin_area_code", "country")
    town = " ".join(str(to[name]) for name in parts if to.get(name))
    if found["method"] == "pickup":
        click.echo(f"  collected at {found['location']}")
    for text in (to.get("name"), to.get("company"), *(to.get("lines") or ()), town):
        if text:
            click.echo(f"  {text}")
    for line in found["lines"]:
        click.echo(f"{line['quantity']:>6} x {line['sku']}  {line['title']}".rstrip())


def _report(name: str, status: str, text: str, *options: Any) -> None:
    def command(place: Place, fulfilment_order: str, line: tuple[str, ...], as_json: bool, **said: str | None) -> None:
        lines = [_named(one) for one in line]
        result = act(place, "work.report", fulfilment_order=fulfilment_order, status=status, lines=lines, **said)
        emit_result(result, as_json=as_json)

    decorated: Any = click.pass_obj(command)
    for option in (json_option, *reversed(options), LINES, click.argument("fulfilment_order")):
        decorated = option(decorated)
    work.command(name, help=text)(decorated)


def _named(text: str) -> dict[str, str]:
    found = LINE.match(text)
    if found is None:
        raise click.UsageError(f"{text!r} is no line with its quantity, such as TEE-RED=2")
    return {"line": found["line"], "quantity": found["quantity"]}


LINES = click.option("--line", multiple=True, metavar="LINE=N", help="Only so much of a line, named by id or SKU")
REASON = click.option("--reason", required=True, help="Kept with it, for whoever reads it later")
PROOF = click.option("--proof", help="A reference of the proof: a signature, a code, a document")
BY = click.option("--by", help="Who hands it over")
CARRIER = click.option("--carrier", help="Who takes it away")
TRACKING = click.option("--tracking-number", help="The carrier's number of it")
REQUEST = click.option("--request", "cancel_request", required=True, help="The cancel request, from `hub work show`")

_report("acknowledge", "acknowledged", "Say that the location has seen it.")
_report("pick", "picked", "Say that goods were picked.")
_report("pack", "packed", "Say that goods were packed.")
_report("ship", "shipped", "Say that goods left: for their buyer, or to another location.", CARRIER, TRACKING)
_report("ready", "ready_for_pickup", "Say that goods stand ready; the buyer is told when all of them do.")
_report("hand-over", "handed_over", "Say that the buyer has it; the goods leave the books and are charged.", PROOF, BY)
_report(
    "not-collected", "not_collected", "Say that goods were put back because nobody came; they are paid back.", REASON
)
_report("short", "short", "Say that goods cannot be found.", REASON)
_report("reject", "rejected", "Give the work back; nothing of it leaves this location.", REASON)
_report("receive", "received", "Say that goods of a transfer have come, at the location they came to.")
_report("lost", "lost", "Give up goods of a transfer that will not come.", REASON)
_report("cancel-accept", "cancel_accepted", "Give up what should not leave any more.", REQUEST)
_report("cancel-refuse", "cancel_refused", "Say that it leaves all the same.", REQUEST)


@work.command("move")
@click.argument("order")
@click.option("--to", "store", required=True, help="A location where goods are collected")
@click.option("--reason", required=True, help="Kept with it; who agreed")
@json_option
@click.pass_obj
def move(place: Place, order: str, store: str, reason: str, as_json: bool) -> None:
    """Have what is left of an order collected at another store, which its buyer agreed to."""
    emit_result(act(place, "orders.collect_elsewhere", reference=order, store=store, reason=reason), as_json=as_json)


@work.command("arrived")
@click.argument("order")
@click.option("--note", default="", help="Where they stand, which car; shown to the store only")
@json_option
@click.pass_obj
def arrived(place: Place, order: str, note: str, as_json: bool) -> None:
    """Say that the buyer of an order waits outside."""
    emit_result(act(place, "orders.arrived", reference=order, note=note), as_json=as_json)
