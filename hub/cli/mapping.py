"""`hub mapping`: list, try, test."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub.cli.failure import FAILED, Failure
from hub.cli.output import emit_json, emit_object, emit_table, json_option
from hub.runtime.place import Place

if TYPE_CHECKING:
    from hub.formats import Codec
    from hub.mapping import Mapping, MappingFileError, MappingLibrary

MAX_INPUT_BYTES = 50_000_000


@click.group()
def mapping() -> None:
    """Mappings turn foreign records into ours and back."""


def _library(place: Place) -> MappingLibrary:
    from hub.runtime.connections import library_of
    from hub.runtime.registry import site_registry

    return library_of(place.config, site_registry(place.config))


def _find(place: Place, name: str) -> Mapping:
    """A mapping by its name (shopify/orders.in) or by its file."""
    from hub.mapping import MappingFileError, compile_mapping

    library = _library(place)
    try:
        path = Path(name)
        if path.suffix == ".yaml" and path.is_file():
            return compile_mapping(path, library=library)
        return library.get(name)
    except MappingFileError as error:
        raise _faulty(error) from error


def _faulty(error: MappingFileError) -> Failure:
    return Failure("\n".join(f"{p.file}:{p.line}:{p.column} {p.message}" for p in error.problems), FAILED)


def _codec_of(raw: bytes, name: str) -> Codec:
    """By the file's suffix, else by its first byte."""
    from hub.formats import codec

    is_xml = name.endswith(".xml") or (not name.endswith(".json") and raw.lstrip()[:1] == b"<")
    return codec("xml" if is_xml else "json")


def _bytes(path: Path) -> bytes:
    with path.open("rb") as stream:
        raw = stream.read(MAX_INPUT_BYTES + 1)
    if len(raw) > MAX_INPUT_BYTES:
        raise Failure(f"{path} is larger than {MAX_INPUT_BYTES} bytes", FAILED)
    return raw


def _fixture(path: Path) -> object:
    from hub.formats import FormatError

    raw = _bytes(path)
    try:
        return _codec_of(raw, path.name).loads(raw)
    except FormatError as error:
        raise ValueError(str(error)) from error


@mapping.command("list")
@json_option
@click.pass_obj
def list_(place: Place, as_json: bool) -> None:
    """Every mapping that can be found from here."""
    library = _library(place)
    rows = [
        {"name": name, "version": found.version, "target": found.target, "kind": found.kind}
        for name in library.names()
        for found in [library.get(name)]
    ]
    if as_json:
        emit_json(rows)
        return
    columns = (("name", "NAME"), ("version", "VERSION"), ("target", "TARGET"), ("kind", "KIND"))
    emit_table(rows, columns, empty="No mappings.")


@mapping.command("try")
@click.argument("name")
@click.argument("input_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--trace", is_flag=True, help="For every target field: where it came from, the raw value, the result")
@click.option("--items", help="Dotted path to the record or list of records inside the input")
@json_option
@click.pass_obj
def try_(place: Place, name: str, input_file: Path, trace: bool, items: str | None, as_json: bool) -> None:
    """Run one mapping over one input file (JSON or XML) and print what comes out."""
    import json

    from hub.formats import FormatError
    from hub.mapping import MappingError, trace_lines

    found = _find(place, name)
    raw = _bytes(input_file)
    try:
        records = _codec_of(raw, input_file.name).split(raw, None, {"items": items} if items else None)
    except FormatError as error:
        raise Failure(f"{input_file}: {error}", FAILED) from error
    results: list[dict[str, Any]] = []
    failed = False
    for position, tree in records:
        try:
            mapped = found.run(tree, trace=trace)
        except MappingError as error:
            failed = True
            problem = {"code": error.code, "field": error.field, "message": error.message, "line": error.line}
            results.append({"position": position, "error": problem})
            continue
        results.append(
            {
                "position": position,
                "record": mapped.record,
                "holds": [{"field": h.field, "rule": h.rule, "hint": h.hint} for h in mapped.holds],
                "notes": [{"field": n.field, "code": n.code, "text": n.text} for n in mapped.notes],
                "trace": [list(row) for row in trace_lines(mapped)] if trace else None,
            }
        )
    if as_json:
        emit_json(results)
    for result in results if not as_json else ():
        if "error" in result:
            problem = result["error"]
            where = f" at line {problem['line']} of the mapping" if problem["line"] else ""
            click.echo(
                f"record {result['position'] or 1}: {problem['field'] or 'the record'}: {problem['message']}"
                f" ({problem['code']}){where}",
                err=True,
            )
            continue
        if trace:
            columns = ("target", "source", "raw", "result")
            rows = [dict(zip(columns, row, strict=True)) for row in result["trace"] or []]
            emit_table(rows, [(c, c.upper()) for c in columns], empty="Nothing was mapped.")
        else:
            click.echo(json.dumps(result["record"], indent=2, ensure_ascii=False, default=str))
        for hold in result["holds"] or ():
            click.echo(f"hold on {hold['field']}: {hold['rule']}: {hold['hint']}", err=True)
    if failed:
        raise click.exceptions.Exit(FAILED)


@mapping.command("test")
@click.argument("names", nargs=-1)
@json_option
@click.pass_obj
def test(place: Place, names: tuple[str, ...], as_json: bool) -> None:
    """Run the tests that stand in mapping files; all of them where none is named."""
    from hub.mapping import MappingFileError, run_tests

    results: list[dict[str, Any]] = []
    for name in names or _library(place).names():
        try:
            found = run_tests(_find(place, name), _fixture)
        except MappingFileError as error:
            raise _faulty(error) from error
        results += [
            {"mapping": name, "test": result.name, "passed": result.passed, "problems": list(result.problems)}
            for result in found
        ]
    broken = [result for result in results if not result["passed"]]
    if as_json:
        emit_object({"items": results, "passed": len(results) - len(broken), "failed": len(broken)})
    else:
        for result in broken:
            click.echo(f"FAILED {result['mapping']}: {result['test']}")
            for difference in result["problems"]:
                click.echo(f"  {difference}")
        click.echo(f"{len(results) - len(broken)} passed, {len(broken)} failed")
    if broken:
        raise click.exceptions.Exit(FAILED)
