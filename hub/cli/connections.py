"""`hub connections`: configured instances."""

from __future__ import annotations

from typing import Any

import click

from hub.cli.failure import FAILED, Failure
from hub.cli.output import cell, counted, emit_json, emit_result, emit_table, json_option
from hub.cli.session import act, ask, environment, load
from hub.runtime.place import Place


@click.group()
def connections() -> None:
    """Configured instances of connectors."""


@connections.command("list")
@json_option
@click.pass_obj
def list_(place: Place, as_json: bool) -> None:
    """The configured connections: what each reads, what is sent to it, and why something of it waits now."""
    if place.remote:
        names = ("id", "connector", "effects", "streams", "effects_out", "paused_reason", "waiting")
        rows = [{name: row[name] for name in names} for row in ask(place, "connections.list")]
    else:
        rows = [
            {
                "id": connection.id,
                "connector": connection.connector,
                "effects": connection.effects.value,
                "streams": list(connection.streams),
                "effects_out": list(connection.effects_out),
            }
            for connection in load(place).bundle.connections.values()
        ]
        _add_waiting(place, rows)
    if as_json:
        emit_json(rows)
        return
    columns = (
        ("id", "ID"),
        ("connector", "CONNECTOR"),
        ("effects", "EFFECTS"),
        ("streams", "READS"),
        ("effects_out", "GETS"),
    )
    emit_table(rows, columns, empty="No connections are configured.")
    for row in rows:
        if row["paused_reason"] is not None:
            click.echo(f"{row['id']} is paused: {row['paused_reason'] or 'by a person'} (`hub connections resume`)")
        for one in row["waiting"]:
            click.echo(f"{row['id']} {one['stream']} is read again at {cell(one['until'])}: {one['why']}")


def _add_waiting(place: Place, rows: list[dict[str, Any]]) -> None:
    """What the hub's data know of each; nothing where it has never run."""
    try:
        found = ask(place, "connections.waiting")
    except Failure as error:
        if error.exit_code != FAILED:
            raise
        found = {"paused": [], "waiting": []}
    paused = {one["connection"]: one["paused_reason"] or "" for one in found["paused"]}
    for row in rows:
        row["paused_reason"] = paused.get(row["id"])
        row["waiting"] = [one for one in found["waiting"] if one["connection"] == row["id"]]


@connections.command("check")
@click.argument("connection", required=False)
@json_option
@click.pass_obj
def check(place: Place, connection: str | None, as_json: bool) -> None:
    """Ask the systems themselves, without side effects."""
    rows = _checked_there(place, connection) if place.remote else _checked_here(place, connection)
    if as_json:
        emit_json(rows)
    else:
        columns = (("connection", "CONNECTION"), ("probe", "PROBE"), ("ok", "OK"), ("detail", "DETAIL"))
        emit_table(rows, columns, empty="Nothing to check.")
    if not all(row["ok"] for row in rows):
        raise click.exceptions.Exit(FAILED)


def _checked_there(place: Place, connection: str | None) -> list[dict[str, Any]]:
    names = [connection] if connection else [row["id"] for row in ask(place, "connections.list")]
    return [
        {"connection": name, **probe}
        for name in names
        for probe in act(place, "connections.check", connection=name)["probes"]
    ]


def _checked_here(place: Place, connection: str | None) -> list[dict[str, Any]]:
    from hub.runtime.connections import RuntimeConnections
    from hub.store.clock import SystemClock

    loaded = load(place)
    runtime = RuntimeConnections(loaded.bundle, loaded.registry, loaded.library, SystemClock(), environment(place))
    if connection is not None and connection not in runtime.ids():
        raise Failure(f"There is no connection {connection!r}; there are {', '.join(runtime.ids())}", FAILED)
    rows = []
    for name in [connection] if connection else runtime.ids():
        view = runtime.get(name)
        assert view is not None
        rows += [
            {"connection": name, "probe": probe.name, "ok": probe.ok, "detail": probe.detail}
            for probe in view.connector.check().probes
        ]
    return rows


