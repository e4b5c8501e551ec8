"""`hub run`: the hub itself."""

from __future__ import annotations

import logging
import sys

import click

from hub.cli.failure import REFUSED, UNREACHABLE, Failure
from hub.cli.session import environment, load
from hub.runtime.place import Place

ROLES = ("web", "worker", "scheduler")


@click.command()
@click.option("--only", "only", multiple=True, type=click.Choice(ROLES), help="Run a part of it (PostgreSQL only)")
@click.option("--host", help="Address to listen on instead of hub.yaml's")
@click.option("--port", type=click.IntRange(0, 65535), help="Instead of hub.yaml's; 0 takes a free one")
@click.option("--senders", type=click.IntRange(1, 256), default=8, show_default=True, help="Threads that send")
@click.pass_obj
def run(place: Place, only: tuple[str, ...], host: str | None, port: int | None, senders: int) -> None:
    """Web, scheduler and workers in one process; with --only a part of them, for several processes on PostgreSQL."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    loaded = load(place)
    if only and not loaded.bundle.hub.database.startswith("postgres"):
        raise Failure(
            "--only needs PostgreSQL: a SQLite database has one owner, which does everything. "
            "Set `database: postgresql://...` in hub.yaml, or leave --only out.",
            REFUSED,
        )
    from hub.app import Server, Serving
    from hub.exchange.ports import StoreUnavailable
    from hub.store.owner import OwnerRunning

    web = loaded.bundle.hub.web
    serving = Serving(host or web.host, web.port if port is None else port, only or ROLES, senders)
    try:
        Server(place, loaded, environment(place), serving).run()
    except OwnerRunning as error:
        raise Failure(f"Another hub runs on this data: {error}.", REFUSED) from error
    except StoreUnavailable as error:
        raise Failure(f"The database cannot be used: {error}", UNREACHABLE) from error
    except OSError as error:
        raise Failure(f"Cannot listen on {serving.host}:{serving.port}: {error.strerror or error}", REFUSED) from error
