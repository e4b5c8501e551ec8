"""How `hub orders show` tells an order: its head, lines, work, money, exceptions, reasons and timeline."""

from __future__ import annotations

from typing import Any

import click

from hub.cli.output import cell, counted, money
from hub.domain.order import edits_of
from hub.views.explain import explain
from hub.views.orders import same_holds
from hub.views.timeline import timeline

WIDEST = 300
"""Characters of the line of attributes; `--json` shows all."""


def tell_order(order: dict[str, Any], *, why: bool) -> None:
    tell_head(order)
    _work(order)
    if why:
        _why(order)
    click.echo("Timeline")
    for at, fact, told in timeline(order):
        click.echo(f"  {cell(at)}  {fact}  {told}".rstrip())


def tell_lineage(order: dict[str, Any]) -> None:
    """By message, because most orders come from one or two."""
    click.echo(f"Order {order['number'] or order['external_id']}  ({order['id']})")
    by_message: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    keys = ("message", "receipt", "received_at", "source_version", "mapping", "revision")
    for origin in order["lineage"]:
        by_message.setdefault(tuple(origin[key] for key in keys), []).append(origin)
    for (message, receipt, received_at, version, mapping, revision), origins in by_message.items():
        click.echo(f"From message {message or '-'}, receipt {receipt}, received {received_at}")
        known = f"  mapping {mapping}, " if mapping else "  "
        click.echo(f"{known}revision {revision or '-'}, the source's version {version or '-'}")
        for origin in origins:
            note = f"  ({origin['note']})" if origin["note"] else ""
            place = f"  {origin['file']}:{origin['line']}" if origin["file"] else ""
            click.echo(f"  {origin['field']:<44}  {origin['path'] or '-'}{note}{place}")
    if not by_message:
        click.echo("Nothing that a source stated of it is kept.", err=True)


def tell_head(order: dict[str, Any]) -> None:
    click.echo(f"Order {order['number'] or order['external_id']}  ({order['id']})")
    click.echo(f"  channel     {order['channel']}, external id {order['external_id']}")
    click.echo(
        f"  status      {order['status']}" + ("" if order["effects"] == "on" else f"  (effects: {order['effects']})")
    )
    edited = edits_of(order["document"]).amount
    edits = f", and {money(edited, order['currency'])} by edits made here" if edited else ""
    click.echo(f"  placed      {cell(order['placed_at'])}   total {money(order['total'], order['currency'])}{edits}")
    if order["order_type"] != "sale":
        click.echo(f"  type        {order['order_type']}")
    if order["attributes"]:
        said = ", ".join(_attribute(name, value) for name, value in sorted(order["attributes"].items()))
        click.echo(f"  attributes  {said if len(said) <= WIDEST else said[: WIDEST - 3] + '...'}")
    for link in order["links"]:
        other = link["number"] or link["external_id"]
        click.echo(f"  {link['role'].replace('_', ' '):<11} {other}  ({link['id']}, {link['status']})")
    for customer in order["customers"]:
        gone = " (merged into another there)" if customer["valid_to"] else ""
        click.echo(f"  customer    {customer['external_id']} at {customer['system']}{gone}")
    click.echo("Lines")
    for line in order["lines"]:
        quantities = ", ".join(f"{cell(value)} {bucket}" for bucket, value in line["quantities"].items())
        named = f"   in {line['number']}:" if line.get("document", {}).get("kit") else f"{line['number']}."
        click.echo(f"  {named} {cell(line['sku'])}  ordered {cell(line['ordered'])}: {quantities}")
        for one in line["promised"]:
            source = f" from {one['reference']}" if one["reference"] else ", when its sale begins"
            click.echo(f"     {cell(one['quantity'])} promised by {cell(one['due_at'])}{source}")
        for one in line["waiting"]:
            why = f" ({one['turn']}: {one['why']})" if one["why"] else ""
            click.echo(f"     {cell(one['quantity'])} waiting since {cell(one['since_at'])}{why}")
    for hold in same_holds(order["holds"]):
        state = "released" if hold["released_at"] else "HELD"
        boxed = f" (until {cell(hold['until'])}, then {hold['then']})" if hold["until"] and state == "HELD" else ""
        where = f" at {hold['where']}" if hold["where"] else ""
        times = f" {hold['count']} times" if hold["count"] > 1 else ""
        named = hold["kind"] if hold["rule"] == hold["kind"] else f"{hold['kind']} {hold['rule']}"
        click.echo(f"  {state}: {named}{times}{where}: {hold['hint']}{boxed}")
    for change in order["changes"]:
        effect = money(change["price_effect"], change["currency"])
        moved = "; ".join(f"{one['sku']} {one['from']} -> {one['to']}" for one in change["delta"].get("lines", ()))
        parts = ", ".join(change["request"].get("ship_to", ()))
        said = "; ".join(words for words in (moved, f"address ({parts})" if parts else "", change["why"]) if words)
        click.echo(f"  change {change['id']} by {change['asked_by']}: {change['state']}, {effect}: {said}")
    for exception in order["exceptions"]:
        who = f"{exception['state']}, {exception['owner']}"
        click.echo(f"  exception {exception['id']} ({who}): {exception['title']}: {exception['detail']}")
        if exception["state"] == "open":
            looks_here = exception["hint"] == f"hub orders show {order['id']}"
            you_can = "" if looks_here else f"  you can: {exception['hint']}"
            click.echo(f"    next: {exception['next_step']}{you_can}")


