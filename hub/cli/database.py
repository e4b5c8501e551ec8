"""`hub db`: the database itself."""

from __future__ import annotations

import click

from hub.cli.session import environment
from hub.runtime.place import Place


@click.group("db")
def database() -> None:
    """The database."""


@database.command("upgrade")
@click.pass_obj
def upgrade(place: Place) -> None:
    """Create or migrate the database; a second run changes nothing."""
    from hub.app import opened_store

    with opened_store(place, environ=environment(place)) as store:
        click.echo(f"ready: {store.describe()}")
