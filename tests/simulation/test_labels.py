"""Seeds of the site whose labels the hub buys: crashes, faults, cancels; each label once, each cent found."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import pytest

from hub.runtime.simulation import Simulation
from hub.sdk.emulator import Faults
from tests.simulation import cli
from tests.simulation.audit import audit
from tests.simulation.labels import labels_audit, open_peers, setting
from tests.simulation.scenario import Story
from tests.simulation.site import HOSTS, LOCATIONS, SKUS, WMS, Weather, calm

DAY = dt.timedelta(days=1)
QUIET = Weather(
    {name: {} for name in HOSTS},
    {"labels": "hub", "acknowledge_seconds": "1", "pack_seconds": "2", "ship_seconds": "5", "packages": "2"},
    {"acceptance": "booked", "queue_seconds": "1"},
)


def run(
    seed: int, weather: Weather, faults: Faults, *, crashes: int = 0, chance: bool = False
) -> tuple[Simulation, Story]:
    cli.quiet()
    simulation = Simulation(
        setting(),
        seed,
        lambda clock, source: open_peers(weather, faults, clock, source),
        crashes=crashes,
        crash_at_call=0.02 if crashes else 0.0,
    )
    story = Story(simulation, random.Random(seed))
    if chance:
        story.write()
    else:
        rows = [{"warehouse": place, "sku": sku, "quantity": "5"} for place in LOCATIONS for sku in SKUS]
        story.ask(WMS, "set_stock", {"rows": rows})
        story.count()
    return simulation, story


def finish(simulation: Simulation, story: Story) -> list[str]:
    story.play()
    calm(simulation.peers)
    simulation.poll_every(7200.0)
    # A carrier that gave no rates is asked again after five minutes, which is nothing that a run waits for by itself.
    simulation.run_until(simulation.clock.now() + dt.timedelta(minutes=20))
    simulation.settle(DAY)
    story.count()
    simulation.settle(DAY)
    return [*audit(simulation, story), *labels_audit(simulation)]


def rows(simulation: Simulation, sql: str) -> list[tuple[Any, ...]]:
    return list(simulation.database.connection.execute(sql).fetchall())


def test_an_order_leaves_in_two_boxes_with_two_labels_and_arrives() -> None:
    simulation, story = run(1, QUIET, Faults())
    lines = [{"sku": sku, "quantity": 1, "price": "10.00"} for sku in SKUS[:2]]
    placed = story.ask("shop", "place", {"lines": lines})
    assert placed is not None
    story.orders.append(str(placed["name"]))
    assert finish(simulation, story) == []
    assert rows(simulation, "SELECT state, COUNT(*) FROM labels GROUP BY state") == [("bought", 2)]
    assert rows(simulation, "SELECT state, COUNT(*) FROM packages GROUP BY state") == [("delivered", 2)]
    assert rows(simulation, "SELECT SUM(delivered) FROM order_lines") == [(2_000_000,)]
    told = rows(simulation, "SELECT state FROM deliveries WHERE capability IN ('send_label', 'push_shipment')")
    assert {state for (state,) in told} == {"acknowledged"}


@pytest.mark.parametrize("seed", range(10))
def test_whatever_crashes_and_fails_no_label_is_bought_twice_and_no_cent_is_lost(seed: int) -> None:
    source = random.Random(seed)
    weather = Weather.draw(source)
    weather.warehouse["labels"] = "hub"  # type: ignore[index]
    faults = Faults(
        error_before=0.1,
        error_after=0.1,
        drop_after=0.1,
        late_commit=0.08,
        throttle=0.05,
        lookup_lag_seconds=source.choice((0.0, 2.0)),
        duplicate_webhook=0.3,
        reorder_webhook=0.4,
        lose_webhook=0.2,
    )
    simulation, story = run(seed, weather, faults, crashes=4, chance=True)
    assert finish(simulation, story) == []
