"""`hub import`: what must be known before going live."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from hub.cli.failure import FAILED
from hub.cli.output import emit_json, emit_result, json_option
from hub.cli.session import act, acting
from hub.runtime.place import Place

AT_ONCE = 200
BAR_AFTER_SECONDS = 0.5
a_file = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
dry_run_option = click.option("--dry-run", is_flag=True, help="Only say what would be refused; write nothing")


@click.group("import")
def imports() -> None:
    """Bring in what the hub must know before orders come."""


@imports.command("items")
@a_file
@json_option
@click.pass_obj
def items(place: Place, file: Path, as_json: bool) -> None:
    """Items from a JSON list or a CSV file with a header (sku, title, gtin); the same file again changes nothing."""
    result = act(place, "import.items", file=str(file.absolute()))
    emit_result(result, as_json=as_json)
    if result["refused"]:
        for row in () if as_json else result["refused"]:
            click.echo(f"row {row['row']}: {row['field']}: {row['message']}", err=True)
        raise click.exceptions.Exit(FAILED)


@imports.command("stock")
@a_file
@dry_run_option
@json_option
@click.pass_obj
def stock(place: Place, file: Path, dry_run: bool, as_json: bool) -> None:
    """First counts from CSV, JSON lines or a JSON list (sku, location, quantity); the next count there takes over."""
    _import(place, file, "stock", ("sku", "location"), {}, dry_run=dry_run, as_json=as_json)


@imports.command("supply")
@a_file
@dry_run_option
@json_option
@click.pass_obj
def supply(place: Place, file: Path, dry_run: bool, as_json: bool) -> None:
    """What is to come, from CSV, JSON lines or a JSON list: reference, sku, location, expected_at, quantity, received.

    expected_at is a day or a time. `external_id` names a line for ever (else reference, sku and location do); `status`
    is open, closed or cancelled. The same line again takes the place of what stood.
    """
    _import(
        place, file, "supply", ("external_id", "reference", "sku", "location"), {}, dry_run=dry_run, as_json=as_json
    )


@imports.command("crossreferences")
@a_file
@dry_run_option
@json_option
@click.pass_obj
def crossreferences(place: Place, file: Path, dry_run: bool, as_json: bool) -> None:
    """Names that other systems have for what the hub has (system, entity, external_id, internal_id, role).

    With the entity `listing`: what a channel calls an item, from valid_from to valid_to. Orders are read by what
    counted when they were placed.
    """
    key = ("system", "entity", "external_id", "role", "valid_from")
    _import(place, file, "crossreferences", key, {}, dry_run=dry_run, as_json=as_json)


@imports.command("orders")
@a_file
@click.option("--channel", required=True, help="The connection that the orders came from")
@click.option("--live", is_flag=True, help="Act for them as for any order; otherwise they are kept as history")
@dry_run_option
@json_option
@click.pass_obj
def orders(place: Place, file: Path, channel: str, live: bool, dry_run: bool, as_json: bool) -> None:
    """Orders in canonical form: JSON lines, a JSON list, or CSV with one row a line. History: nothing is sent for them.

    CSV has the columns external_id, number, placed_at, currency, total, payment_state, fulfilment_state, sku, title,
    quantity, unit_price, external_line_id; rows of one external_id follow each other.
    """
    options = {"channel": channel, "live": live}
    _import(place, file, "orders", ("external_id", "scope"), options, dry_run=dry_run, as_json=as_json)


def _import(
    place: Place,
    file: Path,
    kind: str,
    key: tuple[str, ...],
    options: dict[str, Any],
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Read the whole file first; then row by row, so that it can be stopped and goes on where it was."""
    from hub.cli.import_file import read, write_refused

    found = read(file, kind, key, options)
    chunks = [found.rows[start : start + AT_ONCE] for start in range(0, len(found.rows), AT_ONCE)]
    bar = Bar(file.name, len(found.rows))
    with acting(place) as do:
        if dry_run:
            refused, changed = list(found.refused), 0
            for rows in chunks:
                answer = do("import.check", kind=kind, rows=rows, options=options)
                refused += answer["refused"]
                changed += answer["changed"]
                bar.at(rows[-1]["index"])
            bar.end()
            total = len(found.rows) + len(found.refused)
            words = f"{changed} of {total} rows would change something, {len(refused)} would be refused"
            _report(
                {"kind": f"import.{kind}", "subject": file.name, "total": total, "changed": changed},
                refused,
                words,
                as_json,
            )
            return
        job = do(
            "import.begin",
            kind=kind,
            subject=file.name,
            fingerprint=found.fingerprint,
            total=len(found.rows),
            options=options,
        )
        if job["state"] == "done":
            words = f"{file.name} was imported already ({job['job']}): nothing was done"
            _report({**job, "again": True}, [], words, as_json)
            return
        if job["position"]:
            click.echo(f"Going on with {job['job']} after row {job['position']} of {job['total']}.", err=True)
        try:
            for rows in chunks:
                if rows[-1]["index"] > job["position"]:
                    job = do("import.rows", job=job["job"], rows=rows, options=options)
                    bar.at(job["position"])
        except KeyboardInterrupt:
            bar.end()
            click.echo(
                f"Stopped. The same command goes on where it was; `hub jobs show {job['job']}` shows where.", err=True
            )
            raise
        bar.end()
        done = do("import.finish", job=job["job"])
    refused = [*found.refused, *done.pop("problems")]
    words = done["message"]
    if refused:
        target = write_refused(file, found, sorted({row["row"] for row in refused}))
        words += f"; {target} holds {len(refused)} refused rows to mend and import again"
        done["refused_file"] = str(target)
    _report(done, refused, words, as_json)


def _report(result: dict[str, Any], refused: list[dict[str, Any]], words: str, as_json: bool) -> None:
    """One line a refused row; exit 1 where there is one."""
    refused = sorted(refused, key=lambda row: row["row"])
    if as_json:
        rows = [{name: row[name] for name in ("row", "field", "message")} for row in refused]
        emit_json([{**result, "refused": rows, "message": words}])
    else:
        for row in refused:
            click.echo(f"line {row['row']}: {row['field'] + ' ' if row['field'] else ''}{row['message']}", err=True)
        click.echo(words)
    if refused:
        raise click.exceptions.Exit(FAILED)


class Bar:
    """Progress on stderr, on a terminal only, and only for what takes a while."""

    def __init__(self, what: str, whole: int) -> None:
        self._what, self._whole = what, whole
        self._begun = time.monotonic()
        self._shown = False

    def at(self, done: int) -> None:
        if not sys.stderr.isatty() or time.monotonic() - self._begun < BAR_AFTER_SECONDS:
            return
        filled = 24 * done // max(1, self._whole)
        click.echo(f"\r  {self._what}  {'━' * filled}{' ' * (24 - filled)} {done}/{self._whole}", nl=False, err=True)
        self._shown = True

    def end(self) -> None:
        if self._shown:
            click.echo("", err=True)
            self._shown = False
