"""`hub reports`: figures for other people's programs, as CSV or JSON."""

from __future__ import annotations

import csv
import datetime as dt
import io
from typing import Any

import click

from hub.cli.failure import REFUSED, Failure
from hub.cli.output import cell, emit_json
from hub.cli.session import reading
from hub.runtime.place import Place

DAY = click.DateTime(formats=["%Y-%m-%d"])


@click.group()
def reports() -> None:
    """Reports: the accounting journal."""


@reports.group("run")
def run() -> None:
    """Make a report now; it goes to stdout."""


@run.command("journal")
@click.option("--from", "start", type=DAY, required=True, help="First day, as 2026-11-01 (UTC)")
@click.option("--to", "end", type=DAY, required=True, help="Last day, included")
@click.option("--channel", help="Only this one")
@click.option("--detail", is_flag=True, help="Every entry with its document, not the sums of a day")
@click.option("--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True)
@click.pass_obj
def journal(place: Place, start: dt.datetime, end: dt.datetime, channel: str | None, detail: bool, form: str) -> None:
    """The accounting journal by day, channel and account: what was invoiced, credited, captured, refunded, paid out.

    Debits equal credits, of every document and so of every day; the figures are those of the ledgers.
    """
    from hub.views.journal import journal as read

    if place.remote:
        raise Failure("`hub reports` works on the hub's own machine only, without --url.", REFUSED)
    if end < start:
        raise click.UsageError("--to lies before --from.")
    with reading(place) as connection:
        entries, sums = read(connection, start.date(), end.date(), channel)
    found = entries if detail else sums
    if form == "json":
        emit_json(found)
    else:
        click.echo(_csv(found, detail), nl=False)


def _csv(found: list[dict[str, Any]], detail: bool) -> str:
    more = ("kind", "order", "order_number", "document") if detail else ("documents",)
    columns = ("date", "channel", "currency", "account", "debit", "credit", *more)
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([["" if row[name] is None else cell(row[name]) for name in columns] for row in found])
    return out.getvalue()
