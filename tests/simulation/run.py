"""One seed: scenario, crashes, settling, audit."""

from __future__ import annotations

import datetime as dt
import random
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hub.runtime.simulation import NeverSettles, Peer, Simulation
from hub.sdk.ports import Clock
from tests.simulation import flows as flow_site
from tests.simulation.audit import audit
from tests.simulation.money_audit import money_audit
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
    done: Counter[str] = field(default_factory=Counter)
    """Actions of people here that were possible, by name."""


def run_seed(seed: int, *, flows: bool = False) -> Outcome:
    """Play `seed`; whatever breaks is a problem of the outcome, never an exception. `flows`: at the site whose
    money the hub handles and whose goods come back."""
    weather = Weather.draw(random.Random(f"{seed}/weather"))
    source = random.Random(f"{seed}/scenario")
    makes: Callable[[Clock, random.Random], Sequence[Peer]]
    if flows:
        failing = flow_site.draw_faults(random.Random(f"{seed}/provider"))
        makes, made = (lambda clock, peers: flow_site.open_peers(weather, failing, clock, peers)), flow_site.settings()
    else:
        makes, made = (lambda clock, peers: open_peers(weather, clock, peers)), settings()
    setting = source.choice(made)
    setting.connection = settings()[0].connection
    simulation = Simulation(
        setting,
        seed,
        makes,
        crashes=source.choice((0, 2, 4, 6)),
        crash_gap=source.choice((20, 60, 150)),
        crash_at_call=source.choice((0.0, 0.02, 0.1)),
    )
    settings()[0].connection = setting.connection
    story = flow_site.Flows(simulation, source) if flows else Story(simulation, source)
    problems: list[str] = []
    try:
        story.write()
        story.play()
        calm(simulation.peers)
        simulation.plan.calm = True
        simulation.poll_every(7200.0)
        if isinstance(story, flow_site.Flows):
            # Goods that nobody collects stand ready for a while, which is nothing that a run waits for by itself.
            simulation.run_until(simulation.clock.now() + 2 * dt.timedelta(seconds=flow_site.COLLECT_WITHIN))
            story.settle_doubts()
        simulation.settle(LIMIT)
        story.count()
        simulation.settle(LIMIT)
        problems += audit(simulation, story)
        problems += money_audit(simulation) if flows else []
    except NeverSettles as error:
        problems.append(f"unsettled: {error}")
        problems += audit(simulation, story)
        problems += money_audit(simulation) if flows else []
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
    if isinstance(story, flow_site.Flows):
        outcome.done.update(story.done)
    simulation.close()
    return outcome