def _attribute(name: str, value: Any) -> str:
    """What a channel says beyond what the hub knows fields for: one value is told, a whole document only counted."""
    if isinstance(value, dict):
        return f"{name}: {counted(len(value), 'field')} as the channel said them (--json shows all)"
    return f"{name}={cell(value)}"


def _work(order: dict[str, Any]) -> None:
    if order["fulfilment_orders"]:
        click.echo("Fulfilment orders")
    for work in order["fulfilment_orders"]:
        click.echo(f"  {work['id']}  {work['location']} via {work['connection']}: {work['state']}")
    collected = {work["id"] for work in order["fulfilment_orders"] if work["method"] == "pickup"}
    for shipment in order["shipments"]:
        packages = shipment["document"].get("packages", [])
        tracking = ", ".join(str(package.get("tracking_number") or package.get("package")) for package in packages)
        if shipment["fulfilment_order_id"] in collected:
            proof = "".join(
                f", {name} {shipment['document'][name]}" for name in ("proof", "by") if shipment["document"].get(name)
            )
            click.echo(f"  handed over {cell(shipment['shipped_at'])} at {shipment['location']}{proof}")
        else:
            click.echo(f"  shipped {cell(shipment['shipped_at'])} from {shipment['location']}: {tracking}")
    for label in order["labels"]:
        paid = money(label["cost"], label["currency"]) if label["cost"] is not None else "no price"
        back = f", {money(label['refunded'], label['currency'])} came back" if label["refunded"] else ""
        named = f"{cell(label['carrier'])} {cell(label['service'])} {cell(label['tracking_number'])}"
        click.echo(f"  label {label['direction']} {named}: {label['use'].replace('_', ' ')}, {paid}{back}")
    if order["deliveries"]:
        click.echo("Calls")
    for delivery in order["deliveries"]:
        reference = f" -> {delivery['external_id']}" if delivery["external_id"] else ""
        error = f"  {delivery['error']}" if delivery["error"] else ""
        click.echo(
            f"  {delivery['destination']} {delivery['capability']}: {delivery['state']}, "
            f"{counted(delivery['attempts'], 'attempt')}{reference}{error}"
        )
    for payment in order["payments"]:
        currency = payment["currency"]
        shown = ", ".join(
            f"{name} {money(payment[name], currency)}"
            for name in ("authorised", "captured", "capturing", "refunded", "refunding", "voided")
            if payment[name]
        )
        named = payment["method"] or "payment"
        click.echo(f"  {named} at {payment['connection']}: {payment['state']}{': ' if shown else ''}{shown}")
    for one in order["returns"]:
        goods = "; ".join(f"{line['sku']} {cell(line['quantities'])}" for line in one["lines"])
        click.echo(f"  return {one['number']}: {one['state']}  {goods}")
    for move in order["money_moves"]:
        click.echo(f"  money: {move['kind']} {money(move['amount'], move['currency'])}")


def _undecided(order: dict[str, Any]) -> str:
    """Why nothing was sourced."""
    kept = order["document"].get("no_effects")
    if kept:
        return (
            f"kept only, because it is a {kept}; the hub sends nothing for it"
            if kept == "test order"
            else (f"kept only, because it was {kept}; the hub sends nothing for it")
        )
    held = sorted({hold["rule"] for hold in order["holds"] if not hold["released_at"]})
    if held:
        return f"no location was chosen yet; the order is held: {', '.join(held)}"
    return "no location was chosen yet."


def _why(order: dict[str, Any]) -> None:
    if not order["sourcing"]:
        click.echo(f"Why: {_undecided(order)}")
        return
    click.echo("Why")
    for decision in order["sourcing"]:
        tell_decision(f"decided {cell(decision['at'])}", decision["document"])


def tell_decision(when: str, kept: dict[str, Any]) -> None:
    document = dict(kept)
    rule, _, strategy = str(document.pop("rule", "fallback")).partition("/")
    click.echo(f"  {when} by strategy {strategy or rule} (rule {rule})")
    for label, words in explain(document):
        click.echo(f"    {label:<12} {words}")
