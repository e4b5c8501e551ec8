"""`hub orders`: list, show with its reasons, and the few things a person does to an order."""

from __future__ import annotations

from typing import Any

import click

from hub.cli.failure import FAILED, REFUSED, Failure
from hub.cli.output import cell, counted, emit_json, emit_object, emit_result, emit_table, json_option, money
from hub.cli.session import act, ask, database_of, reading
from hub.runtime.place import Place
from hub.views.explain import explain
from hub.views.timeline import timeline

WIDEST = 300
"""Characters of the line of attributes; `--json` shows all."""


@click.group()
def orders() -> None:
    """Orders: what came, where it went and why."""


@orders.command("list")
@click.option("--status", type=click.Choice(["received", "held", "confirmed", "closed", "cancelled"]))
@click.option("--channel", help="A connection that orders come from")
@click.option("--before", help="Page on: the id of the last order shown")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@json_option
@click.pass_obj
def list_(place: Place, status: str | None, channel: str | None, before: str | None, limit: int, as_json: bool) -> None:
    """Orders, newest first, with where their quantities are and what holds them."""
    found = ask(place, "orders.list", status=status, channel=channel, before=before, limit=limit)
    if as_json:
        emit_json(found)
        return
    columns = (
        ("number", "NUMBER"),
        ("channel", "CHANNEL"),
        ("external_id", "EXTERNAL ID"),
        ("status", "STATUS"),
        ("quantities", "QUANTITIES"),
        ("holds", "HOLDS"),
        ("exceptions", "EXCEPTIONS"),
        ("total", "TOTAL"),
        ("id", "ID"),
    )
    rows = [{**row, "total": money(row["total"], row["currency"])} for row in found]
    emit_table(rows, columns, empty="No orders.")
    if len(found) == limit:
        click.echo(f"{limit} shown; older ones: --before {found[-1]['id']}, or more with --limit", err=True)


@orders.command("show")
@click.argument("reference")
@click.option("--why", is_flag=True, help="Also why: sourcing candidates, costs, exclusions, what was second best")
@click.option("--lineage", is_flag=True, help="Of each field: source path, receipt, message, mapping, revision")
@json_option
@click.pass_obj
def show(place: Place, reference: str, why: bool, lineage: bool, as_json: bool) -> None:
    """One order by its number, the channel's id, ours, or a fulfilment order's id."""
    ids = ask(place, "orders.find", reference)
    if not ids:
        raise Failure(f"There is no order {reference!r}. `hub orders list` shows what there is.", FAILED)
    if len(ids) > 1:
        raise Failure(f"{reference!r} fits several orders; use one of: {', '.join(ids)}", FAILED)
    order = ask(place, "orders.get", ids[0])
    assert order is not None
    if lineage:
        order["lineage"] = _lineage(place, ids[0])
    if as_json:
        emit_object({"items": [order]})
        return
    if lineage:
        _tell_lineage(order)
        return
    _head(order)
    _work(order)
    if why:
        _why(order)
    _timeline(order)


def _lineage(place: Place, order: str) -> list[dict[str, Any]]:
    import dataclasses

    from hub.runtime.lineage import lineage
    from hub.runtime.registry import site_registry

    if place.remote:
        raise Failure(
            "--lineage runs mappings over kept bytes: ask where the hub's database is, without --url.", REFUSED
        )
    bodies = place.home / f"{database_of(place)}.bodies"
    with reading(place) as connection:
        found = lineage(connection, order, site_registry(place.config), bodies)
    return [dataclasses.asdict(origin) for origin in found]


def _tell_lineage(order: dict[str, Any]) -> None:
    """By message, because most orders come from one or two."""
    click.echo(f"Order {order['number'] or order['external_id']}  ({order['id']})")
    by_message: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    keys = ("message", "receipt", "received_at", "source_version", "mapping", "revision")
    for origin in order["lineage"]:
        by_message.setdefault(tuple(origin[key] for key in keys), []).append(origin)
    for (message, receipt, received_at, version, mapping, revision), origins in by_message.items():
        click.echo(f"From message {message or '-'}, receipt {receipt}, received {received_at}")
        known = f"  mapping {mapping}, " if mapping else "  "
        click.echo(f"{known}revision {revision or '-'}, the source's version {version or '-'}")
        for origin in origins:
            note = f"  ({origin['note']})" if origin["note"] else ""
            place = f"  {origin['file']}:{origin['line']}" if origin["file"] else ""
            click.echo(f"  {origin['field']:<44}  {origin['path'] or '-'}{note}{place}")
    if not by_message:
        click.echo("Nothing that a source stated of it is kept.", err=True)


