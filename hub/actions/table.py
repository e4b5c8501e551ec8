"""Everything a person can do, by name: what the control socket, the API and the command line call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hub.actions import (
    capture,
    configuration,
    connections,
    deliveries,
    edi,
    exceptions,
    going_live,
    imports,
    intake,
    inventory,
    keys,
    messages,
    orders,
    payments,
    returns,
    sessions,
    syncing,
    work,
)
from hub.exchange.verbs import Refused
from hub.runtime.control import ActionRefused
from hub.runtime.hub import Busy, Hub

Action = Callable[..., Mapping[str, Any]]

ACTIONS: dict[str, Action] = {
    "ingest": intake.ingest,
    "import.items": intake.import_items,
    "import.check": imports.check,
    "import.begin": imports.begin,
    "import.rows": imports.take,
    "import.finish": imports.finish,
    "jobs.cancel": imports.cancel,
    "orders.create": capture.create,
    "orders.write": capture.write,
    "orders.hold": orders.hold,
    "orders.reroute": orders.reroute,
    "orders.where_else": orders.where_else,
    "orders.release": orders.release,
    "orders.cancel": orders.cancel,
    "orders.refund": payments.refund,
    "payments.capture": payments.capture,
    "payments.refunded": payments.refunded,
    "payments.match": payments.match,
    "orders.edit": orders.edit,
    "orders.arrived": work.arrived,
    "orders.collect_elsewhere": work.elsewhere,
    "work.report": work.report,
    "inventory.transfer": work.transfer,
    "returns.request": returns.request,
    "returns.approve": returns.approve,
    "returns.refuse": returns.refuse,
    "returns.cancel": returns.cancel,
    "returns.receive": returns.receive,
    "returns.inspect": returns.inspect,
    "returns.settle": returns.settle,
    "returns.close": returns.close,
    "returns.exchange": returns.exchange,
    "returns.replace": returns.replace,
    "returns.ship_again": returns.ship_again,
    "returns.give_up": returns.give_up,
    "deliveries.retry": deliveries.retry,
    "deliveries.happened": deliveries.happened,
    "deliveries.did_not_happen": deliveries.did_not_happen,
    "deliveries.abandon": deliveries.abandon,
    "deliveries.done": deliveries.done_elsewhere,
    "deliveries.resend": deliveries.resend,
    "edi.resend": edi.resend,
    "messages.retry": messages.retry_message,
    "receipts.retry": messages.retry_receipt,
    "exceptions.retry": exceptions.retry,
    "exceptions.resolve": exceptions.resolve,
    "exceptions.assign": exceptions.assign,
    "inventory.adjust": inventory.adjust,
    "inventory.adjust_to": inventory.adjust_to,
    "inventory.explain": inventory.explain,
    "inventory.reconcile": inventory.reconcile,
    "keys.create": keys.create,
    "keys.revoke": keys.revoke,
    "web.link": sessions.link,
    "connections.check": connections.check,
    "connections.pause": connections.pause,
    "connections.resume": connections.resume,
    "connections.plan": going_live.plan,
    "connections.go_live": going_live.go_live,
    "connections.held": connections.held,
    "connections.sync": syncing.sync,
    "config.apply": configuration.apply,
    "config.folder": configuration.folder,
    "config.rollback": configuration.rollback,
}


def act(hub: Hub, name: str, arguments: dict[str, Any]) -> Mapping[str, Any]:
    """Do it. `who` is among the arguments. Raises ActionRefused with words for a person."""
    action = ACTIONS.get(name)
    if action is None:
        raise ActionRefused(f"there is no action {name}")
    try:
        return action(hub, **arguments)
    except (Refused, Busy) as error:
        raise ActionRefused(str(error)) from error
