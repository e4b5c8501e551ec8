"""The floor of `flow`: one thread that writes the same rows and sends the same calls, and decides nothing.

    python -m tests.bench.floor_flow --source HUB.db --database NEW.db --calls calls.jsonl erp=URL east=URL ...

Reads what the hub wrote for its orders and what its targets got, then does it again by plain driver calls into a copy
of the schema with the hub's pragmas: batches of 50 orders, one commit for each of the hub's seven stages (stored,
parsed, captured, allocated, attempts started, settled, answers applied), rows first in their early state and then
updated as often as the hub changed them, calls by one requests Session a target. Claims are left out: they are the
hub's own. Prints CPU and wall seconds of that part alone; exits 1 where rows or calls are missing at the end.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import requests

try:
    from pysqlite3 import dbapi2 as sqlite3
except ImportError:
    import sqlite3

BATCH = 50
DURABLE = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")
PRAGMAS = (*DURABLE, "temp_store=MEMORY", "cache_size=-65536")
TIMEOUT_SECONDS = 10.0
STORED, PARSED, CAPTURED, ALLOCATED, STARTED, SETTLED, APPLIED = range(7)
INSERTED_IN = {"receipts": STORED, "messages": PARSED, "attempts": STARTED}
INSERTED_IN |= dict.fromkeys(("reservations", "sourcing_decisions", "fulfilment_orders", "deliveries"), ALLOCATED)
INSERTED_IN |= dict.fromkeys(("cross_references", "fact_keys"), APPLIED)  # every other table: CAPTURED
BODY_INSERTED_IN = {"receipt": STORED, "message": PARSED, "delivery": ALLOCATED, "reply": SETTLED}
EARLY = {"receipts": "pending", "messages": "stored", "tasks": "pending", "deliveries": "pending"}
UPDATED_IN = {"receipts": PARSED, "messages": APPLIED, "deliveries": SETTLED, "attempts": SETTLED}
UPDATED_IN |= {"tasks": ALLOCATED, "order_lines": ALLOCATED, "reservations": ALLOCATED, "fulfilment_orders": APPLIED}
"""Changed once after they were added; reservations stand for the two counters of stock that each of them moves."""
TOUCH = {
    "order_lines": "document = document",
    "attempts": "resolution = resolution",
    "fulfilment_orders": "document = document",
}


def read(path: str) -> tuple[list[str], dict[str, tuple[list[str], list[Any]]]]:
    source = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    schema = [row[0] for row in source.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")]
    names = [row[0] for row in source.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    rows = {}
    for name in names:
        found = source.execute(f'SELECT * FROM "{name}" ORDER BY rowid')
        rows[name] = ([column[0] for column in found.description], found.fetchall())
    return [sql for sql in schema if not sql.startswith("CREATE TABLE sqlite_")], rows


def insert(database: Any, table: str, columns: list[str], rows: list[Any]) -> None:
    marks = ", ".join("?" * len(columns))
    database.executemany(f'INSERT INTO "{table}" VALUES ({marks})', rows)


def part(rows: list[Any], batch: int, batches: int) -> list[Any]:
    return rows[len(rows) * batch // batches : len(rows) * (batch + 1) // batches]


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("--source", "--database", "--calls"):
        parser.add_argument(name, required=True)
    parser.add_argument("urls", nargs="+")
    args = parser.parse_args()
    urls = dict(url.split("=", 1) for url in args.urls)
    schema, tables = read(args.source)
    orders = len(tables["orders"][1])
    with Path(args.calls).open(encoding="utf-8") as file:
        calls = [json.loads(line) for line in file]
    database = sqlite3.connect(args.database, isolation_level=None)
    for pragma in PRAGMAS:
        database.execute(f"PRAGMA {pragma}")
    for sql in schema:
        database.execute(sql)
    flows = {name: kept for name, kept in tables.items() if len(kept[1]) >= orders}
    for name, (columns, rows) in tables.items():
        if name not in flows:
            insert(database, name, columns, rows)
    body_kind = tables["bodies"][0].index("owner_kind")
    sessions = {target: requests.Session() for target in urls}
    batches = max(1, -(-orders // BATCH))
    updates = sum(len(tables[name][1]) for name in UPDATED_IN) + 2 * orders
    started, cpu = time.perf_counter(), time.process_time()
    for batch in range(batches):
        work = {name: part(rows, batch, batches) for name, (_, rows) in flows.items()}
        for stage in range(7):
            if stage == SETTLED:
                for call in part(calls, batch, batches):
                    url = urls[call["target"]] + call["path"]
                    body = call["body"].encode()
                    answer = sessions[call["target"]].post(
                        url, data=body, headers=call["headers"], timeout=TIMEOUT_SECONDS
                    )
                    assert answer.status_code in (200, 201)
            database.execute("BEGIN IMMEDIATE")
            for name, rows in work.items():
                columns = flows[name][0]
                if name == "bodies":
                    rows = [row for row in rows if BODY_INSERTED_IN.get(row[body_kind], CAPTURED) == stage]
                elif INSERTED_IN.get(name, CAPTURED) != stage:
                    rows = []
                if rows and name in EARLY:
                    state = columns.index("state")
                    rows = [(*row[:state], EARLY[name], *row[state + 1 :]) for row in rows]
                if rows:
                    insert(database, name, columns, rows)
                if UPDATED_IN.get(name) == stage and name == "reservations":
                    sku, place = columns.index("sku"), columns.index("location")
                    shelves = [(row[sku], row[place]) for row in work[name]]
                    database.executemany("UPDATE stock SET firm = firm + 1 WHERE sku = ? AND location = ?", shelves)
                elif UPDATED_IN.get(name) == stage and name in EARLY:
                    state, key = columns.index("state"), columns.index("id")
                    states = [(row[state], row[key]) for row in work[name]]
                    database.executemany(f'UPDATE "{name}" SET state = ? WHERE id = ?', states)
                elif UPDATED_IN.get(name) == stage:
                    keys = [(row[columns.index("id")],) for row in work[name]]
                    database.executemany(f'UPDATE "{name}" SET {TOUCH[name]} WHERE id = ?', keys)
            if stage in (ALLOCATED, APPLIED):
                keys = [(row[flows["orders"][0].index("id")],) for row in work["orders"]]
                database.executemany("UPDATE orders SET version = version + 1, document = document WHERE id = ?", keys)
            database.execute("COMMIT")
    cpu, wall = time.process_time() - cpu, time.perf_counter() - started
    check = sqlite3.connect(args.database)
    for name, (_, rows) in tables.items():
        stored = check.execute(f'SELECT COUNT(*) FROM "{name}"').fetchone()[0]
        assert stored == len(rows), f"{name}: {stored} rows instead of {len(rows)}"
    for target, url in urls.items():
        assert requests.get(f"{url}/count", timeout=TIMEOUT_SECONDS).json()["calls"] == len(calls), target
    figures = {"orders": orders, "cpu_seconds": cpu, "wall_seconds": round(wall, 3), "commits": 7 * batches}
    figures["rows_per_order"] = round(sum(len(rows) for _, rows in flows.values()) / orders, 1)
    print(json.dumps({**figures, "updates_per_order": round(updates / orders, 1)}))


if __name__ == "__main__":
    main()
