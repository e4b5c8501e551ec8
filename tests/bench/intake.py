"""`intake`: from a signed webhook to a durable receipt.

The hub runs whole, but the shop's orders are not among its streams: they are kept with their bytes and go no further,
so that nothing but the intake is measured. Two programs, one load: the floor takes the same requests in the same call.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.bench.measure import WalWatch, beside, cpu_seconds, process_line
from tests.bench.run import count, database_of, hooks_url, hub, run_load, served
from tests.bench.site import SHOP_SECRET, write_intake_site

WARM_UP = 100


def run(folder: Path, requests: int) -> dict[str, Any]:
    """The measured figures. Raises RuntimeError where a request that was answered is not in the database."""
    config = folder / "config"
    write_intake_site(config)
    with hub(folder, config) as process:
        run_load(hooks_url(process), WARM_UP, first=1)
        watch = WalWatch(database_of(process))
        before = cpu_seconds(process.pid)
        load = run_load(hooks_url(process), requests, first=1 + WARM_UP)
        cpu = cpu_seconds(process.pid) - before
        written = watch.end()
        line = process_line(process.pid, "hub run", cpu)
    stored = count(database_of(process), "SELECT COUNT(*) FROM receipts r JOIN bodies b ON b.id = r.body_id")
    check("the hub", stored=stored, answered=requests + WARM_UP)
    floor_cpu, floor_seconds = _floor(folder / "floor.db", requests)
    return {
        "name": "intake",
        "items": requests,
        "per_second": round(requests / load.seconds, 1),
        "cpu_us_per_item": round(cpu / requests * 1e6, 1),
        "floor_cpu_us_per_item": round(floor_cpu / requests * 1e6, 1),
        "cpu_ratio": round(cpu / floor_cpu, 2),
        "wall_seconds": load.seconds,
        "floor_wall_seconds": floor_seconds,
        "p50_ms": load.p50_ms,
        "p99_ms": load.p99_ms,
        "wal_bytes_per_item": round(written.wal_bytes / requests),
        "fsyncs_per_item": round(written.fsyncs / requests, 3),
        "durable": stored - WARM_UP,
        "processes": [line],
        "beside": beside(),
    }


def _floor(database: Path, requests: int) -> tuple[float, float]:
    """CPU and wall seconds of the floor for the same requests."""
    with served("floor_intake", "--database", str(database), "--secret", SHOP_SECRET) as (pid, said):
        url = f"http://127.0.0.1:{said['port']}/in/shop/orders/create"
        run_load(url, WARM_UP, first=1)
        before = cpu_seconds(pid)
        load = run_load(url, requests, first=1 + WARM_UP)
        cpu = cpu_seconds(pid) - before
    check("the floor", stored=count(database, "SELECT COUNT(*) FROM receipts"), answered=requests + WARM_UP)
    return cpu, load.seconds


def check(who: str, *, stored: int, answered: int) -> None:
    """Raises RuntimeError where a request that was answered 202 is not there after the kill."""
    if stored != answered:
        raise RuntimeError(f"{who} answered {answered} requests with 202 and kept {stored} after being killed")
