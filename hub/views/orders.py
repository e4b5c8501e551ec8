"""Orders for people: the list, and one order with its lines, holds, work, calls, money and timeline."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from hub.domain.link import LinkRole, OrderLink, role_of
from hub.domain.masking import masked, private_texts
from hub.store.tables import BUCKETS
from hub.views.money import payments_of, refunds_of
from hub.views.packages import list_labels
from hub.views.query import rows
from hub.views.returns import list_returns
from hub.views.work import hint_for


def list_orders(
    connection: Connection,
    *,
    status: str | None = None,
    channel: str | None = None,
    ids: list[str] | None = None,
    before: str | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Newest first, of `ids` only where given; `before` is the id of the last row of the page before (keyset)."""
    conditions = ["1 = 1"]
    values: dict[str, Any] = {"limit": min(limit, 1000)}
    if status:
        conditions.append("o.status = :status")
        values["status"] = status
    if channel:
        conditions.append("o.channel = :channel")
        values["channel"] = channel
    if ids is not None:
        conditions.append("o.id IN :ids")
        values["ids"] = ids
    if before:
        conditions.append("(o.created_at, o.id) < (SELECT b.created_at, b.id FROM orders b WHERE b.id = :before)")
        values["before"] = before
    found = rows(
        connection,
        f"""
        SELECT o.id, o.number, o.channel, o.external_id, o.status, o.effects, o.currency, o.total, o.placed_at,
               o.created_at,
               (SELECT COUNT(*) FROM holds h WHERE h.order_id = o.id AND h.released_at IS NULL) AS holds,
               (SELECT COUNT(DISTINCT s.exception_id) FROM exception_subjects s
                 WHERE s.order_id = o.id AND s.cleared_at IS NULL) AS exceptions
          FROM orders o WHERE {" AND ".join(conditions)} ORDER BY o.created_at DESC, o.id DESC LIMIT :limit
        """,
        values,
        instants=("placed_at", "created_at"),
        amounts=("total",),
    )
    lines = rows(
        connection,
        f"SELECT order_id, {', '.join(f'SUM({bucket}) AS {bucket}' for bucket in BUCKETS)} FROM order_lines "
        "WHERE order_id IN :ids GROUP BY order_id",
        {"ids": [row["id"] for row in found]},
        amounts=BUCKETS,
    )
    by_order = {line.pop("order_id"): {name: value for name, value in line.items() if value} for line in lines}
    for row in found:
        row["quantities"] = by_order.get(row["id"], {})
    return found


def find_order(connection: Connection, reference: str) -> list[str]:
    """Ids of orders that people may mean: our id, the number shown, the channel's id, or any cross-reference."""
    found = rows(
        connection,
        """
        SELECT id FROM orders WHERE id = :ref
        UNION SELECT id FROM orders WHERE number = :ref OR number = '#' || :ref
        UNION SELECT id FROM orders WHERE external_id = :ref
        UNION SELECT internal_id FROM cross_references WHERE entity = 'order' AND external_id = :ref
        UNION SELECT order_id FROM fulfilment_orders WHERE id = :ref OR external_id = :ref
        ORDER BY id LIMIT 20
        """,
        {"ref": reference},
    )
    return [row["id"] for row in found]


