"""`hub events`: what happened, as the hub tells others."""

from __future__ import annotations

import json

import click

from hub.cli.output import emit_json, emit_table, json_option
from hub.cli.session import ask
from hub.runtime.place import Place


@click.group()
def events() -> None:
    """What happened: CloudEvents, as others can follow them by the API."""


@events.command("list")
@click.option("--fact", help="A whole type, or the beginning of one that ends in a point: hub.order.")
@click.option("--order", help="Only of this order: the hub's id of it")
@click.option("--subject", help="Only of this thing: an id")
@click.option(
    "--after", help="Only what came after this sequence; what is seconds old is not complete yet and left out"
)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@json_option
@click.pass_obj
def list_(
    place: Place,
    fact: str | None,
    order: str | None,
    subject: str | None,
    after: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Events, oldest first. --json prints each as a CloudEvent."""
    found = ask(place, "events.list", fact=fact, order=order, subject=subject, after=after, limit=limit)
    if as_json:
        emit_json(found)
        return
    columns = (("time", "WHEN"), ("type", "WHAT"), ("subject", "OF"), ("said", "SAYS"), ("sequence", "SEQUENCE"))
    emit_table([{**event, "said": _said(event["data"])} for event in found], columns, empty="Nothing has happened.")


def _said(data: dict[str, object]) -> str:
    return ", ".join(f"{name} {value if isinstance(value, str) else json.dumps(value)}" for name, value in data.items())
