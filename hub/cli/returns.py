"""`hub returns`: what comes back, where it lies, and what its customers were given."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import click

from hub.cli.failure import FAILED, Failure
from hub.cli.output import cell, emit_json, emit_object, emit_result, emit_table, json_option, money
from hub.cli.session import act, ask
from hub.runtime.place import Place
from hub.views.figures import age
from hub.views.states import RETURN_STATES
from hub.views.timeline import timeline

DISPOSITIONS = click.Choice(["restock", "quarantine", "scrap"])
LINES_HELP = "What: a line's number or id, or a SKU; with =QUANTITY if more than one. Again for each"
reason_option = click.option("--reason", required=True, help="Kept with the change, for whoever reads it later")


@click.group()
def returns() -> None:
    """Goods that come back: ask, decide, receive anywhere, inspect, refund."""


@returns.command("list")
@click.option("--state", type=click.Choice(list(RETURN_STATES)))
@click.option("--order", "order_id", help="Only those of one order, by our id")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@json_option
@click.pass_obj
def list_(place: Place, state: str | None, order_id: str | None, limit: int, as_json: bool) -> None:
    """Returns, newest first, with where their goods are."""
    found = ask(place, "returns.list", state=state, order_id=order_id, limit=limit)
    if as_json:
        emit_json(found)
        return
    columns = (
        ("number", "NUMBER"),
        ("channel", "CHANNEL"),
        ("origin", "ORIGIN"),
        ("state", "STATE"),
        ("age", "AGE"),
        ("waits_for", "WAITS FOR"),
        ("goods", "GOODS"),
        ("paid", "GIVEN"),
        ("tracking_number", "TRACKING"),
        ("id", "ID"),
    )
    now = dt.datetime.now(dt.UTC)
    shown = [{**row, "goods": _goods(row), "paid": _given(row), "age": age(row["created_at"], now)} for row in found]
    emit_table(shown, columns, empty="No returns.")


def _goods(row: dict[str, Any]) -> str:
    return "; ".join(
        f"{line['sku']} " + " ".join(f"{stage}={cell(units)}" for stage, units in line["quantities"].items())
        for line in row["lines"]
    )


def _given(row: dict[str, Any]) -> str:
    return ", ".join(f"{one['kind']} {money(one['amount'], one['currency'])}" for one in row["settlements"])


@returns.command("show")
@click.argument("reference")
@json_option
@click.pass_obj
def show(place: Place, reference: str, as_json: bool) -> None:
    """One return by its number, our id or the sender's: goods, settlements, label, timeline."""
    one = ask(place, "returns.get", reference)
    if one is None:
        raise Failure(f"There is no return {reference!r}. `hub returns list` shows what there is.", FAILED)
    if as_json:
        emit_object({"items": [one]})
        return
    click.echo(f"Return {one['number']}  ({one['id']}) of order {one['order_number'] or one['order_id']}")
    click.echo(f"  state       {one['state']}: {RETURN_STATES[one['state']]}")
    if one["waits_for"]:
        click.echo(f"  waits for   {one['waits_for']}")
    policy = one["document"].get("policy", {})
    click.echo(f"  asked by    {one['origin']}: {cell(one['reason'])}; policy: {cell(policy.get('why'))}")
    click.echo(f"  goes to     {cell(one['location'])}, tracking {cell(one['tracking_number'])}")
    for line in one["lines"]:
        over = f", {cell(line['over'])} more than had left" if line["over"] else ""
        click.echo(f"  line {line['number']}      {line['sku']}: {cell(line['quantities'])}{over}")
        for stage, here in line["document"].get("held", {}).items():
            click.echo(f"              {stage} at {cell(here)}")
    for given in one["settlements"]:
        reason = given["document"].get("reason")
        paid = f" ({given['refund_state']})" if given["refund_state"] else ""
        click.echo(f"  given       {given['kind']} {money(given['amount'], given['currency'])}{paid}: {cell(reason)}")
    if one["label"]:
        label = one["label"]
        click.echo(
            f"  label       {label['state']} at {label['connection']}, {money(label['cost'], label['currency'])}"
        )
    for at, fact, told in timeline(one, without=("return", "number")):
        click.echo(f"  {cell(at)}  {fact.removeprefix('return.')}  {told}".rstrip())


@returns.command("request")
@click.argument("order")
@click.option("--line", "lines", multiple=True, required=True, metavar="LINE[=QUANTITY]", help=LINES_HELP)
@click.option("--wants", type=click.Choice(["refund", "exchange", "store_credit"]), default="refund", show_default=True)
@reason_option
@json_option
@click.pass_obj
def request(place: Place, order: str, lines: tuple[str, ...], wants: str, reason: str, as_json: bool) -> None:
    """Ask for goods of an order to come back; the channel's policy answers."""
    arguments = {"reference": order, "lines": _lines(lines), "wants": wants, "reason": reason}
    emit_result(act(place, "returns.request", **arguments), as_json=as_json)


