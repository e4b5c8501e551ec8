"""`hub mapping`: list, check, try, test, coverage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub.cli.failure import FAILED, Failure
from hub.cli.output import counted, emit_json, emit_object, emit_table, json_option
from hub.runtime.place import Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hub.config.findings import Finding
    from hub.mapping import Mapping as CompiledMapping
    from hub.mapping import MappingFileError, MappingLibrary
    from hub.mapping.coverage import Coverage
    from hub.mapping.update import Updated
    from hub.runtime.registry import Registry

MAX_INPUT_BYTES = 50_000_000
MAX_BODIES = 10_000
MAX_CELL = 60


@click.group()
def mapping() -> None:
    """Mappings turn foreign records into ours and back."""


def _registry(place: Place) -> Registry:
    from hub.runtime.registry import site_registry

    return site_registry(place.config)


def _library(place: Place) -> MappingLibrary:
    from hub.runtime.connections import library_of

    return library_of(place.config, _registry(place))


def _find(library: MappingLibrary, name: str) -> CompiledMapping:
    """A mapping by its name (shopify/orders.in) or by its file."""
    from hub.mapping import MappingFileError, compile_mapping

    try:
        path = Path(name)
        if path.suffix == ".yaml" and path.is_file():
            return compile_mapping(path, library=library)
        return library.get(name)
    except MappingFileError as error:
        raise _faulty(error) from error


def _faulty(error: MappingFileError) -> Failure:
    from hub.runtime.mapping_files import shown

    lines = (f"{shown(one.file)}:{one.line}:{one.column}: {one.message}" for one in error.problems)
    return Failure("\n".join(lines), FAILED)


def _named(library: MappingLibrary, names: tuple[str, ...]) -> list[str]:
    """Names as they were given, files by the name they have. Raises Failure for a name that is none."""
    found = []
    for name in names:
        if not Path(name).is_file() and not library.files(name):
            from hub.mapping.words import among

            near = among(name, [*library.names(), *library.shared_names()])
            raise Failure(f"There is no mapping {name}; {near} `hub mapping list` shows all.", FAILED)
        found.append(_find(library, name).name if Path(name).is_file() else name)
    return found


def _bytes(path: Path) -> bytes:
    with path.open("rb") as stream:
        raw = stream.read(MAX_INPUT_BYTES + 1)
    if len(raw) > MAX_INPUT_BYTES:
        raise Failure(f"{path} is larger than {MAX_INPUT_BYTES} bytes", FAILED)
    return raw


def _records(registry: Registry, name: str, path: Path, items: str | None) -> list[tuple[str, Any]]:
    """The records of a file with their positions. Raises Failure."""
    from hub.formats import FormatError
    from hub.runtime.mapping_files import body_codec

    raw = _bytes(path)
    reader = body_codec(registry, name, raw, path.name)
    try:
        return reader.split(raw, None, {"items": items} if items else None)
    except FormatError as error:
        raise Failure(f"{path}: {error}", FAILED) from error


@mapping.command("list")
@json_option
@click.pass_obj
def list_(place: Place, as_json: bool) -> None:
    """Every mapping that can be found from here: where it lies, what it extends, which connections use it."""
    import dataclasses

    from hub.runtime.mapping_files import mapping_rows, mapping_users

    library, registry = _library(place), _registry(place)
    rows = [dataclasses.asdict(row) for row in mapping_rows(library, mapping_users(place.config, registry))]
    if as_json:
        emit_json(rows)
        return
    columns = (
        ("name", "NAME"),
        ("version", "VERSION"),
        ("kind", "KIND"),
        ("target", "TARGET"),
        ("used_by", "USED BY"),
        ("file", "FILE"),
        ("over", "OVER"),
    )
    emit_table(rows, columns, empty="No mappings.")
    for row in rows:
        if row["fault"]:
            click.echo(f"{row['name']} cannot be used: {row['fault']}; `hub mapping check {row['name']}`", err=True)


@mapping.command("check")
@click.argument("names", nargs=-1)
@click.option("--format", "form", type=click.Choice(["text", "json", "github"]), default="text", show_default=True)
@json_option
@click.pass_obj
def check(place: Place, names: tuple[str, ...], form: str, as_json: bool) -> None:
    """Find mistakes with file, line and column: unknown functions and fields, types that do not fit, required fields
    that nothing sets; paths and tables that no fixture ever hits.

    What no fixture shows is told of mappings that are named, else of the site's own files. Faults end with 1.
    """
    from hub.config.findings import as_dict, errors_of, first_to_mend, render_github, summary
    from hub.runtime.mapping_files import check_mappings

    library = _library(place)
    found: list[Finding] = check_mappings(library, _named(library, names), place.config / "mappings")
    if as_json or form == "json":
        emit_object({"items": [as_dict(one) for one in found]})
    elif form == "github":
        click.echo(render_github(found), nl=bool(found))
    else:
        for one in found:
            click.echo(str(one))
        if found:
            click.echo(
                f"{summary(found)}. `hub config explain {first_to_mend(found).rule}` says why and what to do.", err=True
            )
        else:
            click.echo(f"{counted(len(names or library.names()), 'mapping')} checked, nothing found")
    if errors_of(found):
        raise click.exceptions.Exit(FAILED)


@mapping.command("try")
@click.argument("name")
@click.argument("input_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--trace", is_flag=True, help="For every target field: source path, raw value, steps, result")
@click.option("--items", help="Dotted path to the record or list of records inside the input")
@json_option
@click.pass_obj
def try_(place: Place, name: str, input_file: Path, trace: bool, items: str | None, as_json: bool) -> None:
    """Run one mapping (a name, or a file) over one input file and print what comes out."""
    found = _find(_library(place), name)
    records = _records(_registry(place), found.name, input_file, items)
    results = [_tried(found, position, tree, trace=trace) for position, tree in records]
    if as_json:
        emit_json(results)
    else:
        for result in results:
            _tell(result, trace=trace)
    if any("error" in result for result in results):
        raise click.exceptions.Exit(FAILED)


def _tried(found: CompiledMapping, position: str, tree: Any, *, trace: bool) -> dict[str, Any]:
    from hub.mapping import MappingError, trace_lines

    try:
        mapped = found.run(tree, trace=trace)
    except MappingError as error:
        problem = {
            "code": error.code,
            "field": error.field,
            "message": error.message,
            **({"found": error.found} if error.found else {}),
            "source": error.source_path,
            "line": error.line,
        }
        return {"mapping": found.definition.versioned(), "position": position, "error": problem}
    columns = ("target", "source", "raw", "steps", "result")
    return {
        "mapping": found.definition.versioned(),
        "position": position,
        "record": mapped.record,
        "holds": [{"field": h.field, "rule": h.rule, "code": h.code, "hint": h.hint} for h in mapped.holds],
        "notes": [{"field": n.field, "code": n.code, "text": n.text} for n in mapped.notes],
        "trace": [dict(zip(columns, row, strict=True)) for row in trace_lines(mapped)] if trace else None,
    }


def _tell(result: Mapping[str, Any], *, trace: bool) -> None:
    if "error" in result:
        problem = result["error"]
        where = f" at line {problem['line']} of the mapping" if problem["line"] else ""
        found = f", it is {problem['found']}" if "found" in problem else ""
        click.echo(
            f"record {result['position'] or 1}: {problem['field'] or 'the record'}: {problem['message']}{found}"
            f" ({problem['code']}){where}",
            err=True,
        )
        return
    if trace:
        columns = ("target", "source", "raw", "steps", "result")
        rows = [{name: _cut(text) for name, text in row.items()} for row in result["trace"] or []]
        emit_table(rows, [(c, c.upper()) for c in columns], empty="Nothing was mapped.")
    else:
        click.echo(json.dumps(result["record"], indent=2, ensure_ascii=False, default=str))
    for hold in result["holds"]:
        click.echo(f"hold on {hold['field']}: {hold['rule']}: {hold['hint']}", err=True)


def _cut(text: str) -> str:
    """For the eyes only; --json has all of it."""
    return text if len(text) <= MAX_CELL else f"{text[: MAX_CELL - 1]}…"


@mapping.command("test")
@click.argument("names", nargs=-1)
@click.option("--update", is_flag=True, help="Write what comes out now into the expectations that failed")
@json_option
@click.pass_obj
def test(place: Place, names: tuple[str, ...], update: bool, as_json: bool) -> None:
    """Run the tests that stand in mapping files; all of them where none is named.

    An override is held to the tests of its base too. --update keeps comments, order and spacing; look at the
    difference before you keep it.
    """
    from hub.mapping import MappingFileError, run_tests
    from hub.runtime.lint import read_fixture
    from hub.runtime.mapping_files import shown

    library = _library(place)
    updated: list[dict[str, Any]] = []
    if update:
        for name in names or library.names():
            updated += [{"mapping": name, **one} for one in _updated(_find(library, name))]
        library = _library(place)
    results: list[dict[str, Any]] = []
    for name in names or library.names():
        found = _find(library, name)
        try:
            results += [
                {
                    "mapping": name,
                    "test": result.name,
                    "passed": result.passed and not result.skipped,
                    "skipped": result.skipped or None,
                    "file": shown(result.file),
                    "line": result.line,
                    "problems": list(result.problems),
                    "with": shown(found.definition.layers[0].file),
                }
                for result in run_tests(found, read_fixture)
            ]
        except MappingFileError as error:
            raise _faulty(error) from error
    broken = [result for result in results if result["problems"]]
    skipped = [result for result in results if result["skipped"]]
    passed = len(results) - len(broken) - len(skipped)
    if as_json:
        counts = {"passed": passed, "failed": len(broken), "skipped": len(skipped)}
        emit_object({"items": results, **counts, **({"updated": updated} if update else {})})
    else:
        for one in updated:
            what = one["refused"] or f"{counted(one['edits'], 'place')} rewritten"
            click.echo(f"{shown(one['file'])}:{one['line']}: {one['test']}: {what}")
        for result in broken:
            over = "" if result["with"] == result["file"] else f", with {result['with']}"
            click.echo(f"FAILED {result['mapping']}: {result['test']} ({result['file']}:{result['line']}{over})")
            for difference in result["problems"]:
                click.echo(f"  {difference}")
        for result in skipped:
            click.echo(f"skipped {result['mapping']}: {result['test']}: {result['skipped']}")
        click.echo(f"{passed} passed, {len(broken)} failed" + (f", {len(skipped)} skipped" if skipped else ""))
    if broken:
        raise click.exceptions.Exit(FAILED)


def _updated(found: CompiledMapping) -> Iterator[dict[str, Any]]:
    """Rewrite the failed tests of one mapping's own file; nothing is written that would not read as what was meant."""
    from hub.config.source import SourceError, load, loads
    from hub.mapping import MappingFileError
    from hub.mapping.update import update_tests
    from hub.runtime.lint import read_fixture

    own = Path(found.definition.layers[0].file)
    texts = {str(own): own.read_bytes().decode("utf-8")}  # as bytes: the ends of lines stay what they are
    try:
        outcomes: list[Updated] = list(update_tests(found, texts, str(own), read_fixture))
    except MappingFileError as error:
        raise _faulty(error) from error
    if any(one.edits for one in outcomes):
        try:
            after, before = loads(texts[str(own)], name=str(own)).plain(), load(own).plain()
        except SourceError as error:
            raise Failure(
                f"{own}: the tests cannot be rewritten in place: {error.message}; nothing was done", FAILED
            ) from error
        assert isinstance(after, dict)
        assert isinstance(before, dict)
        if {**after, "tests": None} != {**before, "tests": None}:
            raise Failure(f"{own}: rewriting would change more than the tests; nothing was done", FAILED)
        own.write_bytes(texts[str(own)].encode("utf-8"))
    for one in outcomes:
        yield {"test": one.name, "file": one.file, "line": one.line, "edits": one.edits, "refused": one.refused}


