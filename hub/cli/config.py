"""`hub config`: check, show, schema, explain, fmt, plan, apply, rollback, revisions."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub.cli.failure import FAILED, REFUSED, Failure
from hub.cli.output import emit_json, emit_object, emit_result, emit_table, json_option
from hub.cli.session import act, environment, load, owner_of, reading
from hub.runtime.place import Place

if TYPE_CHECKING:
    from hub.config.findings import Finding
    from hub.config.model import ConnectorInfo
    from hub.runtime.lint import Lint

KINDS = [
    "hub",
    "connection",
    "locations",
    "routing",
    "policies",
    "partner",
    "notification",
    "mapping",
    "manifest",
    "connector",
]


@click.group()
def config() -> None:
    """The YAML that says what the hub does."""


def _connectors() -> dict[str, ConnectorInfo]:
    from hub.runtime.connections import connector_infos
    from hub.runtime.registry import Registry

    return connector_infos(Registry())


def _folder(place: Place) -> str:
    """The configuration's folder as seen from here, where it lies below; else empty."""
    folder, here = place.config.absolute(), Path.cwd()
    return folder.relative_to(here).as_posix().removeprefix(".") if folder.is_relative_to(here) else ""


@config.command("check")
@click.option("--format", "form", type=click.Choice(["text", "json", "github"]), default="text", show_default=True)
@click.option("--skip-env", is_flag=True, help="Leave out variables that are not set, for a machine without secrets")
@click.option("--strict", is_flag=True, help="Warnings end with 1 too")
@json_option
@click.pass_obj
def check(place: Place, form: str, skip_env: bool, strict: bool, as_json: bool) -> None:
    """Find what is wrong, with file, line and column; connects to nothing.

    Faults end with 1; warnings and remarks do not. `hub config explain HUB012` says why a rule exists and what to do.
    """
    from hub.config.rules import Severity
    from hub.runtime.lint import lint

    found = lint(place.config, environment(place))
    findings = [one for one in found.findings if not (skip_env and one.rule == "HUB004")]
    _told(place, findings, found, "json" if as_json else form)
    grave = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    if any(one.severity in grave for one in findings):
        raise click.exceptions.Exit(FAILED)


def _told(place: Place, findings: list[Finding], found: Lint, form: str) -> None:
    from hub.config.findings import as_dict, errors_of, first_to_mend, render_github, summary

    revision = found.loaded.bundle.revision if found.loaded is not None else None
    if form == "json":
        emit_object({"items": [as_dict(one) for one in findings], "revision": revision})
        return
    if form == "github":
        if findings:
            click.echo(render_github(findings, _folder(place) or place.config.as_posix()))
        return
    folder = _folder(place)
    for one in findings:
        click.echo(f"{folder}/{one}" if folder else str(one))
    if findings:
        click.echo(
            f"{summary(findings)}. `hub config explain {first_to_mend(findings).rule}` says why and what to do.",
            err=True,
        )
    if not errors_of(findings):
        named = f", revision {revision[:12]}" if revision else " (secrets were not looked at)"
        click.echo(f"configuration is good{named}")


@config.command("show")
@click.option("--origin", is_flag=True, help="Each value with the line it comes from")
@json_option
@click.pass_obj
def show(place: Place, origin: bool, as_json: bool) -> None:
    """What is in force, defaults filled in, as JSON; secrets stay references.

    With --origin every value has the file and line it stands in, or says that it is a default.
    """
    from hub.config.show import show as show_bundle
    from hub.config.show import to_json
    from hub.runtime.connections import connector_infos

    if origin:
        _show_origins(place, as_json=as_json)
        return
    loaded = load(place)
    click.echo(to_json(show_bundle(loaded.bundle, connector_infos(loaded.registry))))


