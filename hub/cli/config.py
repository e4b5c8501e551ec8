"""`hub config`: check, show, schema, apply."""

from __future__ import annotations

import json

import click

from hub.cli.failure import FAILED, Failure
from hub.cli.output import emit_object, emit_result, json_option
from hub.cli.session import act, environment, load
from hub.runtime.place import Place


@click.group()
def config() -> None:
    """The YAML that says what the hub does."""


@config.command("check")
@json_option
@click.pass_obj
def check(place: Place, as_json: bool) -> None:
    """Find what is wrong, with file, line and column; connects to nothing."""
    from dataclasses import asdict

    from hub.config.findings import ConfigErrors
    from hub.runtime.configuration import load_configuration
    from hub.runtime.mapping_check import mapping_findings

    try:
        loaded = load_configuration(place.config, environment(place))
        findings = mapping_findings(loaded)
        revision = loaded.bundle.revision
    except ConfigErrors as error:
        findings, revision = list(error.findings), None
    if as_json:
        emit_object({"items": [asdict(finding) for finding in findings], "revision": revision})
    elif findings:
        for finding in findings:
            click.echo(str(finding))
    else:
        click.echo(f"configuration is good, revision {str(revision)[:12]}")
    if findings:
        raise click.exceptions.Exit(FAILED)


@config.command("show")
@click.pass_obj
def show(place: Place) -> None:
    """The resolved configuration as JSON; secrets stay references."""
    from hub.config.show import show as show_bundle
    from hub.config.show import to_json
    from hub.runtime.connections import connector_infos

    loaded = load(place)
    click.echo(to_json(show_bundle(loaded.bundle, connector_infos(loaded.registry))))


@config.command("schema")
@click.argument("kind", type=click.Choice(["hub", "connection", "locations", "routing", "policies", "mapping"]))
def schema(kind: str) -> None:
    """The JSON Schema of one kind of file, for editors."""
    from hub.config.schemas import schema_of

    click.echo(json.dumps(schema_of(kind), indent=2, ensure_ascii=False))


@config.command("apply")
@json_option
@click.pass_obj
def apply(place: Place, as_json: bool) -> None:
    """Check, and if it is good let the running hub adopt it; a bad one changes nothing."""
    result = act(place, "config.apply")
    emit_result(result, as_json=as_json)
    if result.get("bad"):
        raise Failure("It was not taken; the hub goes on with the revision it has.", FAILED)
