"""`hub orders`: list, show with its reasons, and the few things a person does to an order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from hub.cli.failure import FAILED, REFUSED, Failure
from hub.cli.order_told import tell_decision, tell_lineage, tell_order
from hub.cli.output import emit_json, emit_object, emit_result, emit_table, json_option, money
from hub.cli.session import act, ask, database_of, reading
from hub.domain.payment import ORIGINAL, STORE_CREDIT
from hub.runtime.place import Place


@click.group()
def orders() -> None:
    """Orders: what came, where it went and why."""


@orders.command("list")
@click.option("--status", type=click.Choice(["received", "held", "confirmed", "closed", "cancelled"]))
@click.option("--channel", help="A connection that orders come from")
@click.option("--at-risk", is_flag=True, help="What must leave by a time its channel sets, the most pressing first")
@click.option("--before", help="Page on: the id of the last order shown")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@json_option
@click.pass_obj
def list_(
    place: Place,
    status: str | None,
    channel: str | None,
    at_risk: bool,
    before: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Orders, newest first, with where their quantities are and what holds them."""
    if at_risk:
        if status or channel or before:
            raise click.UsageError("--at-risk shows the whole queue: it takes no other filter")
        _at_risk(ask(place, "orders.at_risk", limit=limit), as_json)
        return
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
    rows = [
        {**row, "number": row["number"] or row["external_id"], "total": money(row["total"], row["currency"])}
        for row in found
    ]
    emit_table(rows, columns, empty="No orders.")
    if len(found) == limit:
        click.echo(f"{limit} shown; older ones: --before {found[-1]['id']}, or more with --limit", err=True)