def _show_origins(place: Place, *, as_json: bool) -> None:
    from hub.config.editor import shown
    from hub.config.origin import origins
    from hub.runtime.lint import lint

    found = lint(place.config, environment(place))
    rows: list[dict[str, Any]] = [
        {
            "file": one.file,
            "key": one.key,
            "value": shown(one.value),
            "origin": one.place,
            "through": one.through,
        }
        for one in origins(found.examined.tree)
    ]
    if as_json:
        emit_json(rows)
        return
    for row in rows:
        row["from"] = f"{row['origin']} {row['through']}".strip()
    emit_table(rows, (("file", "FILE"), ("key", "KEY"), ("value", "VALUE"), ("from", "FROM")), empty="nothing")


@config.command("schema")
@click.argument("kind", required=False, type=click.Choice(KINDS))
@click.option("--all", "every", is_flag=True, help="Every kind; needs --out")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Write KIND.json there")
def schema(kind: str | None, every: bool, out: Path | None) -> None:
    """The JSON Schema (draft-07) of one kind of file, or of all, for editors.

    The one for connections knows the settings of every installed connector.
    """
    from hub.config.editor import editor_schema, to_json
    from hub.config.schemas import KINDS as PRESENT

    if every is (kind is not None):
        raise click.UsageError("Name one kind, or say --all.")
    if every and out is None:
        raise click.UsageError("--all needs --out DIR.")
    connectors = _connectors()
    kinds = list(PRESENT) if kind is None else [kind]
    if out is None:
        click.echo(to_json(editor_schema(kinds[0], connectors)), nl=False)
        return
    out.mkdir(parents=True, exist_ok=True)
    for one in kinds:
        (out / f"{one}.json").write_text(to_json(editor_schema(one, connectors)), encoding="utf-8")
        click.echo(str(out / f"{one}.json"))


@config.command("explain")
@click.argument("key")
@json_option
@click.pass_obj
def explain(place: Place, key: str, as_json: bool) -> None:
    """What a key means (`poll.every`, `policies.grace`), or what a rule of the lint wants (`HUB012`)."""
    from hub.config.rules import RULES

    if key.upper() in RULES:
        _explain_rule(key.upper(), as_json=as_json)
        return
    from hub.config.explain import FILES, NAME, find_keys, similar_keys

    connectors = _connectors()
    found = find_keys(key, connectors)
    if not found:
        near = similar_keys(key, connectors)
        raise Failure(f'There is no key "{key}". ' + (f"Did you mean {' or '.join(near)}?" if near else ""), FAILED)
    places = _places(place)
    items: list[dict[str, Any]] = [
        {
            "key": one.path,
            "file": FILES[one.kind],
            "connector": one.connector,
            "type": one.type,
            "required": one.required,
            "secret": one.schema.get("writeOnly") is True,
            "default": one.schema.get("default"),
            "examples": one.schema.get("examples", []),
            "description": " ".join(str(one.schema.get("description", "")).split()),
            "no_effect_yet": one.schema.get("x-no-effect"),
            "used": [where for kind, path, where in places if kind == one.kind and _same(path, one.path, NAME)],
        }
        for one in found
    ]
    if as_json:
        emit_json(items)
        return
    click.echo("\n\n".join(_key_text(item) for item in items[:12]))
    if len(items) > 12:
        click.echo(f"\n{len(items) - 12} more; name more of the key.", err=True)


def _explain_rule(name: str, *, as_json: bool) -> None:
    from hub.config.rules import RULES

    rule = RULES[name]
    if as_json:
        emit_json([{"rule": rule.id, "severity": rule.severity, "title": rule.title, "why": rule.why,
                    "remedy": rule.remedy, "file": rule.example.file, "wrong": rule.example.broken,
                    "right": rule.example.good}])  # fmt: skip
        return
    lines = [f"{rule.id} ({rule.severity}): {rule.title}", "", rule.why, rule.remedy, "", rule.example.file]
    lines += [f"  - {line}" for line in rule.example.broken.rstrip("\n").splitlines()]
    lines += [f"  + {line}" for line in rule.example.good.rstrip("\n").splitlines()]
    click.echo("\n".join(lines))


