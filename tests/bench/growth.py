"""`growth`: what an order costs, and what people's lists take, in a database of many orders beside an empty one.

Orders are taken in this process (inside.py), then copied as often as it needs (grow.py; about a millisecond an order),
and as many are taken again. A run alone, in one process, shows what depends on the number of orders, not what a hub
manages. Lists are timed on the second look.
"""

from __future__ import annotations

import datetime as dt
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from hub.store.reading import open_reading
from hub.views import dashboard, fulfilment, intake, orders, risk, work
from tests.bench.grow import grow
from tests.bench.inside import InsideHub, inside
from tests.bench.measure import WalWatch, beside

BATCH = 8
MOST_BATCHES = 25
Look = Callable[[Connection], Any]
LISTS: dict[str, Look] = {
    "orders": orders.list_orders,
    "orders by status": lambda c: orders.list_orders(c, status="confirmed"),
    "orders of a channel": lambda c: orders.list_orders(c, channel="shop"),
    "an order by its channel's id": lambda c: orders.find_order(c, "5000000001"),
    "an order nobody knows": lambda c: dashboard.search(c, "nobody-knows-this"),
    "receipts": intake.list_receipts,
    "receipts that cannot be read": lambda c: intake.list_receipts(c, state="unparsable"),
    "receipts of a connection": lambda c: intake.list_receipts(c, of="nobody"),
    "messages": intake.list_messages,
    "messages parked": lambda c: intake.list_messages(c, state="parked"),
    "messages of a connection": lambda c: intake.list_messages(c, of="nobody"),
    "deliveries open": work.list_deliveries,
    "deliveries of a destination": lambda c: work.list_deliveries(c, destination="erp"),
    "exceptions": work.list_exceptions,
    "work at the locations": fulfilment.list_work,
    "at risk": lambda c: risk.list_at_risk(c, dt.datetime.now(dt.UTC)),
    "last read": dashboard.last_read,
    "counted: by state": work.counts,
    "counted: by destination": work.deliveries_by_destination,
    "counted: by hour": lambda c: dashboard.hours(c, dt.datetime.now(dt.UTC), 24),
}
"""What `counted:` begins counts rows of an index one by one, so it grows with them; nothing else may."""


def run(folder: Path, wanted: int) -> dict[str, Any]:
    """`wanted` orders in the large database, rounded up to whole copies of what was taken."""
    batches = min(MOST_BATCHES, max(1, wanted // 200))
    with inside(folder) as hub:
        small = _measured(hub, batches)
        taken = hub.taken
    small["lists_ms"] = _lists(folder)
    count = grow(folder / "home" / "hub.db", max(1, -(-wanted // taken) - 1))
    with inside(folder, taken) as hub:
        large = _measured(hub, batches)
    large["lists_ms"] = _lists(folder)
    return {
        "name": "growth",
        "items": count,
        "cpu_ratio": round(large["cpu_us_per_item"] / small["cpu_us_per_item"], 2),
        "wal_ratio": round(large["wal_bytes_per_order"] / small["wal_bytes_per_order"], 2),
        "small": {"orders": taken, **small},
        "large": {"orders": count, **large},
        "beside": beside(),
    }


def words(item: dict[str, Any]) -> str:
    small, large = item["small"], item["large"]
    lists = [
        f"{name}: {large['lists_ms'][name]:g} ms, was {before:g}"
        for name, before in small["lists_ms"].items()
        if large["lists_ms"][name] > 10
    ]
    head = (
        f"growth: {large['cpu_us_per_item']:g} us an order among {large['orders']}, {small['cpu_us_per_item']:g} "
        f"among {small['orders']}: {item['cpu_ratio']:g} times; bytes of the log {item['wal_ratio']:g} times"
    )
    return "\n  ".join((head, *(lists or ("no list takes more than 10 ms",))))


def _measured(hub: InsideHub, batches: int) -> dict[str, Any]:
    """The median batch counts: what else runs here makes single ones slow."""
    hub.take(BATCH)
    watch = WalWatch(hub.database)
    cpu = []
    for _ in range(batches):
        before = time.process_time()
        hub.take(BATCH)
        cpu.append((time.process_time() - before) / BATCH)
    written = watch.end()
    return {
        "cpu_us_per_item": round(statistics.median(cpu) * 1e6, 1),
        "wal_bytes_per_order": round(written.wal_bytes / (BATCH * batches)),
    }


def _lists(folder: Path) -> dict[str, float]:
    """Milliseconds of each list."""
    took = {}
    with open_reading("hub.db", home=folder / "home") as connection:
        for name, look in LISTS.items():
            look(connection)
            before = time.perf_counter()
            look(connection)
            took[name] = round((time.perf_counter() - before) * 1000, 1)
    return took
