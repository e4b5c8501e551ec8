"""One seed: scenario, crashes, settling, audit."""

from __future__ import annotations

import datetime as dt
import random
import traceback
from collections import Counter
from dataclasses import dataclass, field

from hub.runtime.simulation import NeverSettles, Simulation
from tests.simulation.audit import audit
from tests.simulation.scenario import Story
from tests.simulation.site import Weather, calm, open_peers, settings

LIMIT = dt.timedelta(days=3)


@dataclass(slots=True)
class Outcome:
    """What a seed came to. `problems` is empty for a healthy hub; `trace` is enough to see what happened."""

    seed: int
    problems: list[str]
    trace: list[str]
    trace_hash: str
    orders: int
    commits: int
    crashes: int
    webhooks: int
    faults: Counter[str] = field(default_factory=Counter)


def run_seed(seed: int) -> Outcome:
    """Play `seed`; whatever breaks is a problem of the outcome, never an exception."""
    weather = Weather.draw(random.Random(f"{seed}/weather"))
    source = random.Random(f"{seed}/scenario")
    setting = source.choice(settings())
    setting.connection = settings()[0].connection
    simulation = Simulation(
        setting,
        seed,
        lambda clock, peers: open_peers(weather, clock, peers),
        crashes=source.choice((0, 2, 4, 6)),
        crash_gap=source.choice((20, 60, 150)),
        crash_at_call=source.choice((0.0, 0.02, 0.1)),
    )
    settings()[0].connection = setting.connection
    story = Story(simulation, source)
    problems: list[str] = []
    try:
        story.write()
        story.play()
        calm(simulation.peers)
        simulation.plan.calm = True
        simulation.poll_every(7200.0)
        simulation.settle(LIMIT)
        story.count()
        simulation.settle(LIMIT)
        problems += audit(simulation, story)
    except NeverSettles as error:
        problems.append(f"unsettled: {error}")
        problems += audit(simulation, story)
    except Exception:  # noqa: BLE001 - a seed that breaks the hub is a finding, and the next one must run
        problems.append(traceback.format_exc())
    outcome = Outcome(
        seed,
        problems,
        simulation.trace,
        simulation.trace_hash(),
        len(story.orders),
        simulation.plan.commits,
        simulation.plan.crashes,
        simulation.delivered,
    )
    for peer in simulation.peers:
        outcome.faults.update(peer.emulator.ledger.faults())
    simulation.close()
    return outcome