def _key_text(item: dict[str, Any]) -> str:
    from hub.config.editor import shown

    where = item["file"] + (f", connector {item['connector']}" if item["connector"] else "")
    lines = [f"{item['key']}  ({where})"]
    if item["description"]:
        lines.append(f"  {item['description']}")
    lines.append(f"  type      {item['type']}{', required' if item['required'] else ''}")
    if item["secret"]:
        lines.append("  secret    by reference only: ${env:NAME} or ${file:/path}")
    if item["default"] is not None:
        lines.append(f"  default   {shown(item['default'])}")
    if item["examples"]:
        lines.append("  example   " + ", ".join(shown(one) for one in item["examples"][:3]))
    if item["no_effect_yet"]:
        lines.append(f"  no effect yet: {item['no_effect_yet']}")
    if item["used"]:
        more = f" and {len(item['used']) - 5} more" if len(item["used"]) > 5 else ""
        lines.append("  used in   " + ", ".join(item["used"][:5]) + more)
    return "\n".join(lines)


def _places(place: Place) -> list[tuple[str, str, str]]:
    """Kind, dotted path and file:line of every value that the present files write."""
    from hub.config.origin import kind_of
    from hub.config.source import walk
    from hub.runtime.lint import lint

    if not place.config.is_dir():
        return []
    found: list[tuple[str, str, str]] = []
    for document in lint(place.config, environment(place)).examined.documents.values():
        for path, _ in walk(document.root):
            dotted = ".".join(str(step) for step in path if isinstance(step, str))
            if path and isinstance(path[-1], str):
                line = document.mark(path, key=True).line
                found.append((kind_of(document.file), dotted, f"{document.file}:{line}"))
    return found


def _same(path: str, pattern: str, name: str) -> bool:
    have, want = path.split("."), pattern.split(".")
    return len(have) == len(want) and all(w in (h, name) for h, w in zip(have, want, strict=True))


@config.command("fmt")
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--check", "only_check", is_flag=True, help="Change nothing; end with 1 where something would change")
@click.pass_obj
def fmt(place: Place, files: tuple[Path, ...], only_check: bool) -> None:
    """Lay files out: keys in the order of the schema, two spaces a level; comments stay, the meaning too.

    Without FILES all of the configuration. A file that is no YAML is named and left as it is.
    """
    from hub.config.layout import formatted
    from hub.config.origin import schema_of_file
    from hub.config.source import SourceError, text_of

    connectors = _connectors()
    changed, bad = 0, 0
    for path in files or _all_files(place):
        inside = path.absolute().is_relative_to(place.config.absolute())
        name = path.absolute().relative_to(place.config.absolute()).as_posix() if inside else path.name
        try:
            raw = path.read_bytes()
            text = text_of(raw, name=str(path))
            result = formatted(text, schema_of_file(name, text, connectors), name=str(path))
        except SourceError as error:
            click.echo(str(error), err=True)
            bad += 1
            continue
        if result.encode("utf-8") != raw:
            changed += 1
            click.echo(f"{'would change' if only_check else 'laid out'} {os.path.relpath(path)}")
            if not only_check:
                path.write_bytes(result.encode("utf-8"))
    if not changed and not bad:
        click.echo("every file is laid out", err=True)
    if bad or (only_check and changed):
        raise click.exceptions.Exit(FAILED)


def _all_files(place: Place) -> list[Path]:
    from hub.config.load import read_directory

    read = read_directory(place.config)
    if not place.config.is_dir():
        raise Failure("\n".join(map(str, read.findings)), FAILED)
    return [place.config / name for name in [*read.files, *(one.file for one in read.findings if one.rule == "HUB000")]]


