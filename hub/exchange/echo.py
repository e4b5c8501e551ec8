"""What we push comes back as a webhook, often before our own answer (docs: echoes).

A fact of a kind that we push, about an order with an open push of that kind to the same connection, is matched by our
key, else by content, else it waits until that push settles. A match creates nothing and settles an UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hub.domain.decision import Decision, Incoming, Verdict
from hub.domain.writeset import WriteSet
from hub.exchange.closing import Word, close_delivery
from hub.exchange.decisions import Writer
from hub.formats import json
from hub.sdk.capabilities import Capability
from hub.sdk.streams import STREAMS, Kind

SETTLED_BY_ECHO = frozenset({"unknown", "probing", "sent", "overdue"})
UNDER_WAY = frozenset({"in_flight", "retry", "unknown", "probing", "sent", "overdue"})
_SILENT = frozenset({Capability.PUSH_INVENTORY})


def match_echo(incoming: Incoming, writer: Writer) -> Decision | None:
    """The decision for an echo, or for a fact that may be one; None: it is news."""
    record_kind, kind = STREAMS[incoming.stream]
    view = writer.connections.get(incoming.connection)
    if kind is not Kind.FACT or view is None:
        return None
    if not any(name.startswith("push_") and name not in _SILENT for name in view.capabilities):
        return None
    pushed = _pushed(incoming, writer, str(record_kind))
    for row in pushed:
        if _is_echo(row, incoming):
            return _matched(row, incoming, writer)
    for row in pushed:
        if row["state"] in UNDER_WAY:
            return Decision(
                Verdict.WAITING,
                waits_for=row["id"],
                message=f"may be the echo of {row['business_key']}, which is under way",
            )
    return None


def _pushed(incoming: Incoming, writer: Writer, record_kind: str) -> list[dict[str, Any]]:
    """Pushes of this kind about the same order that have been attempted, the one our key names first."""
    found: dict[str, dict[str, Any]] = {}
    reference = incoming.record.get("reference")
    if isinstance(reference, str) and reference:
        named = writer.snapshot.row("deliveries", {"business_key": reference})
        if named is not None and named["destination"] == incoming.connection:
            found[named["id"]] = named
    external = incoming.record.get("order_external_id")
    if isinstance(external, str) and external:
        where = {"channel": incoming.connection, "scope": incoming.scope, "external_id": external}
        order = writer.snapshot.row("orders", where)
        if order is not None:
            for row in writer.snapshot.rows(
                "deliveries", {"order_id": order["id"], "destination": incoming.connection}, order_by=("sequence",)
            ):
                found.setdefault(row["id"], row)
    return [row for row in found.values() if row["attempts"] > 0 and _fact(row).get("kind") == record_kind]


def _fact(row: Mapping[str, Any]) -> dict[str, Any]:
    fact = json.loads(row["fact"].encode()) if row["fact"] else {}
    return fact if isinstance(fact, dict) else {}


def _is_echo(row: Mapping[str, Any], incoming: Incoming) -> bool:
    reference = incoming.record.get("reference")
    if reference:
        return bool(reference == row["business_key"])
    if row["external_id"] and row["external_id"] == incoming.external_id:
        return True
    match = _fact(row).get("match")
    if not isinstance(match, dict) or not match:
        return False
    said: dict[str, set[str]] = {}
    for name, value in _scalars(incoming.record):
        said.setdefault(name, set()).add(value)
    return all(str(value) in said.get(name, set()) for name, value in match.items())


def _scalars(tree: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _scalars(value, key)
    elif isinstance(tree, list):
        for value in tree:
            yield from _scalars(value, name)
    elif tree is not None:
        yield name, str(tree)


def _matched(row: Mapping[str, Any], incoming: Incoming, writer: Writer) -> Decision:
    writes = WriteSet()
    if row["state"] in SETTLED_BY_ECHO:
        word = Word("acknowledged", by="echo", origin=f"{row['id']}/echo", external_id=incoming.external_id or None)
        close_delivery(writes, writer, row, word)
    return Decision(
        Verdict.IGNORED,
        subject=row["order_id"] or "",
        code="echo",
        message=f"the echo of {row['business_key']}",
        writes=writes,
    )
