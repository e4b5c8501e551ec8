"""`hub jobs`: imports and how far each is."""

from __future__ import annotations

import click

from hub.cli.failure import FAILED, Failure
from hub.cli.output import cell, emit_json, emit_object, emit_result, emit_table, json_option
from hub.cli.session import act, reading
from hub.runtime.place import Place


@click.group()
def jobs() -> None:
    """Long work of people: imports."""


@jobs.command("list")
@click.option("--state", type=click.Choice(["running", "done", "cancelled"]))
@json_option
@click.pass_obj
def list_(place: Place, state: str | None, as_json: bool) -> None:
    """Imports, newest first. One that runs and does not move was stopped: the same command goes on with it."""
    from hub.views.jobs import list_jobs

    with reading(place) as connection:
        found = list_jobs(connection, state=state)
    if as_json:
        emit_json(found)
        return
    columns = (
        ("id", "ID"),
        ("kind", "KIND"),
        ("subject", "FILE"),
        ("state", "STATE"),
        ("position", "DONE"),
        ("total", "OF"),
        ("changed", "CHANGED"),
        ("refused", "REFUSED"),
        ("updated_at", "LAST MOVED"),
    )
    emit_table(found, columns, empty="No imports.")


@jobs.command("show")
@click.argument("job")
@json_option
@click.pass_obj
def show(place: Place, job: str, as_json: bool) -> None:
    """One import with the rows it refused."""
    from hub.views.jobs import show_job

    with reading(place) as connection:
        found = show_job(connection, job)
    if found is None:
        raise Failure(f"There is no job {job!r}. `hub jobs list` shows what there is.", FAILED)
    if as_json:
        emit_object({"items": [found]})
        return
    click.echo(f"{found['kind']} of {found['subject']}: {found['state']}, {found['position']} of {found['total']} rows")
    click.echo(f"  {found['changed']} changed something, {found['refused']} refused; by {found['who']}")
    click.echo(f"  begun {cell(found['started_at'])}, last moved {cell(found['updated_at'])}")
    for row in found["problems"]:
        click.echo(f"  line {row['row']}: {row['field']} {row['message']}")


@jobs.command("cancel")
@click.argument("job")
@click.option("--reason", default="", help="Kept with the change")
@json_option
@click.pass_obj
def cancel(place: Place, job: str, reason: str, as_json: bool) -> None:
    """Stop an import where it is; what is written stays."""
    emit_result(act(place, "jobs.cancel", job=job, reason=reason), as_json=as_json)
