"""`hub import`: what must be known before going live."""

from __future__ import annotations

from pathlib import Path

import click

from hub.cli.failure import FAILED
from hub.cli.output import emit_result, json_option
from hub.cli.session import act
from hub.runtime.place import Place


@click.group("import")
def imports() -> None:
    """Bring in what the hub must know before orders come."""


@imports.command("items")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
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
