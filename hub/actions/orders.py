"""Holding, releasing and cancelling an order by hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from hub.domain.decision import Decision, Verdict
from hub.domain.snapshot import Snapshot
from hub.exchange.verbs import Refused
from hub.oms.people import cancel_order, hold_order, release_order
from hub.oms.ports import Rules
from hub.runtime.hub import Hub


def _find(snapshot: Snapshot, reference: str) -> str:
    found = {str(row["id"]) for row in snapshot.rows("orders", {"id": reference})}
    for column in ("number", "external_id"):
        found |= {str(row["id"]) for row in snapshot.rows("orders", {column: (reference, f"#{reference}")}, limit=20)}
    if not found:
        raise Refused(f"There is no order {reference!r}")
    if len(found) > 1:
        raise Refused(f"{reference!r} fits several orders: {', '.join(sorted(found))}")
    return found.pop()


Verb = Callable[[Snapshot, Rules, dt.datetime, str, str, str, str], Decision]


def _do(hub: Hub, verb: Verb, who: str, reference: str, reason: str, words: str) -> dict[str, Any]:
    with hub.store.read() as snapshot:
        order = _find(snapshot, reference)
    cause = hub.ids.new("ac", hub.clock.now())
    decision = hub.commit_decision(
        lambda snapshot, now: verb(snapshot, hub.rules, now, cause, order, who, reason), cause
    )
    if decision.verdict is not Verdict.APPLIED:
        raise Refused(decision.message or f"{order} cannot be changed so")
    return {"order": order, "message": f"{order}: {decision.message or words}"}


def hold(hub: Hub, who: str, reference: str, reason: str) -> dict[str, Any]:
    return _do(hub, hold_order, who, reference, reason, "is held; nothing more of it is sent")


def release(hub: Hub, who: str, reference: str, reason: str) -> dict[str, Any]:
    return _do(hub, release_order, who, reference, reason, "goes on")


def cancel(hub: Hub, who: str, reference: str, reason: str) -> dict[str, Any]:
    return _do(hub, cancel_order, who, reference, reason, "is being cancelled")
