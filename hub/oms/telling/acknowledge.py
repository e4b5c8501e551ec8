"""Late answers of systems that only took our document at first: ERP imports, functional acknowledgements."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hub.domain.decision import Decision, Incoming, Verdict
from hub.domain.snapshot import Snapshot
from hub.oms.ports import Rules
from hub.oms.telling.replies import handle_reply


def handle_acknowledgement(rules: Rules) -> Callable[[Incoming, Snapshot, dt.datetime], Decision]:
    """The handler of the stream `acknowledgements`: read as the reply to the delivery whose business key it names."""
    apply_reply = handle_reply(rules)

    def apply_acknowledgement(incoming: Incoming, snapshot: Snapshot, now: dt.datetime) -> Decision:
        said = incoming.record
        delivery = snapshot.row("deliveries", {"business_key": str(said["key"])})
        if delivery is None:
            message = "no delivery has this business key"
            return Decision(Verdict.WAITING, waits_for=f"delivery|{said['key']}", message=message)
        destination, capability = delivery["destination"], delivery["capability"]
        accepted = bool(said["accepted"])
        reply: dict[str, Any] = {"accepted": accepted}
        reply.update({name: said[name] for name in ("external_id", "reason") if name in said})
        record = {
            "delivery": delivery["business_key"],
            "capability": capability,
            "destination": destination,
            "key": delivery["business_key"].removeprefix(f"{destination}/{capability}/"),
            "resolution": "success" if accepted else "rejected",
            "order_id": delivery["order_id"],
            "reply": reply,
            "external_id": said.get("external_id"),
            "words": said.get("reason", ""),
        }
        return apply_reply(replace(incoming, record=record), snapshot, now)

    return apply_acknowledgement
