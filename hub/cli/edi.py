"""`hub edi`: look into files of partners, and at what was exchanged with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hub.cli.failure import FAILED, Failure
from hub.cli.output import counted, emit_json, emit_object, emit_result, emit_table, json_option
from hub.cli.session import act, ask
from hub.runtime.place import Place

MAX_FILE_BYTES = 32 * 1024 * 1024


@click.group()
def edi() -> None:
    """Files and interchanges of trading partners."""


def _seen(path: Path, charset: str | None) -> dict[str, Any]:
    from hub.edi.inspect import inspected
    from hub.formats import FormatError

    if path.stat().st_size > MAX_FILE_BYTES:
        raise Failure(f"{path}: {path.stat().st_size} bytes are more than {MAX_FILE_BYTES}.", FAILED)
    try:
        return {"file": str(path), **inspected(path.read_bytes(), charset)}
    except FormatError as error:
        at = f" (byte {error.position.offset})" if error.position is not None else ""
        raise Failure(f"{path}: {error.message}{at} ({error.code})", FAILED) from error


_FILES = click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
_CHARSET = click.option("--charset", type=click.Choice(["ascii", "latin-1", "utf-8"]), help="Else the bytes decide")


@edi.command("inspect")
@_FILES
@_CHARSET
@json_option
def inspect(files: tuple[Path, ...], charset: str | None, as_json: bool) -> None:
    """Separators, interchanges, groups and sets of files, and what does not agree. Values are not shown."""
    from hub.edi.inspect import lines_of

    seen = [_seen(path, charset) for path in files]
    if as_json:
        emit_object({"items": seen})
        return
    for one in seen:
        click.echo(
            f"{one['file']}  {'EDIFACT' if one['standard'] == 'edifact' else 'X12'}, {counted(one['bytes'], 'byte')}, "
            f"{counted(one['segments'], 'segment')}, {one['charset']}"
        )
        for line in lines_of(one):
            click.echo(line)


@edi.command("validate")
@_FILES
@_CHARSET
@json_option
def validate(files: tuple[Path, ...], charset: str | None, as_json: bool) -> None:
    """Every fault of files with its place; exit 1 where there is one."""
    from hub.edi.inspect import where

    found: list[dict[str, Any]] = []
    for path in files:
        try:
            seen = _seen(path, charset)
        except Failure as failure:
            found.append({"file": str(path), "code": "unreadable", "message": str(failure), "rejects": True})
            continue
        found += [{"file": str(path), **finding} for finding in seen["findings"]]
    if as_json:
        emit_json(found)
    else:
        for one in found:
            told = one["message"] if one["code"] == "unreadable" else f"{one['file']}: {where(one)}: {one['message']}"
            click.echo(f"{told}{'' if one['code'] == 'unreadable' else ' (' + one['code'] + ')'}")
        if not found:
            click.echo(f"{counted(len(files), 'file')}, nothing found")
    if found:
        raise click.exceptions.Exit(FAILED)


@edi.command("interchanges")
@click.option("--sent", "direction", flag_value="sent", help="Only ours")
@click.option("--received", "direction", flag_value="received", help="Only those of partners")
@click.option("--connection", "of", help="Only those of one connection")
@click.option("--control", help="One interchange number")
@click.option(
    "--answer",
    type=click.Choice(["accepted", "awaited", "overdue", "refused"]),
    help="Of ours: what the partner has said of them",
)
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@json_option
@click.pass_obj
def interchanges(
    place: Place,
    direction: str | None,
    of: str | None,
    control: str | None,
    answer: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """What was sent and what came, the newest first, with numbers and answers."""
    found = ask(place, "edi.interchanges", direction=direction, of=of, control=control, answer=answer, limit=limit)
    if as_json:
        emit_json(found)
        return
    columns = (
        ("direction", "DIRECTION"),
        ("connection", "CONNECTION"),
        ("control", "NUMBER"),
        ("documents", "DOCUMENT"),
        ("state", "STATE"),
        ("answer", "ANSWER"),
        ("at", "AT"),
        ("id", "ID"),
    )
    emit_table(found, columns, empty="No interchanges.")


@edi.command("resend")
@click.argument("document")
@click.option("--connection", default="", help="Whose interchange number it is, where several partners have it")
@click.option("--reason", default="", help="Kept with it, for whoever reads it later")
@json_option
@click.pass_obj
def resend(place: Place, document: str, connection: str, reason: str, as_json: bool) -> None:
    """Send a document again, by its interchange number or delivery: the same file while its answer is awaited, else
    written anew by the mapping of now, under a new number."""
    result = act(place, "edi.resend", reference=document, reason=reason, connection=connection)
    emit_result(result, as_json=as_json)