@returns.command("receive")
@click.argument("reference")
@click.option("--location", required=True, help="Where the goods are now")
@click.option("--line", "lines", multiple=True, required=True, metavar="LINE[=QUANTITY]", help=LINES_HELP)
@click.option("--grade", default="", help="What they look like; the policy may know what it means")
@click.option("--disposition", type=DISPOSITIONS, help="What becomes of them, where they were inspected at once")
@json_option
@click.pass_obj
def receive(
    place: Place,
    reference: str,
    location: str,
    lines: tuple[str, ...],
    grade: str,
    disposition: str | None,
    as_json: bool,
) -> None:
    """Goods of a return have arrived at a location."""
    more = {"grade": grade, "disposition": disposition}
    arguments = {"reference": reference, "location": location, "lines": _lines(lines, **more)}
    emit_result(act(place, "returns.receive", **arguments), as_json=as_json)


@returns.command("inspect")
@click.argument("reference")
@click.option("--line", "lines", multiple=True, required=True, metavar="LINE[=QUANTITY]", help=LINES_HELP)
@click.option("--disposition", type=DISPOSITIONS, required=True, help="What becomes of them")
@click.option("--grade", default="", help="What they look like")
@click.option("--location", default="", help="Where they are, if at several")
@json_option
@click.pass_obj
def inspect(
    place: Place,
    reference: str,
    lines: tuple[str, ...],
    disposition: str,
    grade: str,
    location: str,
    as_json: bool,
) -> None:
    """What received goods, or goods in quarantine, turned out to be."""
    more = {"grade": grade, "disposition": disposition, "location": location}
    emit_result(act(place, "returns.inspect", reference=reference, lines=_lines(lines, **more)), as_json=as_json)


@returns.command("settle")
@click.argument("reference")
@click.option("--refund", "kind", flag_value="refund", help="Money, to what it was paid with")
@click.option(
    "--store-credit", "kind", flag_value="store_credit", help="Credit with us; --number where it is given already"
)
@click.option("--nothing", "kind", flag_value="nothing", help="Nothing, with the reason kept")
@click.option("--line", "lines", multiple=True, metavar="LINE[=QUANTITY]", help="For these alone, arrived or not")
@click.option("--amount", default="", help="Less than they are worth")
@click.option("--number", default="", help="Of the credit")
@reason_option
@json_option
@click.pass_obj
def settle(
    place: Place,
    reference: str,
    kind: str | None,
    lines: tuple[str, ...],
    amount: str,
    number: str,
    reason: str,
    as_json: bool,
) -> None:
    """Give the customer what the goods are worth, where the policy does not do it by itself."""
    if kind is None:
        raise click.UsageError("Say what is given: --refund, --store-credit or --nothing.")
    arguments = {"reference": reference, "kind": kind, "lines": _lines(lines), "amount": amount, "reason": reason}
    emit_result(act(place, "returns.settle", **arguments, credit_reference=number), as_json=as_json)


@returns.command("exchange")
@click.argument("reference")
@click.option("--for", "wanted", multiple=True, required=True, metavar="SKU[=QUANTITY]", help="What goes out instead")
@click.option("--price", default="", help="What one of these costs, all in; else what came back is worth as much")
@click.option("--line", "lines", multiple=True, metavar="LINE[=QUANTITY]", help="For these alone, arrived or not")
@reason_option
@json_option
@click.pass_obj
def exchange(
    place: Place,
    reference: str,
    wanted: tuple[str, ...],
    price: str,
    lines: tuple[str, ...],
    reason: str,
    as_json: bool,
) -> None:
    """Send other goods for what came back; the difference is charged or given back, once."""
    goods = [{name: value for name, value in one.items() if name != "line"} for one in _lines(wanted, price=price)]
    arguments = {"reference": reference, "wanted": goods, "lines": _lines(lines), "reason": reason}
    emit_result(act(place, "returns.exchange", **arguments), as_json=as_json)


def _of_order(name: str, text: str) -> None:
    @returns.command(name, help=text)
    @click.argument("order")
    @click.option("--line", "lines", multiple=True, required=True, metavar="LINE[=QUANTITY]", help=LINES_HELP)
    @reason_option
    @json_option
    @click.pass_obj
    def command(place: Place, order: str, lines: tuple[str, ...], reason: str, as_json: bool) -> None:
        arguments = {"reference": order, "lines": _lines(lines), "reason": reason}
        emit_result(act(place, f"returns.{name.replace('-', '_')}", **arguments), as_json=as_json)


_of_order("replace", "Send goods of an order again for nothing: broken, wrong, or claimed as missing.")
_of_order("ship-again", "Ship again what a carrier lost or brought back.")
_of_order("give-up", "Cancel and pay back what a carrier lost or brought back.")


def _action(name: str, text: str, option: Callable[..., Any] = reason_option) -> None:
    @returns.command(name, help=text)
    @click.argument("reference")
    @option
    @json_option
    @click.pass_obj
    def command(place: Place, reference: str, reason: str, as_json: bool) -> None:
        emit_result(act(place, f"returns.{name}", reference=reference, reason=reason), as_json=as_json)


_action("approve", "Let a return come back.", click.option("--reason", default="", help="Kept with the change"))
_action("refuse", "Do not take a return.")
_action("cancel", "Call a return off, before anything of it has arrived.")
_action("close", "Wait for nothing more of a return.")


def _lines(named: tuple[str, ...], **more: str | None) -> list[dict[str, str]]:
    """`--line` values: numbers name lines, everything else a SKU or a line's id, whichever the order has."""
    lines = []
    for one in named:
        what, _, units = one.rpartition("=") if "=" in one else (one, "", "1")
        known = {name: value for name, value in more.items() if value}
        lines.append({"line": what, "sku": what, "quantity": units, **known})
    return lines
