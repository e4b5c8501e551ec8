"""What was answered for is there after kill -9; what was not may be, or not, but never half."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable

import pytest

from tests.conftest import Database, SettableClock

HUB = """
    import datetime as dt, random, sys, threading
    from decimal import Decimal
    from pathlib import Path
    from hub.domain.ids import IdSource
    from hub.domain.writeset import StockChange
    from hub.store.clock import SystemClock
    from hub.store.open import open_store
    from tests.store.build import event, inserts, receipt, stock

    store = open_store(sys.argv[1], home=Path(sys.argv[2]), clock=SystemClock(), ids=IdSource(random.Random()))
    lock = threading.Lock()

    def say(*words):
        with lock:
            sys.stdout.write(" ".join(words) + chr(10))
            sys.stdout.flush()

    def webhooks(name):
        number = 0
        while True:
            delivery = f"{name}-{number}"
            accepted = store.accept_soon(receipt(delivery, delivery.encode())).result()
            say("receipt", accepted.id, delivery)
            number += 1

    def orders():
        number = 0
        while True:
            writes = stock(on_hand=Decimal(1))
            writes.extend(inserts("events", event(f"ev-{number:06}")))
            outcomes = store.apply([writes])
            say("event", f"ev-{number:06}", outcomes[0].applied.value)
            number += 1

    for work in (lambda: webhooks("a"), lambda: webhooks("b"), lambda: webhooks("c"), orders):
        threading.Thread(target=work, daemon=True).start()
    threading.Event().wait(60)
"""


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_kill_9_loses_nothing_that_was_answered_for(
    kind: str, make_database: Callable[[str], Database], clock: SettableClock
) -> None:
    database = make_database(kind)
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HUB), database.address, str(database.home)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(150)]
    process.send_signal(signal.SIGKILL)
    said += process.stdout.readlines()  # what was still in the pipe was answered for, too
    process.wait(10)
    process.stdout.close()

    told = [line.split() for line in said if line.endswith("\n")]
    receipts = {words[1]: words[2] for words in told if words[0] == "receipt"}
    events = {words[1] for words in told if words[0] == "event" and words[2] == "applied"}
    assert len(receipts) > 20
    assert len(events) > 5

    store = database.open(clock)
    with store.read() as snapshot:
        stored = {row["id"]: row for row in snapshot.rows("receipts", {})}
        assert {receipt: stored[receipt]["delivery_id"] for receipt in receipts} == receipts
        for row in stored.values():
            assert snapshot.body(row["body_id"]) == row["delivery_id"].encode()
        written = {row["id"] for row in snapshot.rows("events", {})}
        stock = snapshot.row("stock", {"sku": "SKU-1", "location": "east"})
    assert events <= written
    assert stock is not None
    assert stock["on_hand"] == len(written)
