"""`hub verify`: recompute the promises; exit 1 with the rows that break one."""

from __future__ import annotations

import click

from hub.cli.failure import FAILED, REFUSED, Failure
from hub.cli.output import emit_json, emit_object, emit_table, json_option
from hub.cli.session import ask, database_of, reading
from hub.runtime.place import Place


@click.command()
@click.option("--self-test", is_flag=True, help="Corrupt a copy in many ways; each must be named")
@json_option
@click.pass_obj
def verify(place: Place, self_test: bool, as_json: bool) -> None:
    """Recompute what the hub promises from its journals: ledgers, calls, keys, bytes, and that nothing is silent."""
    if self_test and place.remote:
        raise Failure("--self-test works only on the machine of the hub: leave --url and HUB_URL out.", REFUSED)
    if self_test:
        _self_test(place, as_json)
        return
    found = ask(place, "verify")
    findings, looked_at = found["items"], found["checked"]
    if as_json:
        emit_json(findings, checked=looked_at, ok=not findings)
    elif findings:
        columns = (("promise", "PROMISE"), ("subject", "ROW"), ("detail", "WHAT"))
        emit_table(findings, columns, empty="")
    else:
        click.echo("every promise holds: " + ", ".join(f"{count} {name}" for name, count in looked_at.items()))
    if findings:
        raise click.exceptions.Exit(FAILED)


def _self_test(place: Place, as_json: bool) -> None:
    from hub.views.self_test import self_test

    with reading(place):
        pass  # where there is no data, this says so
    try:
        results = self_test(database_of(place), home=place.home)
    except ValueError as error:
        raise Failure(f"The self-test was not run: {error}", FAILED) from error
    missed = [result for result in results if not result["named"]]
    if as_json:
        emit_object({"items": results, "corruptions": len(results), "missed": len(missed)})
    else:
        columns = (("corruption", "CORRUPTION"), ("row", "ROW"), ("promise", "FOUND BY"), ("named", "NAMED"))
        emit_table(results, columns, empty="There was nothing to corrupt.")
    if missed or not results:
        raise click.exceptions.Exit(FAILED)
