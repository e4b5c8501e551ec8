"""A webhook that an emulated system sends twice is two deliveries: each settles by itself."""

from __future__ import annotations

import datetime as dt
import json
import random

import pytest

from hub.sdk.emulator import EmulatedRequest, Emulator, Faults, Ledger
from hub.sdk.emulator_server import load
from tests.conftest import SettableClock


def doubling(emulator: str, clock: SettableClock, config: dict[str, str]) -> Emulator:
    faults = Faults(duplicate_webhook=1.0, redeliver_seconds=0.0)
    return load(emulator)(ledger=Ledger(":memory:"), clock=clock, source=random.Random(1), faults=faults, config=config)


@pytest.mark.parametrize("answers", [(202, None, 202), (None, 202, 202)])
def test_both_deliveries_of_a_doubled_webhook_end(answers: tuple[int | None, ...], clock: SettableClock) -> None:
    emulator = doubling("connectors.wms_rest.emulator:WmsEmulator", clock, {})
    for verb, asked in (
        ("set_stock", {"warehouse": "EAST", "sku": "TEE", "quantity": "3"}),
        ("snapshot", {"warehouse": "EAST"}),
    ):
        emulator.handle(EmulatedRequest("POST", f"/_control/{verb}", {}, {}, json.dumps(asked).encode()))
    left = list(answers)
    for _ in range(5):
        clock.set(clock.now() + dt.timedelta(seconds=1))
        for outgoing in reversed(emulator.due(clock.now())):
            emulator.settled(outgoing, left.pop(0))
    assert emulator.waiting() == 0
