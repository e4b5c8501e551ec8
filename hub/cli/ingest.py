"""`hub ingest CONNECTION FILE...`: as if the files had arrived."""

from __future__ import annotations

from pathlib import Path

import click

from hub.cli.failure import FAILED
from hub.cli.output import emit_json, emit_table, json_option
from hub.cli.session import act
from hub.runtime.place import Place


@click.command()
@click.argument("connection")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--stream", help="Which of the connection's streams; without it orders, else the first")
@json_option
@click.pass_obj
def ingest(place: Place, connection: str, files: tuple[Path, ...], stream: str | None, as_json: bool) -> None:
    """Store each file as a receipt of CONNECTION, apply what is in it, and say what became of every record."""
    paths = [str(path.absolute()) for path in files]
    result = act(place, "ingest", connection=connection, files=paths, stream=stream)
    items = result["items"]
    if as_json:
        emit_json(items)
    else:
        rows = [{**item, "error": (item.get("error") or {}).get("message")} for item in items]
        columns = (("file", "FILE"), ("status", "STATUS"), ("order", "ORDER"), ("error", "WHY"))
        emit_table(rows, columns, empty="Nothing was in those files.")
    if any(item["status"] in ("parked", "unparsable") for item in items):
        raise click.exceptions.Exit(FAILED)
