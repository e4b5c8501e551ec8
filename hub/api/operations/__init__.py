"""What each operation of openapi/hub.yaml does: views for looking, hub.actions for doing. Named by operation id."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hub.api.operations import connections, deliveries, exceptions, hub, intake, inventory, keys, orders

OPERATIONS: Mapping[str, Callable[..., Any]] = {
    "orders.list": orders.list_,
    "orders.create": orders.create,
    "orders.get": orders.get,
    "orders.edit": orders.edit,
    "orders.hold": orders.hold,
    "orders.release": orders.release,
    "orders.cancel": orders.cancel,
    "receipts.list": intake.list_receipts,
    "receipts.get": intake.get_receipt,
    "receipts.body": intake.receipt_body,
    "receipts.retry": intake.retry_receipt,
    "messages.list": intake.list_messages,
    "messages.get": intake.get_message,
    "messages.body": intake.message_body,
    "messages.retry": intake.retry_message,
    "deliveries.list": deliveries.list_,
    "deliveries.get": deliveries.get,
    "deliveries.body": deliveries.body,
    "deliveries.retry": deliveries.retry,
    "deliveries.happened": deliveries.happened,
    "deliveries.did_not_happen": deliveries.did_not_happen,
    "deliveries.abandon": deliveries.abandon,
    "deliveries.done": deliveries.done,
    "deliveries.resend": deliveries.resend,
    "exceptions.list": exceptions.list_,
    "exceptions.get": exceptions.get,
    "exceptions.retry": exceptions.retry,
    "exceptions.resolve": exceptions.resolve,
    "exceptions.assign": exceptions.assign,
    "inventory.list": inventory.list_,
    "inventory.get": inventory.get,
    "inventory.adjust": inventory.adjust,
    "inventory.promises": inventory.promises,
    "locations.list": inventory.list_locations,
    "locations.get": inventory.get_location,
    "connections.list": connections.list_,
    "connections.get": connections.get,
    "connections.check": connections.check,
    "connections.pause": connections.pause,
    "connections.resume": connections.resume,
    "schedules.list": hub.schedules,
    "jobs.list": hub.jobs,
    "jobs.get": hub.job,
    "hub.status": hub.status,
    "hub.verify": hub.verify,
    "keys.list": keys.list_,
    "keys.create": keys.create,
    "keys.revoke": keys.revoke,
}
