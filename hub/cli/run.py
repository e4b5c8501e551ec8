"""`hub run`: the hub itself."""

from __future__ import annotations

import logging
import sys

import click

from hub.cli.failure import FAILED, REFUSED, Failure
from hub.cli.session import database_of, environment
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
    for noisy in ("apscheduler", "alembic.runtime.plugins"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    from hub.app import CannotListen, Server, Serving, loaded_or_last_good
    from hub.config.findings import ConfigErrors
    from hub.runtime.database import is_postgres

    if only and not is_postgres(database_of(place)):
        raise Failure(
            "--only needs PostgreSQL: a SQLite database has one owner, which does everything. "
            "Set `database: postgresql://...` in hub.yaml, or leave --only out.",
            REFUSED,
        )
    environ = environment(place)
    try:
        loaded, faults = loaded_or_last_good(place, environ)
        web = loaded.bundle.hub.web
        serving = Serving(host or web.host, web.port if port is None else port, only or ROLES, senders)
        Server(place, loaded, environ, serving, faults).run()
    except ConfigErrors as error:
        raise Failure(f"{error}\nNothing was started.", FAILED) from error
    except CannotListen as error:
        raise Failure(f"{error}. Take another with --port, or 0 for a free one.", REFUSED) from error
