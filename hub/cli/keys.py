"""`hub keys`: who may call the API, and for what."""

from __future__ import annotations

import datetime as dt
import re

import click

from hub.cli.failure import FAILED, Failure
from hub.cli.output import emit_json, emit_result, emit_table, json_option
from hub.cli.session import act, ask
from hub.runtime.place import Place

SCOPES = (
    "orders:read",
    "orders:write",
    "inventory:read",
    "inventory:write",
    "fulfilment:read",
    "fulfilment:write",
    "money:read",
    "money:write",
    "monitor",
    "operate",
    "bodies:read",
    "admin",
)
_AGE = re.compile(r"([0-9]{1,4})d\Z")


@click.group()
def keys() -> None:
    """Keys of the API: only their hashes are kept, each is shown once."""


@keys.command("create")
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, required=True, type=click.Choice(SCOPES), help="What it may do; again for more"
)
@click.option("--expires", help="When it ends: 90d, or a time as in 2027-01-31T00:00:00Z; never if left out")
@json_option
@click.pass_obj
def create(place: Place, name: str, scopes: tuple[str, ...], expires: str | None, as_json: bool) -> None:
    """Make a key for NAME. stdout is the key, this once; keep it where secrets are kept."""
    result = act(place, "keys.create", name=name, scopes=list(scopes), expires_at=_end(expires))
    if as_json:
        emit_json([result])
        return
    click.echo(result["message"], err=True)
    click.echo(result["token"])


def _end(expires: str | None) -> str | None:
    age = _AGE.match(expires) if expires else None
    if expires is not None and age is None:
        try:
            dt.datetime.fromisoformat(expires)
        except ValueError as error:
            raise Failure(
                f"{expires!r} is no end of a key: write a number of days such as 90d, or a time as in "
                "2027-01-31T00:00:00Z",
                FAILED,
            ) from error
    if age is None:
        return expires
    return (dt.datetime.now(dt.UTC) + dt.timedelta(days=int(age[1]))).isoformat()


@keys.command("list")
@json_option
@click.pass_obj
def list_(place: Place, as_json: bool) -> None:
    """Every key by its first characters: what it may do, when it was last used."""
    found = ask(place, "keys.list")
    if as_json:
        emit_json(found)
        return
    columns = (
        ("id", "ID"),
        ("prefix", "KEY"),
        ("name", "NAME"),
        ("scopes", "SCOPES"),
        ("created_at", "MADE"),
        ("expires_at", "ENDS"),
        ("used_at", "LAST USED"),
        ("revoked_at", "REVOKED"),
    )
    emit_table(found, columns, empty="No keys. `hub keys create NAME --scope orders:read` makes one.")


@keys.command("revoke")
@click.argument("key")
@click.option("--reason", default="", help="Kept with the change")
@json_option
@click.pass_obj
def revoke(place: Place, key: str, reason: str, as_json: bool) -> None:
    """End a key at once, by its id or its first characters."""
    emit_result(act(place, "keys.revoke", key=key, reason=reason), as_json=as_json)
