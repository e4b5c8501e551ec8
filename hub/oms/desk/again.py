"""The canonical record of a call, made once more from the order as it stands now.

A call that was refused keeps the bytes that were refused. Whoever corrects what was wrong (the order, the mapping, the
configuration) and sends it as a new one means what is right now.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from hub.domain.snapshot import Snapshot
from hub.oms.desk.load import open_case
from hub.oms.ports import Rules
from hub.oms.telling.outgoing import Record, posted_record, work_record


def record_now(rules: Rules, snapshot: Snapshot, now: dt.datetime, delivery: Mapping[str, Any]) -> Record | None:
    """For a delivery's row; None where its call states what has happened (a shipment, an invoice, a cancellation):
    that does not change, nor what is said of it."""
    case = open_case(snapshot, rules, now, str(delivery["id"]), delivery["order_id"]) if delivery["order_id"] else None
    if case is None:
        return None
    prefix = f"{delivery['destination']}/{delivery['capability']}/"
    key = str(delivery["business_key"]).removeprefix(prefix).split("#", 1)[0]
    match delivery["capability"]:
        case "submit_order" | "update_order":
            return posted_record(case, key)
        case "send_fulfilment_request":
            work = next((work for work in case.work if work.id == delivery["aggregate"]), None)
            return None if work is None else work_record(case, work, key)
    return None