def show_order(connection: Connection, order_id: str) -> dict[str, Any] | None:
    """Everything about one order but personal data."""
    heads = rows(
        connection,
        """SELECT id, number, channel, scope, external_id, seller_entity, order_type, currency, total, status, effects,
                  placed_at, grace_until, confirmed_at, source_version, version, created_at, updated_at, document
             FROM orders WHERE id = :id""",
        {"id": order_id},
        instants=("placed_at", "grace_until", "confirmed_at", "created_at", "updated_at"),
        amounts=("total",),
    )
    if not heads:
        return None
    order = heads[0]
    order["document"] = json.loads(order["document"])
    order["lines"] = _lines(connection, order_id)
    order["customers"] = rows(
        connection,
        """SELECT system, external_id, valid_to FROM cross_references
            WHERE entity = 'customer' AND internal_id = :id ORDER BY system, external_id""",
        {"id": order["document"].get("customer", "")},
        instants=("valid_to",),
    )
    order["links"] = _links(connection, order_id)
    order["holds"] = rows(
        connection,
        """SELECT id, line_id, kind, rule, path, hint, placed_at, until, "then", released_at, released_by FROM holds
            WHERE order_id = :id ORDER BY placed_at, id""",
        {"id": order_id},
        instants=("placed_at", "until", "released_at"),
    )
    order["changes"] = _changes(connection, order_id)
    order["fulfilment_orders"] = _documents(
        rows(
            connection,
            """SELECT id, location, connection, method, state, version, external_id, document, created_at
                 FROM fulfilment_orders WHERE order_id = :id ORDER BY id""",
            {"id": order_id},
            instants=("created_at",),
        )
    )
    order["shipments"] = _documents(
        rows(
            connection,
            """SELECT id, fulfilment_order_id, location, external_id, shipped_at, document FROM shipments
                WHERE order_id = :id ORDER BY shipped_at, id""",
            {"id": order_id},
            instants=("shipped_at",),
        )
    )
    order["reservations"] = rows(
        connection,
        """SELECT line_id, sku, location, quantity, state, expires_at FROM reservations WHERE order_id = :id
            ORDER BY line_id, location""",
        {"id": order_id},
        amounts=("quantity",),
        instants=("expires_at",),
    )
    order["money_moves"] = rows(
        connection,
        "SELECT id, payment_id, kind, currency, amount, external_id, at FROM money_moves WHERE order_id = :id"
        " ORDER BY at, id",
        {"id": order_id},
        amounts=("amount",),
        instants=("at",),
    )
    order["labels"] = list_labels(connection, order_id=order_id)
    order["payments"] = payments_of(connection, order_id)
    order["refunds"] = refunds_of(connection, order_id)
    order["returns"] = list_returns(connection, order_id=order_id) if order["document"].get("returns") else []
    order["sourcing"] = _documents(
        rows(
            connection,
            "SELECT id, cause, document, at FROM sourcing_decisions WHERE order_id = :id ORDER BY at, id",
            {"id": order_id},
            instants=("at",),
        )
    )
    order["deliveries"] = rows(
        connection,
        """SELECT id, destination, capability, business_key, state, park_reason, attempts, external_id, error,
                  created_at, due_at, settled_at FROM deliveries WHERE order_id = :id ORDER BY id""",
        {"id": order_id},
        instants=("created_at", "due_at", "settled_at"),
    )
    order["attributes"] = _attributes(connection, order_id)
    order["exceptions"] = rows(
        connection,
        """SELECT e.id, e.kind, e.title, e.detail, e.next_step, e.hint, e.owner, e.raised_at,
                  CASE WHEN COUNT(*) = COUNT(s.cleared_at) THEN 'resolved' ELSE e.state END AS state
             FROM exceptions e JOIN exception_subjects s ON s.exception_id = e.id
            WHERE s.order_id = :id GROUP BY e.id, e.kind, e.title, e.detail, e.next_step, e.hint, e.owner, e.state,
                  e.raised_at ORDER BY e.raised_at""",
        {"id": order_id},
        instants=("raised_at",),
    )
    for exception in order["exceptions"]:
        exception["hint"] = hint_for(exception["hint"], order_id)
    order["timeline"] = rows(
        connection,
        "SELECT id, type, subject, at, data FROM events WHERE order_id = :id ORDER BY sequence",
        {"id": order_id},
        instants=("at",),
    )
    for event in order["timeline"]:
        event["data"] = json.loads(event["data"])
    return order


FEW = 3
"""Paths that one line names."""