@mapping.command("coverage")
@click.argument("name")
@click.argument("inputs", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--items", help="Dotted path to the record or list of records inside each input")
@json_option
@click.pass_obj
def coverage_(place: Place, name: str, inputs: tuple[Path, ...], items: str | None, as_json: bool) -> None:
    """Which paths of real bodies (files, or folders of them) a mapping reads, which it only keeps, what it never
    fills."""
    from hub.mapping.coverage import coverage

    found = _find(_library(place), name)
    registry = _registry(place)
    files = [file for path in inputs for file in _files(path)]
    if len(files) > MAX_BODIES:
        raise Failure(f"{len(files)} files; at most {MAX_BODIES} at once", FAILED)
    unread: list[str] = []
    result = coverage(found, _trees(registry, found.name, files, items, unread), {})
    if as_json:
        emit_json([_as_item(found, result)], unreadable=unread)
    else:
        _tell_coverage(found, result, len(files))
        for reason in unread:
            click.echo(f"left out: {reason}", err=True)
    if not result.bodies:
        raise click.exceptions.Exit(FAILED)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(one for one in path.rglob("*") if one.is_file() and not one.name.startswith("."))
    return [path]


def _trees(registry: Registry, name: str, files: list[Path], items: str | None, unread: list[str]) -> Iterator[object]:
    for file in files:
        try:
            yield from (tree for _, tree in _records(registry, name, file, items))
        except Failure as problem:
            unread.append(str(problem))


def _as_item(found: CompiledMapping, result: Coverage) -> dict[str, Any]:
    return {
        "mapping": found.definition.versioned(),
        "records": result.bodies,
        "refused": result.refused,
        "read": result.read,
        "kept": result.kept,
        "left": result.left,
        "filled": {name: count for name, count in result.filled.items() if count},
        "never_filled": [name for name, count in result.filled.items() if not count],
    }


def _tell_coverage(found: CompiledMapping, result: Coverage, files: int) -> None:
    refused = f", {result.refused} of them refused" if result.refused else ""
    of = f"{counted(result.bodies, 'record')} of {counted(files, 'file')}"
    click.echo(f"{found.definition.versioned()}: {of}{refused}")
    place = found.definition.content.get("keep_rest")
    for words, paths in (
        ("read", result.read),
        (f"only kept in {place}" if isinstance(place, str) else "only kept in the rest", result.kept),
        ("neither read nor kept", result.left),
    ):
        click.echo(f"{counted(len(paths), 'source path')} {words}")
        if words != "read":
            for path, count in paths.items():
                click.echo(f"  {path}  ({count})")
    never = [name for name, count in result.filled.items() if not count]
    click.echo(
        f"{len(result.filled) - len(never)} of {counted(len(result.filled), 'target field')} filled; never filled:"
    )
    for name in never or ["-"]:
        click.echo(f"  {name}")