def _action(name: str, text: str) -> None:
    @connections.command(name, help=text)
    @click.argument("connection")
    @click.option("--reason", default="", help="Kept with the change")
    @json_option
    @click.pass_obj
    def command(place: Place, connection: str, reason: str, as_json: bool) -> None:
        result = act(place, f"connections.{name}", connection=connection, reason=reason)
        emit_result(result, as_json=as_json)


_action("pause", "Send nothing to a connection until it is resumed; work waits.")


@connections.command("resume")
@click.argument("connection")
@click.option("--reason", default="", help="Kept with the change")
@click.option("--dry-run", is_flag=True, help="Only show what is held, and how old it is")
@json_option
@click.pass_obj
def resume(place: Place, connection: str, reason: str, dry_run: bool, as_json: bool) -> None:
    """Go on; says how old what it held is."""
    if dry_run:
        result = act(place, "connections.held", connection=connection)
    else:
        result = act(place, "connections.resume", connection=connection, reason=reason)
    emit_result(result, as_json=as_json)


@connections.command("go-live")
@click.argument("connection")
@click.option(
    "--include", multiple=True, metavar="DELIVERY", help="A suppressed delivery to send after all; again for more"
)
@click.option("--dry-run", is_flag=True, help="Only show what going live would mean")
@click.option("--yes", is_flag=True, help="Do not ask")
@click.option("--reason", default="", help="Kept with the change")
@json_option
@click.pass_obj
def go_live(
    place: Place, connection: str, include: tuple[str, ...], dry_run: bool, yes: bool, reason: str, as_json: bool
) -> None:
    """Turn a connection's effects on from now, after showing what that means.

    What was suppressed before is never sent unless it is listed with --include.
    """
    plan = act(place, "connections.plan", connection=connection, include=list(include))
    if dry_run and as_json:
        emit_json([plan])
        return
    if not as_json:
        _show_plan(plan)
    if dry_run:
        return
    if not yes and not click.confirm("Go live?", default=False, err=True):
        raise Failure("Nothing was changed.", FAILED)
    result = act(place, "connections.go_live", connection=connection, include=list(include), reason=reason)
    emit_result(result, as_json=as_json)


def _show_plan(plan: dict[str, Any]) -> None:
    click.echo(
        f"{plan['connection']}: effects are {plan['effects']} now, on from then"
        + (", paused" if plan["paused"] else "")
    )
    if not plan["suppressed"]:
        click.echo("  nothing is suppressed")
    else:
        click.echo(
            f"  {plan['suppressed']} suppressed {'delivery' if plan['suppressed'] == 1 else 'deliveries'}, the oldest "
            f"{_age(plan['oldest_seconds'])} old:"
        )
        for kind, number in plan["by_kind"].items():
            click.echo(f"    {number} {kind}")
    if plan["observed_orders"]:
        click.echo(f"  {counted(plan['observed_orders'], 'order')} captured while observing stay without effects")
    for row in plan["include"]:
        click.echo(f"  would be sent now: {_line(row)}")
        for key in row["needs"]:
            click.echo(f"    needs {key} first, which is suppressed too: list it as well")
    for row in plan["not_sent"]:
        click.echo(f"  stays unsent: {_line(row)}")


def _line(row: dict[str, Any]) -> str:
    return f"{row['id']}  {row['destination']} {row['capability']}  {_age(row['age_seconds'])} old"


def _age(seconds: int) -> str:
    for least, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= least:
            return f"{seconds // least} {name}"
    return f"{seconds} s"


@connections.command("sync")
@click.argument("connection")
@click.argument("stream")
@click.option("--again", is_flag=True, help="From the stream's start_from on; what is known already changes nothing")
@json_option
@click.pass_obj
def sync(place: Place, connection: str, stream: str, again: bool, as_json: bool) -> None:
    """Read a stream now instead of at its next slot."""
    emit_result(act(place, "connections.sync", connection=connection, stream=stream, again=again), as_json=as_json)