def same_holds(holds: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Holds that say the same of many lines as one: with `count` and in `where` some of what they are about."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for hold in holds:
        same = tuple(hold[name] for name in ("kind", "rule", "hint", "until", "then"))
        groups.setdefault((*same, hold["released_at"] is None), []).append(hold)
    found = []
    for group in groups.values():
        paths = [hold["path"] for hold in group if hold["path"]]
        more = f" and {len(paths) - FEW} more" if len(paths) > FEW else ""
        found.append({**group[0], "count": len(group), "where": ", ".join(paths[:FEW]) + more})
    return found


def _links(connection: Connection, order_id: str) -> list[dict[str, Any]]:
    """The orders that belong to this one, with what this one is to each."""
    found = rows(
        connection,
        """SELECT k.order_id, k.other_order_id, k.role, k.at, o.id, o.number, o.external_id, o.status
             FROM order_links k JOIN orders o
               ON o.id = CASE WHEN k.order_id = :id THEN k.other_order_id ELSE k.order_id END
            WHERE k.order_id = :id OR k.other_order_id = :id ORDER BY k.at, k.id""",
        {"id": order_id},
        instants=("at",),
    )
    for row in found:
        kept = OrderLink(row.pop("order_id"), row.pop("other_order_id"), LinkRole(row["role"]))
        row["role"] = role_of(order_id, kept).value
    return found


def _changes(connection: Connection, order_id: str) -> list[dict[str, Any]]:
    """Change sets, oldest first."""
    found = rows(
        connection,
        """SELECT id, version, state, asked_by, reason, request, delta, currency, price_effect, beside_total, why, at,
                  settled_at FROM changes WHERE order_id = :id ORDER BY at, id""",
        {"id": order_id},
        amounts=("price_effect", "beside_total"),
        instants=("at", "settled_at"),
    )
    for row in found:
        row["request"], row["delta"] = json.loads(row["request"]), json.loads(row["delta"])
    return found


def _attributes(connection: Connection, order_id: str) -> dict[str, Any]:
    """What the channel stated beyond the model, from its merged view: gone when that is erased, and without what it
    says of the order's people."""
    found = rows(
        connection,
        """SELECT b.body FROM sources s JOIN bodies b ON b.id = s.body_id
            WHERE s.subject = :id AND s.record = 'orders' AND b.body IS NOT NULL""",
        {"id": order_id},
    )
    if not found:
        return {}
    stated = json.loads(bytes(found[0]["body"]), parse_float=str)["values"].get("attributes") or {}
    contacts = rows(connection, "SELECT data FROM contacts WHERE order_id = :id", {"id": order_id})
    shown = _discreet(stated, private_texts(json.loads(row["data"]) for row in contacts))
    return shown if isinstance(shown, dict) else {}


def _discreet(value: Any, private: set[str]) -> Any:
    if isinstance(value, str):
        return masked(value, private)
    if isinstance(value, dict):
        return {name: _discreet(one, private) for name, one in value.items()}
    if isinstance(value, list):
        return [_discreet(one, private) for one in value]
    return value


def _lines(connection: Connection, order_id: str) -> list[dict[str, Any]]:
    found = rows(
        connection,
        f"""SELECT id, number, external_line_id, sku, ordered, {", ".join(BUCKETS)}, over_shipped, fulfilled_by,
                   document FROM order_lines WHERE order_id = :id ORDER BY number""",
        {"id": order_id},
        amounts=("ordered", *BUCKETS, "over_shipped"),
    )
    for line in found:
        line["quantities"] = {bucket: line.pop(bucket) for bucket in BUCKETS}
        line["quantities"] = {bucket: value for bucket, value in line["quantities"].items() if value}
    for line in _documents(found):
        document = line["document"]
        line["wish"] = Decimal(document.get("edited", document.get("wanted", "0")))
    _promised(connection, order_id, found)
    return found


def _promised(connection: Connection, order_id: str, lines: list[dict[str, Any]]) -> None:
    """By when each line's preordered goods are promised and from what; by when the waiting of the others began, their
    turn in the queue, and why goods passed them by."""
    claims = rows(
        connection,
        """SELECT c.line_id, c.quantity, c.due_at, COALESCE(s.reference, '') AS reference FROM supply_claims c
            LEFT JOIN supply s ON s.id = c.supply_id WHERE c.order_id = :id AND c.quantity > 0
            ORDER BY c.due_at, c.id""",
        {"id": order_id},
        amounts=("quantity",),
        instants=("due_at",),
    )
    waiting = rows(
        connection,
        """SELECT line_id, quantity, created_at AS since_at, turn, why FROM reservations
            WHERE order_id = :id AND state = 'unassigned' AND quantity > 0 ORDER BY id""",
        {"id": order_id},
        amounts=("quantity",),
        instants=("since_at",),
    )
    for line in lines:
        line["promised"] = [one for one in claims if one["line_id"] == line["id"]]
        line["waiting"] = [one for one in waiting if one["line_id"] == line["id"]]


def _documents(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for row in found:
        row["document"] = json.loads(row["document"])
    return found
