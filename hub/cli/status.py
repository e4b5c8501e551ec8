"""`hub status` and `hub version`."""

from __future__ import annotations

import importlib.metadata
import platform

import click

from hub import __version__
from hub.cli.output import cell, emit_json, emit_object, json_option
from hub.cli.session import ask, owner_of
from hub.runtime.place import Place


@click.command()
@json_option
@click.pass_obj
def status(place: Place, as_json: bool) -> None:
    """Who runs, how much of everything is in which state, what needs you."""
    owner = None if place.remote else owner_of(place)
    found = ask(place, "status")
    state, by_destination, paused, waiting = (found[name] for name in ("counts", "deliveries", "paused", "waiting"))
    if as_json:
        items = [{"kind": kind, **counted} for kind, counted in state.items()]
        emit_json(items, owner=owner, paused=paused, waiting=found["waiting"])
        return
    if place.remote:
        click.echo(f"hub        running, version {found['version']}")
    else:
        click.echo(f"hub        {'running, process ' + str(owner) if owner else 'not running'}; data in {place.home}")
    for kind, counted in state.items():
        click.echo(f"{kind:<10} " + (", ".join(f"{count} {name}" for name, count in sorted(counted.items())) or "none"))
    for row in by_destination:
        if row["state"] not in ("acknowledged", "withdrawn", "coalesced", "abandoned", "suppressed"):
            click.echo(
                f"  {row['destination']} {row['capability']}: {row['count']} {row['state']}, oldest "
                f"{cell(row['oldest'])}"
            )
    for row in paused:
        click.echo(f"  {row['connection']} is paused: {row['paused_reason']} (`hub connections resume`)")
    for row in waiting:
        click.echo(f"  {row['connection']} {row['stream']} is read again at {cell(row['until'])}: {row['why']}")
    if state["exceptions"]:
        click.echo("`hub exceptions list` shows what needs you")


@click.command()
@json_option
def version(as_json: bool) -> None:
    """The hub's version and what it stands on."""
    parts = {"order-hub": __version__, "python": platform.python_version()}
    for name in ("sqlalchemy", "psycopg", "pysqlite3", "requests", "zeep", "uvicorn", "jmespath", "jsonschema"):
        try:
            parts[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    if as_json:
        emit_object({"items": [{"name": name, "version": found} for name, found in parts.items()]})
        return
    for name, found in parts.items():
        click.echo(f"{name} {found}")
