"""`hub connections`: configured instances."""

from __future__ import annotations

from typing import Any

import click

from hub.cli.failure import FAILED, Failure
from hub.cli.output import emit_json, emit_result, emit_table, json_option
from hub.cli.session import act, ask, environment, load
from hub.runtime.place import Place


@click.group()
def connections() -> None:
    """Configured instances of connectors."""


@connections.command("list")
@json_option
@click.pass_obj
def list_(place: Place, as_json: bool) -> None:
    """The configured connections: what each reads, and what is sent to it."""
    if place.remote:
        names = ("id", "connector", "effects", "streams", "effects_out")
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
_action("resume", "Go on; says how old what it held is.")