def _at_risk(found: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        emit_json(found)
        return
    columns = (
        ("number", "NUMBER"),
        ("channel", "CHANNEL"),
        ("line", "LINE"),
        ("sku", "SKU"),
        ("units", "UNITS"),
        ("due", "DUE"),
        ("hours_left", "HOURS LEFT"),
        ("late_penalty", "PENALTY"),
        ("location", "LOCATION"),
        ("order_id", "ID"),
    )
    emit_table(found, columns, empty="Nothing must leave by a certain time.")


@orders.command("show")
@click.argument("reference")
@click.option("--why", is_flag=True, help="Also why: sourcing candidates, costs, exclusions, what was second best")
@click.option("--lineage", is_flag=True, help="Of each field: source path, receipt, message, mapping, revision")
@json_option
@click.pass_obj
def show(place: Place, reference: str, why: bool, lineage: bool, as_json: bool) -> None:
    """One order by its number, the channel's id, ours, or a fulfilment order's id."""
    order = _one(place, reference)
    if lineage:
        order["lineage"] = _lineage(place, order["id"])
    if as_json:
        emit_object({"items": [order]})
        return
    if lineage:
        tell_lineage(order)
        return
    tell_order(order, why=why)


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


KINDS = click.Choice(["manual", "validation", "address", "payment", "fraud"])
reason_option = click.option("--reason", required=True, help="Kept with the change, for whoever reads it later")


@orders.command("create")
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--channel", help="A connection with `connector: api`; needed where there are several")
@json_option
@click.pass_obj
def create(place: Place, file: Any, channel: str | None, as_json: bool) -> None:
    """Write an order from a FILE of JSON in canonical form (- for standard input), as POST /v1/orders takes it. One
    that its channel has stated before is changed by the difference."""
    done = act(place, "orders.write", text=file.read(), channel=channel)
    words = f"{done['order']} of {done['channel']}: {done['outcome']}" + (", held" if done["held"] else "")
    emit_result(done if as_json else {"message": words}, as_json=as_json)


@orders.command("hold")
@click.argument("reference")
@reason_option
@click.option("--kind", type=KINDS, default="manual", show_default=True, help="What it is held for")
@click.option("--until", help="A time (2026-11-24T12:00:00Z) or a duration (2h); without it until somebody releases it")
@click.option(
    "--then",
    type=click.Choice(["release", "cancel", "escalate"]),
    default="release",
    show_default=True,
    help="What happens at that time",
)
@json_option
@click.pass_obj
def hold(place: Place, reference: str, reason: str, kind: str, until: str | None, then: str, as_json: bool) -> None:
    """Stop an order before anything more of it is sent. Holds stack: it goes on when the last is released."""
    told = {"kind": kind, "until": until, "then": then}
    emit_result(act(place, "orders.hold", reference=reference, reason=reason, **told), as_json=as_json)


@orders.command("reroute")
@click.argument("reference")
@click.option("--from", "leaving", default="", help="Only what this location has; else what any location has")
@click.option(
    "--more-shipments",
    type=click.IntRange(1, 20),
    default=None,
    help="Ask nothing back; what waits may go in so many shipments more than its strategy allows",
)
@click.option("--dry-run", is_flag=True, help="Only say where it would come from, with costs and exclusions")
@click.option("--reason", help="Kept with the change, for whoever reads it later")
@json_option
@click.pass_obj
def reroute(
    place: Place,
    reference: str,
    leaving: str,
    more_shipments: int | None,
    dry_run: bool,
    reason: str | None,
    as_json: bool,
) -> None:
    """Send an order from elsewhere. Its location is asked to give it back; nothing is freed before it has accepted."""
    if more_shipments and (dry_run or leaving):
        raise click.UsageError("--more-shipments asks nothing back: it goes without --from and --dry-run.")
    if dry_run:
        _where_else(act(place, "orders.where_else", reference=reference, leaving=leaving), as_json)
        return
    if not reason:
        raise click.UsageError("Say why: --reason WHY. Or look first: --dry-run.")
    more = {"more_shipments": more_shipments} if more_shipments else {}
    done = act(place, "orders.reroute", reference=reference, reason=reason, leaving=leaving, **more)
    emit_result(done, as_json=as_json)


def _where_else(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        emit_json([found])
        return
    for work in found["now_at"]:
        click.echo(f"Now at {work['location']}: {work['state']}  ({work['id']})")
    if not found["decisions"]:
        click.echo("Nothing of it is left to be sent.")
    for document in found["decisions"]:
        tell_decision("would be decided", document)


@orders.command("release")
@click.argument("reference")
@reason_option
@click.option("--kind", help="Only holds of this kind")
@json_option
@click.pass_obj
def release(place: Place, reference: str, reason: str, kind: str | None, as_json: bool) -> None:
    """Release every hold of an order by hand, the hub's own included."""
    emit_result(act(place, "orders.release", reference=reference, reason=reason, kind=kind), as_json=as_json)


@orders.command("cancel")
@click.argument("reference")
@click.option("--line", "lines", multiple=True, help="Only this line: its number, the channel's id, ours, or its SKU")
@click.option("--quantity", "quantities", multiple=True, help="How many of the line before it; may be given again")
@reason_option
@json_option
@click.pass_obj
def cancel(
    place: Place, reference: str, lines: tuple[str, ...], quantities: tuple[str, ...], reason: str, as_json: bool
) -> None:
    """Cancel an order, or quantities of its lines: at once where nothing was sent, else by asking the locations that
    have it. Says for each line what became of it."""
    if len(lines) != len(quantities):
        raise click.UsageError("Each --line needs its --quantity.")
    wanted = [{"line": line, "quantity": units} for line, units in zip(lines, quantities, strict=True)]
    result = act(place, "orders.cancel", reference=reference, reason=reason, lines=wanted or None)
    emit_result(result, as_json=as_json)


@orders.command("edit")
@click.argument("reference")
@click.option(
    "--line", "lines", multiple=True, metavar="LINE=QUANTITY", help="What is wanted of a line in all, 0 for none"
)
@click.option(
    "--add", "additions", multiple=True, metavar="SKU=QUANTITY@PRICE", help="A further line, at this price each"
)
@click.option(
    "--address",
    multiple=True,
    metavar="PART=VALUE",
    help="A part of the address, as postal_code=12207; lines are parted by |",
)
@click.option(
    "--ship-to", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A JSON file with the whole address"
)
@click.option(
    "--as-channel", is_flag=True, help="Forget what was edited here where the channel says something else by now"
)
@click.option(
    "--version", type=int, help="Only while the order is at this version; without it, at the one it is at now"
)
@reason_option
@json_option
@click.pass_obj
def edit(
    place: Place,
    reference: str,
    lines: tuple[str, ...],
    additions: tuple[str, ...],
    address: tuple[str, ...],
    ship_to: Path | None,
    as_channel: bool,
    version: int | None,
    reason: str,
    as_json: bool,
) -> None:
    """Change quantities, lines or the address of an order.

    Before its work is released it is simply changed. After that locations are asked for what they have; their answers
    decide, and `hub orders show` tells what came of it. Exit 1 where nothing of it could be done.
    """
    told: dict[str, Any] = {"as_channel": as_channel}
    told["lines"] = [dict(zip(("line", "quantity"), _pair(one), strict=True)) for one in lines]
    told["add"] = [_addition(one) for one in additions]
    if ship_to is not None:
        told |= {"ship_to": _address_file(ship_to), "whole_address": True}
    elif address:
        told["ship_to"] = dict(_part(one) for one in address)
    if version is None:
        version = int(_one(place, reference)["version"])
    result = act(place, "orders.edit", reference=reference, reason=reason, version=version, **told)
    emit_result(result, as_json=as_json)
    if result["state"] == "declined":
        raise click.exceptions.Exit(FAILED)


def _one(place: Place, reference: str) -> dict[str, Any]:
    """The order that a person means. Raises Failure."""
    ids = ask(place, "orders.find", reference)
    if not ids:
        raise Failure(f"There is no order {reference!r}. `hub orders list` shows what there is.", FAILED)
    if len(ids) > 1:
        raise Failure(f"{reference!r} fits several orders; use one of: {', '.join(ids)}", FAILED)
    found: dict[str, Any] | None = ask(place, "orders.get", ids[0])
    assert found is not None
    return found


def _pair(said: str) -> tuple[str, str]:
    name, separator, value = said.rpartition("=")
    if not separator or not name or not value:
        raise click.BadParameter(f"{said!r} is not of the form NAME=VALUE")
    return name, value


def _part(said: str) -> tuple[str, Any]:
    name, separator, value = said.partition("=")
    if not separator or not name:
        raise click.BadParameter(f"{said!r} is not of the form PART=VALUE")
    return name, [line.strip() for line in value.split("|")] if name == "lines" else value


def _addition(said: str) -> dict[str, str]:
    sku, rest = _pair(said)
    quantity, separator, price = rest.partition("@")
    if not separator:
        raise click.BadParameter(f"{said!r} is not of the form SKU=QUANTITY@PRICE")
    return {"sku": sku, "quantity": quantity, "unit_price": price}


def _address_file(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise Failure(f"{path} holds no JSON: {error}", FAILED) from error
    if not isinstance(found, dict):
        raise Failure(f"{path} holds no address: an object with lines, locality, postal_code, country ...", FAILED)
    return found


@orders.command("refund")
@click.argument("reference")
@click.option("--amount", metavar="N", help="So much of the order's currency")
@click.option("--line", "lines", multiple=True, metavar="LINE", help="A line: its SKU, number or id; may be repeated")
@click.option("--quantity", "quantities", multiple=True, metavar="N", help="Units of the line before it")
@click.option("--store-credit", is_flag=True, help="As credit with us, not to what the order was paid with")
@click.option("--reason", required=True, help="Kept with the refund, and told to the provider")
@json_option
@click.pass_obj
def refund(
    place: Place,
    reference: str,
    amount: str | None,
    lines: tuple[str, ...],
    quantities: tuple[str, ...],
    store_credit: bool,
    reason: str,
    as_json: bool,
) -> None:
    """Give money back: an amount, or what units of lines were charged. Moves no goods and cancels nothing."""
    if (amount is None) == (not lines):
        raise click.UsageError("Say --amount N, or --line LINE with --quantity N.")
    if len(lines) != len(quantities):
        raise click.UsageError("Each --line needs its --quantity.")
    said = dict(zip(lines, quantities, strict=True)) or None
    tender = STORE_CREDIT if store_credit else ORIGINAL
    asked = {"amount": amount, "lines": said, "tender": tender}
    result = act(place, "orders.refund", reference=reference, reason=reason, **asked)
    emit_result(result, as_json=as_json)
