"""`flow`: from a signed webhook to three delivered calls and their applied answers; docs in site.py.

Orders are offered at a fixed rate while the hub works, so that the webhook's answer times are those of a busy hub.
"""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

from hub.demo.processes import HubProcess, compiled_environment
from tests.bench.measure import WalWatch, beside, cpu_seconds, process_line
from tests.bench.run import count, database_of, hooks_url, hub, program, run_load, served, wait_until
from tests.bench.site import ERP, furnish, warehouses, write_flow_site

WARM_UP = 50
_DELIVERED = "SELECT COUNT(*) FROM deliveries WHERE state = 'acknowledged'"
_ANSWERED = "SELECT COUNT(*) FROM messages WHERE stream = 'replies' AND state = 'applied'"
FLOOR_TIMEOUT_SECONDS = 600.0


def run(folder: Path, orders: int, per_second: float, calls: int = 3) -> dict[str, Any]:
    """The measured figures. Raises RuntimeError where something that was answered or sent is not in the database."""
    config, record = folder / "config", folder / "calls.jsonl"
    with served("sink", "--targets", ",".join((ERP, *warehouses(calls))), "--record", str(record)) as (_, said):
        write_flow_site(config, said["ports"], calls)
        with hub(folder, config) as process:
            furnish(process.port, calls)
            _stock_is_known(process, calls)
            run_load(hooks_url(process), WARM_UP, first=1, assortments=calls - 1)
            _wait_for(process, WARM_UP, calls)
            watch = WalWatch(database_of(process))
            before, started = cpu_seconds(process.pid), time.monotonic()
            load = run_load(hooks_url(process), orders, first=1 + WARM_UP, per_second=per_second, assortments=calls - 1)
            _wait_for(process, WARM_UP + orders, calls)
            wall = time.monotonic() - started
            cpu = cpu_seconds(process.pid) - before
            written = watch.end()
            line = process_line(process.pid, "hub run", cpu)
        check(_counted(database_of(process)), at_targets=_at_targets(record), orders=WARM_UP + orders, calls=calls)
    floor = _floor(folder, database_of(process), record, calls)
    return {
        "name": "flow" if calls == 3 else "flow-four",
        "items": orders,
        "per_second": round(orders / wall, 1),
        "offered_per_second": per_second,
        "cpu_us_per_item": round(cpu / orders * 1e6, 1),
        "floor_cpu_us_per_item": round(floor["cpu_seconds"] / floor["orders"] * 1e6, 1),
        "cpu_ratio": round((cpu / orders) / (floor["cpu_seconds"] / floor["orders"]), 2),
        "wall_seconds": round(wall, 3),
        "floor_wall_seconds": floor["wall_seconds"],
        "p50_ms": load.p50_ms,
        "p99_ms": load.p99_ms,
        "calls_per_order": calls,
        "wal_bytes_per_order": round(written.wal_bytes / orders),
        "fsyncs_per_order": round(written.fsyncs / orders, 3),
        "rows_per_order": floor["rows_per_order"],
        "updates_per_order": floor["updates_per_order"],
        "processes": [line],
        "beside": beside(),
    }


def _stock_is_known(process: HubProcess, calls: int) -> None:
    shelves = sum(len(skus) for skus in warehouses(calls).values())
    _until(process, "SELECT COUNT(*) FROM stock WHERE on_hand > 0", shelves, "the warehouses' counts")


def _wait_for(process: HubProcess, orders: int, calls: int) -> None:
    _until(process, _ANSWERED, orders * calls, f"{orders} orders delivered and answered")


def _until(process: HubProcess, sql: str, wanted: int, what: str) -> None:
    wait_until(lambda: count(database_of(process), sql) >= wanted, what, lambda: process.alive)


def _counted(database: Path) -> dict[str, int]:
    """What stands in the database of the hub that was killed."""
    return {
        "receipts": count(database, "SELECT COUNT(*) FROM receipts WHERE connection = 'shop' AND state = 'parsed'"),
        "orders": count(database, "SELECT COUNT(*) FROM orders WHERE status = 'confirmed'"),
        "deliveries": count(database, _DELIVERED),
    }


def _at_targets(record: Path) -> int:
    """Different calls that the targets got."""
    with record.open(encoding="utf-8") as calls:
        return len({(call["target"], call["body"]) for call in map(json.loads, calls)})


def check(found: dict[str, int], *, at_targets: int, orders: int, calls: int = 3) -> None:
    """Raises RuntimeError where something that was answered or sent is missing, or there is too much of it."""
    wanted = {"receipts": orders, "orders": orders, "deliveries": orders * calls}
    if found != wanted or at_targets != wanted["deliveries"]:
        raise RuntimeError(f"after the kill there are {found} and {at_targets} calls at the targets, not {wanted}")


def _floor(folder: Path, database: Path, record: Path, calls: int) -> dict[str, Any]:
    """The floor's own figures; it sends to sinks of its own, which must have got everything."""
    with served("sink", "--targets", ",".join((ERP, *warehouses(calls)))) as (_, said):
        urls = [f"{target}=http://127.0.0.1:{port}" for target, port in said["ports"].items()]
        arguments = ["--source", str(database), "--database", str(folder / "floor.db"), "--calls", str(record)]
        done = subprocess.run(
            program("floor_flow", *arguments, *urls),
            env=compiled_environment(),
            stdout=subprocess.PIPE,
            timeout=FLOOR_TIMEOUT_SECONDS,
            check=True,
        )
    floor: dict[str, Any] = json.loads(done.stdout)
    return floor