def _head(order: dict[str, Any]) -> None:
    click.echo(f"Order {order['number'] or order['external_id']}  ({order['id']})")
    click.echo(f"  channel     {order['channel']}, external id {order['external_id']}")
    click.echo(
        f"  status      {order['status']}" + ("" if order["effects"] == "on" else f"  (effects: {order['effects']})")
    )
    click.echo(f"  placed      {cell(order['placed_at'])}   total {money(order['total'], order['currency'])}")
    if order["order_type"] != "sale":
        click.echo(f"  type        {order['order_type']}")
    if order["attributes"]:
        said = ", ".join(f"{name}={cell(value)}" for name, value in sorted(order["attributes"].items()))
        click.echo(f"  attributes  {said if len(said) <= WIDEST else said[: WIDEST - 3] + '...'}")
    for link in order["links"]:
        other = link["number"] or link["external_id"]
        click.echo(f"  {link['role'].replace('_', ' '):<11} {other}  ({link['id']}, {link['status']})")
    for customer in order["customers"]:
        gone = " (merged into another there)" if customer["valid_to"] else ""
        click.echo(f"  customer    {customer['external_id']} at {customer['system']}{gone}")
    click.echo("Lines")
    for line in order["lines"]:
        quantities = ", ".join(f"{cell(value)} {bucket}" for bucket, value in line["quantities"].items())
        click.echo(f"  {line['number']}. {cell(line['sku'])}  ordered {cell(line['ordered'])}: {quantities}")
    for hold in order["holds"]:
        state = "released" if hold["released_at"] else "HELD"
        click.echo(f"  {state}: {hold['kind']} {hold['rule']} at {hold['path']}: {hold['hint']}")
    for exception in order["exceptions"]:
        click.echo(
            f"  exception ({exception['state']}, {exception['owner']}): {exception['title']}: {exception['detail']}"
        )
        if exception["state"] == "open":
            click.echo(f"    next: {exception['next_step']}  you can: {exception['hint']}")


def _work(order: dict[str, Any]) -> None:
    if order["fulfilment_orders"]:
        click.echo("Fulfilment orders")
    for work in order["fulfilment_orders"]:
        click.echo(f"  {work['id']}  {work['location']} via {work['connection']}: {work['state']}")
    for shipment in order["shipments"]:
        packages = shipment["document"].get("packages", [])
        tracking = ", ".join(str(package.get("tracking_number") or package.get("package")) for package in packages)
        click.echo(f"  shipped {cell(shipment['shipped_at'])} from {shipment['location']}: {tracking}")
    if order["deliveries"]:
        click.echo("Calls")
    for delivery in order["deliveries"]:
        reference = f" -> {delivery['external_id']}" if delivery["external_id"] else ""
        error = f"  {delivery['error']}" if delivery["error"] else ""
        click.echo(
            f"  {delivery['destination']} {delivery['capability']}: {delivery['state']}, "
            f"{counted(delivery['attempts'], 'attempt')}{reference}{error}"
        )
    for move in order["money_moves"]:
        click.echo(f"  money: {move['kind']} {money(move['amount'], move['currency'])}")


def _undecided(order: dict[str, Any]) -> str:
    """Why nothing was sourced."""
    kept = order["document"].get("no_effects")
    if kept:
        return (
            f"kept only, because it is a {kept}; the hub sends nothing for it"
            if kept == "test order"
            else (f"kept only, because it was {kept}; the hub sends nothing for it")
        )
    held = [hold["rule"] for hold in order["holds"] if not hold["released_at"]]
    if held:
        return f"no place was chosen yet; the order is held: {', '.join(held)}"
    return "no place was chosen yet."


def _why(order: dict[str, Any]) -> None:
    if not order["sourcing"]:
        click.echo(f"Why: {_undecided(order)}")
        return
    click.echo("Why")
    for decision in order["sourcing"]:
        document = dict(decision["document"])
        rule, _, strategy = str(document.pop("rule", "fallback")).partition("/")
        click.echo(f"  decided {cell(decision['at'])} by strategy {strategy or rule} (rule {rule})")
        for label, words in explain(document):
            click.echo(f"    {label:<12} {words}")


def _timeline(order: dict[str, Any]) -> None:
    click.echo("Timeline")
    for at, fact, told in timeline(order):
        click.echo(f"  {cell(at)}  {fact}  {told}".rstrip())


def _action(name: str, text: str) -> None:
    @orders.command(name, help=text)
    @click.argument("reference")
    @click.option("--reason", required=True, help="Kept with the change, for whoever reads it later")
    @json_option
    @click.pass_obj
    def command(place: Place, reference: str, reason: str, as_json: bool) -> None:
        result = act(place, f"orders.{name}", reference=reference, reason=reason)
        emit_result(result, as_json=as_json)


_action("hold", "Stop an order before anything more of it is sent.")
_action("release", "Release every hold of an order by hand, the hub's own included.")
_action("cancel", "Cancel an order: at once where nothing was sent, else by asking the places that have it.")
