"""`hub exceptions`: what needs a person."""

from __future__ import annotations

from typing import Any

import click

from hub.cli.failure import FAILED, Failure
from hub.cli.output import cell, emit_json, emit_object, emit_result, emit_table, json_option
from hub.cli.session import act, ask
from hub.runtime.place import Place


@click.group()
def exceptions() -> None:
    """What could not go on by itself: cause, owner, next step."""


@exceptions.command("list")
@click.option("--state", type=click.Choice(["open", "resolved"]), default="open", show_default=True)
@click.option("--kind", help="Only of this kind, such as unparsable, mapping or unmatched")
@json_option
@click.pass_obj
def list_(place: Place, state: str, kind: str | None, as_json: bool) -> None:
    """Grouped by cause: one row for one cause, however many orders it holds up."""
    found = ask(place, "exceptions.list", state=state, kind=kind)
    if as_json:
        emit_json(found)
        return
    rows = [{**row, "order": _order(row["subjects"]), "subjects": len(row["subjects"])} for row in found]
    columns = (
        ("id", "ID"),
        ("kind", "KIND"),
        ("subjects", "HOLDS UP"),
        ("raised_at", "SINCE"),
        ("owner", "OWNER"),
        ("title", "WHAT"),
        ("order", "ORDER"),
        ("next_step", "NEXT"),
    )
    emit_table(rows, columns, empty="Nothing needs you.")


def _order(subjects: list[dict[str, Any]]) -> str:
    """The order it is about, where it is about one alone."""
    orders = {subject.get("order_number") or subject["order_id"] for subject in subjects}
    return (orders.pop() or "") if len(orders) == 1 else ""


@exceptions.command("show")
@click.argument("exception_id")
@json_option
@click.pass_obj
def show(place: Place, exception_id: str, as_json: bool) -> None:
    """One exception with everything it holds up."""
    found = ask(place, "exceptions.get", exception_id)
    if found is None:
        raise Failure(f"There is no exception {exception_id!r}. `hub exceptions list` shows the open ones.", FAILED)
    if as_json:
        emit_object({"items": [found]})
        return
    click.echo(f"{found['title']}  ({found['id']}, {found['state']})")
    for label, key in (
        ("what", "detail"),
        ("next", "next_step"),
        ("you can", "hint"),
        ("owner", "owner"),
        ("since", "raised_at"),
    ):
        click.echo(f"  {label:<8} {cell(found[key])}")
    for subject in found["subjects"]:
        number = subject.get("order_number")
        of = f" of order {number}" if number and subject["kind"] != "order" else f" ({number})" if number else ""
        click.echo(f"  holds up {subject['kind']} {subject['id']}{of}")


@exceptions.command("retry")
@click.argument("exception_id")
@json_option
@click.pass_obj
def retry(place: Place, exception_id: str, as_json: bool) -> None:
    """Re-drive everything that this exception holds up; pressing twice does it once."""
    result = act(place, "exceptions.retry", exception_id=exception_id)
    emit_result(result, as_json=as_json)


@exceptions.command("resolve")
@click.argument("exception_id")
@click.option("--reason", required=True, help="Kept with it, for whoever reads it later")
@json_option
@click.pass_obj
def resolve(place: Place, exception_id: str, reason: str, as_json: bool) -> None:
    """Close an exception by hand; what it held up stays as it is."""
    result = act(place, "exceptions.resolve", exception_id=exception_id, reason=reason)
    emit_result(result, as_json=as_json)


@exceptions.command("assign")
@click.argument("exception_id")
@click.argument("owner")
@json_option
@click.pass_obj
def assign(place: Place, exception_id: str, owner: str, as_json: bool) -> None:
    """Give an exception to somebody: a name or a team."""
    result = act(place, "exceptions.assign", exception_id=exception_id, owner=owner)
    emit_result(result, as_json=as_json)
