"""`hub inventory`: stock by SKU and location."""

from __future__ import annotations

import re
from typing import Any

import click

from hub.cli.output import emit_json, emit_result, emit_table, json_option
from hub.cli.session import act, ask
from hub.runtime.place import Place
from hub.views.figures import readable

DECIMAL = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?\Z")


@click.group()
def inventory() -> None:
    """What is on hand and what is reserved."""


@inventory.command("list")
@click.option("--sku", help="Only this one")
@json_option
@click.pass_obj
def list_(place: Place, sku: str | None, as_json: bool) -> None:
    """On hand, soft and firm reservations, by SKU and location. What is unreserved still holds the safety stock;
    `inventory show` takes it off."""
    found = ask(place, "inventory.list", sku=sku)
    if as_json:
        emit_json(found)
        return
    columns = (
        ("sku", "SKU"),
        ("location", "LOCATION"),
        ("on_hand", "ON HAND"),
        ("soft", "SOFT"),
        ("firm", "FIRM"),
        ("free", "UNRESERVED"),
        ("as_of", "AS OF"),
    )
    emit_table(found, columns, empty="No stock is known.")


@inventory.command("show")
@click.argument("sku")
@click.option("--channel", help="Only what this channel may sell")
@click.option("--at", metavar="DATE", help="Count supply until then: a day (2026-12-24) or a time with its zone")
@click.option("--why", is_flag=True, help="Every number term by term")
@json_option
@click.pass_obj
def show(place: Place, sku: str, channel: str | None, at: str | None, why: bool, as_json: bool) -> None:
    """Where a SKU is, what is to come, who waits for it, and what each channel may sell of it."""
    found = act(place, "inventory.explain", sku=sku, channel=channel, at=at)
    if as_json:
        emit_json([found])
        return
    columns = tuple(
        (name, name.upper().replace("_", " ")) for name in ("location", "on_hand", "soft", "firm", "safety", "free")
    )
    emit_table(found["locations"], columns, empty=f"No stock of {sku} is known.")
    for one in found["supply"]:
        words = f"{one['to_come']} of {one['quantity']} to come at {one['location']} on {readable(one['expected_at'])}"
        click.echo(f"supply {one['reference']}: {words}, {one['promised']} of them promised")
    if found["waiting"]["lines"]:
        click.echo(f"waiting: {found['waiting']['quantity']} on {len(found['waiting']['lines'])} lines")
    for one in found["promises"]:
        _promise(one, why=why)


def _promise(one: dict[str, Any], *, why: bool) -> None:
    where = f" at {one['outlet']}" if "outlet" in one else ""
    told = f"; told {one['told']} on {readable(one['told_at'])}" if "told" in one else ""
    called = f" as {', '.join(one['called']) or 'nothing'}" if "called" in one else ""
    click.echo(f"{one['channel']}{where} may sell {one['quantity']}{called}{told}")
    for term in one["terms"] if why else ():
        detail = f"  ({term['detail']})" if "detail" in term else ""
        click.echo(f"  {term['amount']:>12}  {term['name']}{detail}")


@inventory.command("reconcile")
@click.argument("connection")
@json_option
@click.pass_obj
def reconcile(place: Place, connection: str, as_json: bool) -> None:
    """Compare every level that a channel shows with what it may sell; what differs is told anew. Nightly, too."""
    found = act(place, "inventory.reconcile", connection=connection)
    if as_json:
        emit_json([found])
        return
    columns = tuple((name, name.upper().replace("_", " ")) for name in ("sku", "outlet", "shown", "told", "may_sell"))
    if found["differing"]:
        emit_table(found["differing"], columns, empty="")
    click.echo(found["message"])


@inventory.command("adjust", context_settings={"ignore_unknown_options": True})
@click.argument("sku")
@click.argument("location")
@click.argument("delta", required=False)
@click.option("--by", metavar="N", help="Change it by this much, as DELTA")
@click.option("--to", metavar="N", help="Make it this much")
@click.option("--reason", required=True, help="Kept with the change, for whoever reads it later")
@json_option
@click.pass_obj
def adjust(
    place: Place,
    sku: str,
    location: str,
    delta: str | None,
    by: str | None,
    to: str | None,
    reason: str,
    as_json: bool,
) -> None:
    """Change what is on hand by DELTA (such as 5 or -2.5) or to a number; the next count there takes over again."""
    given = [text for text in (delta, by, to) if text is not None]
    if len(given) != 1:
        raise click.UsageError("Say one of DELTA, --by N and --to N.")
    if not DECIMAL.match(given[0]):
        raise click.UsageError(f"{given[0]!r} is no decimal number such as 5 or -2.5")
    amount = given[0].removeprefix("+")
    if to is not None:
        result = act(place, "inventory.adjust_to", sku=sku, location=location, quantity=amount, reason=reason)
    else:
        result = act(place, "inventory.adjust", sku=sku, location=location, delta=amount, reason=reason)
    emit_result(result, as_json=as_json)


@inventory.command("transfer")
@click.argument("sku")
@click.option("--from", "source", required=True, metavar="LOCATION", help="Where it is")
@click.option("--to", "destination", required=True, metavar="LOCATION", help="Where it goes")
@click.option("--quantity", required=True, metavar="N", help="How much of it")
@click.option("--reason", required=True, help="Kept with it, for whoever reads it later")
@json_option
@click.pass_obj
def transfer(place: Place, sku: str, source: str, destination: str, quantity: str, reason: str, as_json: bool) -> None:
    """Have one location send units to another; they are reserved at once and in transit until they are received."""
    if not DECIMAL.match(quantity):
        raise click.UsageError(f"{quantity!r} is no decimal number such as 5 or 2.5")
    amount = quantity.removeprefix("+")
    arguments = {"sku": sku, "source": source, "destination": destination, "quantity": amount, "reason": reason}
    emit_result(act(place, "inventory.transfer", **arguments), as_json=as_json)
