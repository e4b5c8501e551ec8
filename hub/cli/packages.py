"""`hub packages`: what left or will leave, where it is, what its labels cost, and the label to print."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub.cli.failure import FAILED, REFUSED, Failure
from hub.cli.output import cell, emit_json, emit_object, emit_table, json_option, money
from hub.cli.session import database_of, reading
from hub.runtime.place import Place

if TYPE_CHECKING:
    from sqlalchemy import Connection

SUFFIXES = {"application/pdf": ".pdf", "image/png": ".png", "application/zpl": ".zpl"}


@click.group()
def packages() -> None:
    """Packages: where they are, what their labels cost, and the labels to print."""


@contextmanager
def _here(place: Place) -> Iterator[Connection]:
    if place.remote:
        raise Failure("`hub packages` works on the hub's own machine only, without --url.", REFUSED)
    with reading(place) as connection:
        yield connection


@packages.command("list")
@click.option("--order", "order_id", help="Only those of one order, by our id")
@click.option("--state", help="One state: label_pending, labelled, in_transit, delivered ...")
@click.option("--before", help="Page on: the id of the last package shown")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True)
@json_option
@click.pass_obj
def list_(place: Place, order_id: str | None, state: str | None, before: str | None, limit: int, as_json: bool) -> None:
    """Packages that are followed, newest first, with what their labels cost."""
    from hub.views.packages import list_packages

    with _here(place) as connection:
        found = list_packages(connection, order_id=order_id, state=state, before=before, limit=limit)
    if as_json:
        emit_json(found)
        return
    columns = (
        ("order_number", "ORDER"),
        ("location", "LOCATION"),
        ("external_id", "PACKAGE"),
        ("carrier", "CARRIER"),
        ("service", "SERVICE"),
        ("tracking_number", "TRACKING"),
        ("state", "STATE"),
        ("cost", "COST"),
        ("id", "ID"),
    )
    rows = [{**row, "cost": money(row["cost"], row["currency"]) if row["currency"] else None} for row in found]
    emit_table(rows, columns, empty="No packages are followed.")


def _one(connection: Connection, reference: str) -> str:
    from hub.views.packages import find_package

    ids = find_package(connection, reference)
    if not ids:
        raise Failure(f"There is no package {reference!r}. `hub packages list` shows what there is.", FAILED)
    if len(ids) > 1:
        raise Failure(f"{reference!r} fits several packages; use one of: {', '.join(ids)}", FAILED)
    return ids[0]


@packages.command("show")
@click.argument("reference")
@json_option
@click.pass_obj
def show(place: Place, reference: str, as_json: bool) -> None:
    """One package by our id, its tracking number, or the location's name for it: labels, money and scans."""
    from hub.views.packages import show_package

    with _here(place) as connection:
        package = show_package(connection, _one(connection, reference))
    assert package is not None
    if as_json:
        emit_object({"items": [package]})
        return
    _tell(package)


def _tell(package: dict[str, Any]) -> None:
    click.echo(f"Package {package['external_id']} from {package['location']}  ({package['id']})")
    click.echo(f"  order       {package['order_id']}")
    click.echo(f"  state       {package['state']}")
    click.echo(
        f"  tracking    {cell(package['tracking_number'])}  {cell(package['carrier'])} {cell(package['service'])}"
    )
    for label in package["labels"]:
        cost = "no price" if label["cost"] is None else money(label["cost"], label["currency"])
        back = f", {money(label['refunded'], label['currency'])} came back" if label["refunded"] else ""
        click.echo(f"  label {label['number']}     {label['state']} at {label['connection']}: {cost}{back}")
    for event in package["timeline"]:
        fact = event["type"].removeprefix("hub.package.").removesuffix(".v1")
        click.echo(f"  {cell(event['at'])}  {fact}  {cell(event['data'].get('status') or event['data'].get('words'))}")


@packages.command("labels")
@click.option("--order", "order_id", help="Only those of one order, by our id")
@click.option("--use", type=click.Choice(["used", "waiting", "asked_back", "given_back", "wasted", "none"]))
@click.option("--limit", type=click.IntRange(1, 100_000), default=1000, show_default=True)
@json_option
@click.pass_obj
def labels(place: Place, order_id: str | None, use: str | None, limit: int, as_json: bool) -> None:
    """What labels cost, what came back of them, and what they were good for; returns' labels too. `--use wasted` shows
    what was paid for nothing: a carrier did not take it back, or the package left with another."""
    from hub.views.packages import list_labels

    with _here(place) as connection:
        found = list_labels(connection, order_id=order_id, use=use, limit=limit)
    if as_json:
        emit_json(found)
        return
    columns = (
        ("order_number", "ORDER"),
        ("direction", "DIRECTION"),
        ("carrier", "CARRIER"),
        ("service", "SERVICE"),
        ("tracking_number", "TRACKING"),
        ("state", "STATE"),
        ("use", "USE"),
        ("paid", "COST"),
        ("back", "CAME BACK"),
    )
    shown = [
        {
            **row,
            "paid": money(row["cost"], row["currency"]) if row["currency"] else None,
            "back": money(row["refunded"], row["currency"]) if row["currency"] and row["refunded"] else None,
        }
        for row in found
    ]
    emit_table(shown, columns, empty="No labels were bought.")
    for line in _sums(found):
        click.echo(line, err=True)


def _sums(labels: list[dict[str, Any]]) -> list[str]:
    """What stays paid, by currency and use."""
    totals: dict[tuple[str, str], Any] = {}
    for row in labels:
        if row["currency"] and row["kept"]:
            key = (row["currency"], row["use"])
            totals[key] = totals.get(key, 0) + row["kept"]
    return [f"{use}: {money(amount, currency)}" for (currency, use), amount in sorted(totals.items())]


@packages.command("label")
@click.argument("reference")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write; default named as the package"
)
@click.pass_obj
def label(place: Place, reference: str, out: Path | None) -> None:
    """Write the label of a package to a file, the very bytes the carrier sold."""
    from hub.views.packages import label_body, label_bytes

    with _here(place) as connection:
        package = _one(connection, reference)
        body_id = label_body(connection, package)
        if body_id is None:
            raise Failure(f"Package {reference!r} has no label: `hub packages show {package}` says why.", FAILED)
        content_type, content = label_bytes(connection, body_id, place.home / f"{database_of(place)}.bodies")
    if content is None:
        raise Failure(f"The label of {reference!r} was erased with the personal data of its order.", FAILED)
    target = out or Path(f"{package}{SUFFIXES.get(content_type, '.label')}")
    target.write_bytes(content)
    click.echo(f"{target}  ({content_type}, {len(content)} bytes)")
