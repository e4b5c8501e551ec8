"""`hub demo`: everything on this machine, with emulated systems."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any

import click

from hub.cli.failure import FAILED, REFUSED, USAGE, Failure
from hub.cli.output import emit_json, emit_object, emit_table, json_option
from hub.runtime.place import Place

DEFAULT_ORDERS = 40
SEED = 7


def _say(words: str) -> None:
    click.echo(words, err=True)


class _Bar:
    """Progress on stderr: one line that is rewritten on a terminal, else one line when a stage is complete."""

    def __init__(self) -> None:
        self._last = ("", -1)
        self._open = False

    def __call__(self, what: str, done: int, whole: int) -> None:
        if (what, done) == self._last:
            return
        self._last = (what, done)
        if sys.stderr.isatty():
            filled = 24 * done // max(1, whole)
            click.echo(f"\r  {what:<8} {'━' * filled}{' ' * (24 - filled)} {done}/{whole}", nl=False, err=True)
            self._open = True
            if done == whole:
                self.end()
        elif done == whole:
            _say(f"  {what} {done}/{whole}")

    def end(self) -> None:
        if self._open:
            click.echo("", err=True)
            self._open = False


@click.command()
@click.option("--exit", "leave", is_flag=True, help="Return when the orders have settled (1 if they do not)")
@click.option(
    "--orders",
    type=click.IntRange(25, 900),
    default=DEFAULT_ORDERS,
    show_default=True,
    help="How many; the story comes first, ordinary orders fill up",
)
@click.option(
    "--scenario",
    "scenarios",
    multiple=True,
    metavar="NAME",
    help="One order a story instead, with its timeline; `all`, or `list` for their names. Can be given several times",
)
@click.option("--keep", is_flag=True, help="Go on with the data of the last demo instead of an empty start")
@click.option("--port", type=click.IntRange(1, 65535), help="The hub's port (default 8770, or the next free one)")
@json_option
@click.pass_obj
def demo(
    place: Place, leave: bool, orders: int, scenarios: tuple[str, ...], keep: bool, port: int | None, as_json: bool
) -> None:
    """The hub and emulated systems on this machine, and orders that go through them."""
    from hub.demo.processes import ProcessFailed
    from hub.demo.running import DemoLock, NotADemo, prepare_home, take_lock
    from hub.demo.stage import PortTaken, choose_port

    if "list" in scenarios:
        _list_scenarios(as_json)
        return
    wanted = _tales(scenarios, orders)
    demo_place = place if place.demo else Place(Place.of(None, None, True).config, place.home / "demo", True)
    lock = take_lock(demo_place.home)
    if not isinstance(lock, DemoLock):
        _running(lock, as_json)
        return
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.set())
    from hub.cli.session import database_of

    database = database_of(demo_place)
    try:
        prepare_home(demo_place.home, database=database, keep=keep)
        chosen = choose_port(port, _say)
        stories = bool(scenarios)
        _show(demo_place, lock, database, chosen, wanted, stopping, leave=leave, as_json=as_json, stories=stories)
    except PortTaken as error:
        raise Failure(f"{error} Take another with --port, or leave it out.", REFUSED) from error
    except NotADemo as error:
        raise Failure(f"{error}.", REFUSED) from error
    except ProcessFailed as error:
        raise Failure(f"The demo could not go on: {error}\nEverything it had started was ended.", FAILED) from error
    finally:
        lock.release()


def _tales(scenarios: tuple[str, ...], orders: int) -> list[Any]:
    """What is played: the whole story, or one order a scenario."""
    from hub.demo.scenarios import SCENARIOS, scenario_tales
    from hub.demo.story import tales

    if not scenarios:
        return list(tales(orders))
    unknown = [name for name in scenarios if name != "all" and name not in SCENARIOS]
    if unknown:
        raise Failure(f"There is no scenario {unknown[0]!r}. There are: all, {', '.join(SCENARIOS)}.", USAGE)
    return list(scenario_tales(scenarios))


def _list_scenarios(as_json: bool) -> None:
    from hub.demo.scenarios import SCENARIOS

    rows = [{"scenario": name, "what": "; ".join(tale.title for tale in told)} for name, told in SCENARIOS.items()]
    if as_json:
        emit_json(rows)
        return
    emit_table(rows, (("scenario", "SCENARIO"), ("what", "WHAT HAPPENS")), empty="No scenarios.")


def _running(facts: dict[str, Any], as_json: bool) -> None:
    """A demo runs already: say where."""
    if as_json:
        emit_object({"items": [], "running": facts})
        return
    _say(
        f"A demo runs already (process {facts.get('pid', '?')})" + ("." if "url" in facts else ", it is just starting.")
    )
    for name, link in facts.get("links", {}).items():
        click.echo(f"  {name:<10} {link}")


def _show(
    place: Place,
    lock: Any,
    database: str,
    port: int,
    wanted: list[Any],
    stopping: threading.Event,
    *,
    leave: bool,
    as_json: bool,
    stories: bool,
) -> None:
    from hub.demo.play import Interrupted, Play
    from hub.demo.report import order_items, stories_told, story_text, summary, text
    from hub.demo.stage import stage

    _say(f"Order Hub demo     data in {place.home}")
    with stage(place.home, place.config, seed=SEED, port=port, say=_say) as opened:
        links = {
            "dashboard": opened.url,
            "health": f"{opened.url}/healthz",
            "metrics": f"{opened.url}/metrics",
        }
        lock.write({"pid": os.getpid(), "url": opened.url, "home": str(place.home), "links": links})
        factor = max(1, len(wanted) // 50)
        _say(f"Goods              {opened.furnish(factor)} articles at 3 locations")
        bar = _Bar()
        _say(f"Sending {len(wanted)} orders")
        play = Play(opened, wanted, database=database, stopping=stopping, progress=bar)
        try:
            outcome = play.perform()
        except Interrupted:
            bar.end()
            raise KeyboardInterrupt from None
        bar.end()
        faults = {name: dict(system.status()["faults"]) for name, system in opened.systems.items()}
        found = summary(outcome, place.home, database, faults)
        told = stories_told(outcome, place.home, database) if stories else []
        if as_json:
            emit_json(order_items(outcome), summary=found, **({"stories": told} if stories else {}))
        else:
            for line in story_text(told):
                click.echo(line)
            for line in text(outcome, found, _command()):
                click.echo(line)
        for one in outcome.unsettled():
            _say(f"Not settled: {one.number} ({one.tale.title}): {one.missing}")
        if outcome.seen.busy:
            _say(f"Not settled: {', '.join(outcome.seen.busy)}")
        if leave:
            if not outcome.settled:
                raise click.exceptions.Exit(FAILED)
            return
        log_in = opened.url + str(opened.act("web.link")["path"])
        _stay(opened, {**links, "logged in": log_in}, stopping)
    _say(f"Stopped. The data are kept: `{_command()} --demo status` looks at them.")


def _command() -> str:
    """How the hub is called here: by its script where it is installed, else through the interpreter."""
    return "python3 -m hub" if sys.argv[0].endswith("__main__.py") else "hub"


def _stay(opened: Any, links: dict[str, str], stopping: threading.Event) -> None:
    for name, link in links.items():
        _say(f"  {name:<10} {link}")
    if os.environ.get("SSH_CONNECTION"):
        _say(f"  from your own machine: ssh -L {opened.hub.port}:127.0.0.1:{opened.hub.port} ...")
    _say("Ctrl-C stops it; the data are kept, the next demo starts from empty data (or --keep).")
    while not stopping.is_set():
        opened.check()
        stopping.wait(0.5)
