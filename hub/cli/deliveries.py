"""`hub deliveries`: outgoing calls, and a person's word on those whose outcome is unknown."""

from __future__ import annotations

from typing import Any

import click

from hub.cli.failure import FAILED, Failure
from hub.cli.output import cell, emit_json, emit_object, emit_result, emit_table, json_option
from hub.cli.session import act, ask
from hub.runtime.place import Place


@click.group()
def deliveries() -> None:
    """Outgoing calls and their attempts."""


@deliveries.command("list")
@click.option("--state", help="One state; without it everything that is still open")
@click.option("--destination", help="Only those of one connection")
@click.option("--order", "order_id", help="Every delivery of one order, by our id")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@json_option
@click.pass_obj
def list_(
    place: Place, state: str | None, destination: str | None, order_id: str | None, limit: int, as_json: bool
) -> None:
    """Outgoing calls that are still open, or those in one state."""
    found = ask(place, "deliveries.list", state=state, destination=destination, order_id=order_id, limit=limit)
    if as_json:
        emit_json(found)
        return
    columns = (
        ("id", "ID"),
        ("business_key", "BUSINESS KEY"),
        ("state", "STATE"),
        ("attempts", "ATTEMPTS"),
        ("due_at", "DUE"),
        ("error", "LAST WORD"),
    )
    emit_table(found, columns, empty="No open deliveries.")


@deliveries.command("show")
@click.argument("delivery")
@json_option
@click.pass_obj
def show(place: Place, delivery: str, as_json: bool) -> None:
    """One delivery, by id or business key, with every attempt."""
    found = ask(place, "deliveries.get", delivery)
    if found is None:
        raise Failure(f"There is no delivery {delivery!r}. `hub deliveries list` shows the open ones.", FAILED)
    if as_json:
        emit_object({"items": [found]})
        return
    click.echo(f"{found['business_key']}  ({found['id']})")
    for key in ("destination", "capability", "state", "park_reason", "safety", "due_at", "external_id", "error"):
        if found[key] is not None:
            click.echo(f"  {key.replace('_', ' '):<12} {cell(found[key])}")
    for attempt in found["history"]:
        click.echo(
            f"  attempt {attempt['number']} ({attempt['kind']}) {cell(attempt['started_at'])}: "
            f"{attempt['resolution'] or 'open'} {cell(attempt['status'])} {attempt['words'] or ''}"
        )


def _say(result: dict[str, Any], as_json: bool) -> None:
    emit_result(result, as_json=as_json)


@deliveries.command("retry")
@click.argument("delivery")
@json_option
@click.pass_obj
def retry(place: Place, delivery: str, as_json: bool) -> None:
    """Let a parked delivery go on, or make one that waits for its next try wait no longer; its content stays."""
    _say(act(place, "deliveries.retry", delivery=delivery), as_json)


@deliveries.command("happened")
@click.argument("delivery")
@click.option("--external-id", required=True, help="What the other system calls what was made")
@click.option("--reason", default="", help="How you know")
@json_option
@click.pass_obj
def happened(place: Place, delivery: str, external_id: str, reason: str, as_json: bool) -> None:
    """Say that a call of unknown outcome did happen; with --reason also that somebody did an open one by hand."""
    _say(act(place, "deliveries.happened", delivery=delivery, external_id=external_id, reason=reason), as_json)


@deliveries.command("did-not-happen")
@click.argument("delivery")
@click.option("--reason", default="", help="How you know")
@json_option
@click.pass_obj
def did_not_happen(place: Place, delivery: str, reason: str, as_json: bool) -> None:
    """Say that a call of unknown outcome did not happen; it is sent again."""
    _say(act(place, "deliveries.did_not_happen", delivery=delivery, reason=reason), as_json)


@deliveries.command("abandon")
@click.argument("delivery")
@click.option("--reason", required=True, help="Kept with it, for whoever reads it later")
@json_option
@click.pass_obj
def abandon(place: Place, delivery: str, reason: str, as_json: bool) -> None:
    """Give a delivery up for good; what needs it is blocked."""
    _say(act(place, "deliveries.abandon", delivery=delivery, reason=reason), as_json)


@deliveries.command("resend")
@click.argument("delivery")
@click.option("--as-new", is_flag=True, required=True, help="A second effect, under a key of its own; audited")
@click.option("--reason", required=True, help="Kept with it, for whoever reads it later")
@json_option
@click.pass_obj
def resend(place: Place, delivery: str, as_new: bool, reason: str, as_json: bool) -> None:
    """Make the effect a second time, on purpose."""
    if not as_new:
        raise click.UsageError("A second effect is only made with --as-new.")
    _say(act(place, "deliveries.resend", delivery=delivery, reason=reason), as_json)
