"""`hub inventory`: stock by SKU and location."""

from __future__ import annotations

import re

import click

from hub.cli.output import emit_json, emit_result, emit_table, json_option
from hub.cli.session import act, ask
from hub.runtime.place import Place

DECIMAL = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?\Z")


@click.group()
def inventory() -> None:
    """What is on hand and what is reserved."""


@inventory.command("list")
@click.option("--sku", help="Only this one")
@json_option
@click.pass_obj
def list_(place: Place, sku: str | None, as_json: bool) -> None:
    """On hand, soft and firm reservations, by SKU and location."""
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
        ("free", "FREE"),
        ("as_of", "AS OF"),
    )
    emit_table(found, columns, empty="No stock is known.")


@inventory.command("adjust", context_settings={"ignore_unknown_options": True})
@click.argument("sku")
@click.argument("location")
@click.argument("delta")
@click.option("--reason", required=True, help="Kept with the change, for whoever reads it later")
@json_option
@click.pass_obj
def adjust(place: Place, sku: str, location: str, delta: str, reason: str, as_json: bool) -> None:
    """Change what is on hand by DELTA (such as 5 or -2.5); the location's next count takes over again."""
    if not DECIMAL.match(delta):
        raise click.UsageError(f"{delta!r} is no decimal number such as 5 or -2.5")
    result = act(place, "inventory.adjust", sku=sku, location=location, delta=delta.removeprefix("+"), reason=reason)
    emit_result(result, as_json=as_json)