@config.command("plan")
@json_option
@click.pass_obj
def plan(place: Place, as_json: bool) -> None:
    """What `hub config apply` would change: connections, streams, mappings, values, and the revision."""
    from dataclasses import asdict

    from hub.config.findings import ConfigErrors, errors_of
    from hub.config.plan import plan as planned
    from hub.runtime.connections import connector_infos
    from hub.runtime.lint import lint

    found = lint(place.config, environment(place))
    if found.loaded is None:
        raise Failure(f"{ConfigErrors(errors_of(found.findings))}\nNothing can be planned with these.", FAILED)
    active = _active(place)
    before = active[0] if active else None
    bundle = found.loaded.bundle
    changes = planned(active[1] if active else None, bundle.blob, connector_infos(found.loaded.registry))
    if as_json:
        emit_json([asdict(one) for one in changes], revision={"from": before, "to": bundle.revision})
        return
    click.echo(f"revision {(before or 'none')[:12]} -> {bundle.revision[:12]}")
    for one in changes:
        click.echo(f"  {one}")
    if before == bundle.revision:
        click.echo("nothing would change")
    else:
        counts = [f"{sum(one.sign == sign for one in changes)} {word}" for sign, word in _SIGNS]
        try:
            other = _read_elsewhere(place)
        except Failure:  # a hub that cannot be asked at present keeps nobody from planning; `apply` will say so
            other = None
        click.echo(f"{', '.join(counts)}. {other or '`hub config apply` does it.'}")


_SIGNS = (("+", "to add"), ("~", "to change"), ("-", "to remove"))


def _active(place: Place) -> tuple[str, bytes] | None:
    """The name and the bytes of the revision in force; None where no hub ever ran."""
    from hub.views.revisions import active

    try:
        with reading(place) as connection:
            return active(connection)
    except Failure as failure:
        if failure.exit_code == FAILED:
            return None
        raise


def _read_elsewhere(place: Place) -> str | None:
    """Where a hub runs on this data and reads another folder than the one named here: what to say of it."""
    if place.remote or owner_of(place) is None:
        return None
    named, there = place.config.resolve(), Path(str(act(place, "config.folder")["folder"]))
    if named == there:
        return None
    return (
        f"The running hub reads {there}, and {named} was named.\n"
        f"Make the changes in {there} and apply with --config {there}, "
        f"or end that hub and start it with --config {named}."
    )


@config.command("apply")
@click.option("--reason", default="", help="Kept with the revision")
@json_option
@click.pass_obj
def apply(place: Place, reason: str, as_json: bool) -> None:
    """Check, and if it is good let the running hub adopt it; a bad one changes nothing.

    A running hub adopts from the folder that it was started with; where another one is named, this ends with 5.
    """
    if other := _read_elsewhere(place):
        raise Failure(f"{other}\nNothing was done.", REFUSED)
    result = act(place, "config.apply", reason=reason)
    emit_result(result, as_json=as_json)
    if result.get("bad"):
        raise Failure("It was not taken; the hub goes on with the revision it has.", FAILED)


@config.command("rollback")
@click.argument("revision", required=False)
@click.option("--reason", default="", help="Kept with the revision")
@json_option
@click.pass_obj
def rollback(place: Place, revision: str | None, reason: str, as_json: bool) -> None:
    """Go back to a stored revision, by default the one before; the files stay as they are.

    What the files say is not adopted again by a restart, only by `hub config apply`.
    """
    result = act(place, "config.rollback", revision=revision, reason=reason)
    emit_result(result, as_json=as_json)
    if result.get("bad"):
        raise Failure("Nothing was changed.", FAILED)


@config.command("revisions")
@json_option
@click.pass_obj
def revisions(place: Place, as_json: bool) -> None:
    """Every configuration that anything ran under, the latest first."""
    from hub.views.revisions import list_revisions

    with reading(place) as connection:
        found = list_revisions(connection)
    if as_json:
        emit_json(found)
        return
    columns = (("revision", "REVISION"), ("state", "STATE"), ("first_seen", "FIRST SEEN"), ("adopted_at", "ADOPTED"),
               ("adopted_by", "BY"), ("reason", "REASON"))  # fmt: skip
    emit_table([{**row, "revision": row["revision"][:12]} for row in found], columns, empty="nothing ever ran here")
