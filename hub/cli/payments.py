"""`hub payments`: how orders are paid, payouts and what they pay for."""

from __future__ import annotations

import datetime as dt
from typing import Any

import click

from hub.cli.failure import FAILED, Failure
from hub.cli.output import cell, emit_json, emit_object, emit_result, emit_table, json_option, money
from hub.cli.session import act, ask
from hub.domain.payment import PaymentState
from hub.runtime.place import Place


@click.group()
def payments() -> None:
    """Money: payments of orders, payouts, and what they pay for."""


@payments.command("list")
@click.option("--order", help="Only this order's: its number, the channel's id or ours")
@click.option("--state", type=click.Choice([state.value for state in PaymentState]))
@click.option("--after", help="Page on: the id of the last payment shown")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@json_option
@click.pass_obj
def list_(place: Place, order: str | None, state: str | None, after: str | None, limit: int, as_json: bool) -> None:
    """Payments with what is authorised, captured and refunded of each."""
    order_id = None if order is None else _order(place, order)
    found = ask(place, "payments.list", order_id=order_id, state=state, after=after, limit=limit)
    if as_json:
        emit_json(found)
        return
    columns = (
        ("order_number", "ORDER"),
        ("method", "METHOD"),
        ("managed_by", "BY"),
        ("state", "STATE"),
        ("authorised", "AUTHORISED"),
        ("captured", "CAPTURED"),
        ("refunded", "REFUNDED"),
        ("store_credit", "CREDIT"),
        ("voided", "LET GO"),
        ("expires_at", "ENDS"),
        ("external_id", "EXTERNAL ID"),
        ("id", "ID"),
    )
    amounts = ("authorised", "captured", "refunded", "store_credit", "voided")
    emit_table([_in_words(row, *amounts) for row in found], columns, empty="No payments.")
    if len(found) == limit:
        click.echo(f"{limit} shown; more: --after {found[-1]['id']}, or with --limit", err=True)


@payments.command("capture")
@click.argument("reference")
@click.option("--reason", required=True, help="Kept with the change, for whoever reads it later")
@json_option
@click.pass_obj
def capture(place: Place, reference: str, reason: str, as_json: bool) -> None:
    """Try once more to take what of an order has left and is not paid."""
    emit_result(act(place, "payments.capture", reference=reference, reason=reason), as_json=as_json)


@payments.command("refunded")
@click.argument("reference")
@click.option("--refund", default="", help="The refund, where several wait: its id, from the exception")
@click.option("--external-id", required=True, help="What the channel calls what was given back there")
@click.option("--reason", default="made by hand at the channel", help="How you know")
@json_option
@click.pass_obj
def refunded(place: Place, reference: str, refund: str, external_id: str, reason: str, as_json: bool) -> None:
    """Say that money which only a person can give back at the channel was given back there."""
    said = {"refund": refund, "external_id": external_id, "reason": reason}
    emit_result(act(place, "payments.refunded", reference=reference, **said), as_json=as_json)


@payments.command("payouts")
@click.argument("payout", required=False)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@json_option
@click.pass_obj
def payouts(place: Place, payout: str | None, limit: int, as_json: bool) -> None:
    """Payouts, newest first; or one with its lines and what each pays for."""
    if payout is None:
        found = ask(place, "payouts.list", limit=limit)
        if as_json:
            emit_json(found)
            return
        columns = (
            ("external_id", "PAYOUT"),
            ("connection", "FROM"),
            ("paid_at", "PAID"),
            ("gross", "GROSS"),
            ("fees", "FEES"),
            ("amount", "AMOUNT"),
            ("difference", "NOT EXPLAINED"),
            ("lines", "LINES"),
            ("unmatched", "UNMATCHED"),
        )
        shown = [_in_words(row, "gross", "fees", "amount", "difference") for row in found]
        emit_table(shown, columns, empty="No payouts.")
        return
    one = ask(place, "payouts.get", payout)
    if one is None:
        raise Failure(f"There is no payout {payout!r}. `hub payments payouts` shows what there is.", FAILED)
    if as_json:
        emit_object({"items": [one]})
        return
    click.echo(f"Payout {one['external_id']} of {one['connection']}, paid {cell(one['paid_at'])}  ({one['id']})")
    click.echo(
        f"  {money(one['gross'], one['currency'])} less fees of {money(one['fees'], one['currency'])}:"
        f" {money(one['amount'], one['currency'])} paid, {money(one['difference'], one['currency'])} not explained"
    )
    line_columns = (
        ("number", "#"),
        ("type", "TYPE"),
        ("gross", "GROSS"),
        ("fee", "FEE"),
        ("net", "NET"),
        ("matched", "PAYS FOR"),
        ("order_id", "ORDER"),
        ("reference", "REFERENCE"),
        ("order_reference", "ORDER THERE"),
    )
    lines = [_in_words(row, "gross", "fee", "net") for row in one["items"]]
    emit_table(lines, line_columns, empty="It has no lines.")


@payments.command("unmatched")
@click.option("--match", is_flag=True, help="First look once more: their orders may have come since")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True)
@json_option
@click.pass_obj
def unmatched(place: Place, match: bool, limit: int, as_json: bool) -> None:
    """Lines of payouts that pay for nothing known, the oldest first."""
    if match:
        click.echo(act(place, "payments.match")["message"], err=True)
    found = ask(place, "payouts.unmatched", dt.datetime.now(dt.UTC), limit=limit)
    if as_json:
        emit_json(found)
        return
    columns = (
        ("age_days", "DAYS"),
        ("connection", "FROM"),
        ("payout", "PAYOUT"),
        ("number", "#"),
        ("type", "TYPE"),
        ("net", "NET"),
        ("reference", "REFERENCE"),
        ("order_reference", "ORDER THERE"),
    )
    emit_table(
        [_in_words(row, "net") for row in found], columns, empty="Every line of every payout pays for something known."
    )


def _in_words(row: dict[str, Any], *amounts: str) -> dict[str, Any]:
    return {**row, **{name: money(row[name], row["currency"]) for name in amounts}}


def _order(place: Place, reference: str) -> str:
    ids = ask(place, "orders.find", reference)
    if len(ids) != 1:
        words = f"fits several orders: {', '.join(ids)}" if ids else "is no order that is known"
        raise Failure(f"{reference!r} {words}.", FAILED)
    return str(ids[0])
