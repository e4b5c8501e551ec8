"""Customers: what a confirmed order says of its buyer goes to the CRM; what a CRM says of one is kept with its id.

Names, addresses and numbers stand in contacts and in the bodies of calls and records only. What is kept beside them is
our own id of the customer and the CRM's.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from hub.domain.decision import Decision, EffectRequest, Incoming, Verdict
from hub.domain.ids import derived_id
from hub.domain.money import decimal_text
from hub.domain.order import Effects, Order
from hub.domain.snapshot import Snapshot
from hub.domain.writeset import WriteSet
from hub.oms.desk.load import Case
from hub.oms.desk.times import instant_text
from hub.oms.ports import Rules

UPSERT = "upsert_customer"
FACT = "customer"
"""Where an order keeps our id of its customer."""
_SAYS_WHO = ("external_id", "email", "phone", "name")
Record = dict[str, Any]


def customer_id(order: Order, buyer: Mapping[str, Any]) -> str:
    """Our id of a buyer: the channel's own id of them makes it, so all their orders share it. A guest is the customer
    of one order: no address for mail is turned into a key, for keys are kept when people are forgotten."""
    known = buyer.get("external_id")
    return derived_id("cu", order.channel, str(known)) if known else derived_id("cu", order.id)


def upsert_customer(case: Case) -> None:
    """Tell every system that keeps customers who has ordered; nothing where the channel does not say who it was.

    A lane of its own: no order waits for it. Of two orders of one customer that nobody was told of yet, the later one
    tells both.
    """
    takers = case.rules.takers.get(UPSERT, ())
    buyer = case.contacts.get("buyer", {}) if takers else {}
    if not any(buyer.get(name) for name in _SAYS_WHO):
        return
    order = case.order
    customer = customer_id(order, buyer)
    order.facts = {**order.facts, FACT: customer}
    key = f"customer/{customer}/{order.id}"
    record = {"key": key, **_content(case, customer, buyer)}
    for destination in takers:
        case.decision.effects.append(
            EffectRequest(
                destination=destination,
                capability=UPSERT,
                key=key,
                aggregate=customer,
                lane="customer",
                record=record,
                order_id=order.id,
                subject=f"customer/{customer}",
                suppressed=order.effects == Effects.OBSERVE,
            )
        )


def _content(case: Case, customer: str, buyer: Mapping[str, Any]) -> Record:
    order = case.order
    addresses: Record = {role: case.contacts[role] for role in ("bill_to", "ship_to") if role in case.contacts}
    last_order: Record = {
        "order": order.id,
        "order_external_id": order.external_id,
        "order_number": order.number,
        "placed_at": instant_text(order.placed_at) if order.placed_at else None,
        "currency": order.currency,
        "total": decimal_text(order.total) if order.total is not None else None,
    }
    first: Mapping[str, Any] = addresses.get("bill_to") or addresses.get("ship_to") or {}
    said: Record = {
        "reference": customer,
        "channel": order.channel,
        "channel_customer_id": buyer.get("external_id"),
        "seller_entity": order.seller_entity,
        "name": buyer.get("name") or first.get("name"),
        "company": first.get("company"),
        "email": buyer.get("email"),
        "phone": buyer.get("phone") or first.get("phone"),
        "locale": buyer.get("locale"),
        **addresses,
        "last_order": {name: value for name, value in last_order.items() if value is not None},
    }
    return {name: value for name, value in said.items() if value}


def answered(case: Case, key: str, destination: str, external_id: str) -> None:
    """A system has the customer now: its id of them is kept, and shown with the order."""
    customer = key.split("/")[1]
    refer(case.decision.writes, case.snapshot, destination, external_id, customer, case.now)
    known = {**case.order.facts.get("customers", {}), destination: external_id}
    case.order.facts = {**case.order.facts, "customers": known}


def handle_customer(rules: Rules) -> Callable[[Incoming, Snapshot, dt.datetime], Decision]:
    """The handler of the stream `customers`. The exchange keeps the latest record itself, as of every entity; here the
    system's id is tied to ours where it names ours, and let go where it was merged into another."""
    del rules

    def keep_customer(incoming: Incoming, snapshot: Snapshot, now: dt.datetime) -> Decision:
        if not incoming.external_id:
            return Decision(
                Verdict.PARKED, code="required", error_field="external_id", message="a customer needs an id of its own"
            )
        reference = str(incoming.record.get("reference") or "")
        decision = Decision(subject=reference if reference.startswith("cu_") else incoming.external_id)
        if incoming.record.get("merged_into"):
            _let_go(decision.writes, snapshot, incoming.connection, incoming.external_id, now)
        elif reference.startswith("cu_"):
            refer(decision.writes, snapshot, incoming.connection, incoming.external_id, reference, now)
        return decision

    return keep_customer


def refer(writes: WriteSet, snapshot: Snapshot, system: str, external_id: str, customer: str, now: dt.datetime) -> None:
    """A system's id of a customer means ours."""
    standing = _standing(snapshot, system, external_id)
    if standing is None:
        row = {
            "id": derived_id("xr", system, FACT, external_id),
            "system": system,
            "entity": FACT,
            "external_id": external_id,
            "role": "primary",
            "internal_id": customer,
            "valid_from": now,
            "valid_to": None,
        }
        writes.insert("cross_references", row, ignore=True)
    elif standing["internal_id"] != customer or standing["valid_to"] is not None:
        # The system corrected whom it means, or took a merger back.
        values = {"internal_id": customer, "valid_from": now, "valid_to": None}
        writes.update("cross_references", {"id": standing["id"]}, values)


def _let_go(writes: WriteSet, snapshot: Snapshot, system: str, external_id: str, now: dt.datetime) -> None:
    standing = _standing(snapshot, system, external_id)
    if standing is not None and standing["valid_to"] is None:
        writes.update("cross_references", {"id": standing["id"]}, {"valid_to": now})


def _standing(snapshot: Snapshot, system: str, external_id: str) -> Mapping[str, Any] | None:
    where = {"system": system, "entity": FACT, "external_id": external_id, "role": "primary"}
    found = snapshot.rows("cross_references", where, limit=1)
    return found[0] if found else None
