"""`hub inventory`: stock by SKU and location."""

from __future__ import annotations

import click

from hub.cli.output import emit_json, emit_table, json_option
from hub.cli.session import reading
from hub.runtime.place import Place


@click.group()
def inventory() -> None:
    """What is on hand and what is reserved."""


@inventory.command("list")
@click.option("--sku", help="Only this one")
@json_option
@click.pass_obj
def list_(place: Place, sku: str | None, as_json: bool) -> None:
    """On hand, soft and firm reservations, by SKU and location."""
    from hub.views.work import list_stock

    with reading(place) as connection:
        found = list_stock(connection, sku=sku)
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
