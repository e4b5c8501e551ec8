"""How a command reaches the hub's data: readers open the database themselves, writing goes through its owner."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from hub.cli.failure import FAILED, REFUSED, UNREACHABLE, Failure
from hub.runtime.place import Place

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from hub.runtime.configuration import Loaded


def ask(place: Place, query: str, *arguments: Any, **named: Any) -> Any:
    """What a query of hub.cli.queries gives: from the database here, or from the API of the hub at --url."""
    if place.remote:
        from hub.cli.remote import RemotePlace
        from hub.cli.remote import ask as ask_there

        assert isinstance(place, RemotePlace)
        return ask_there(place, query, *arguments, **named)
    from hub.cli.queries import QUERIES

    with reading(place) as connection:
        return QUERIES[query](connection, *arguments, **named)


def load(place: Place) -> Loaded:
    """The configuration of this place. Raises Failure with every finding."""
    from hub.config.findings import ConfigErrors
    from hub.runtime.configuration import load_configuration

    try:
        return load_configuration(place.config, environment(place))
    except ConfigErrors as error:
        raise Failure(str(error), FAILED) from error


def environment(place: Place) -> dict[str, str]:
    """The process's environment, and what .env beside the configuration adds to it; the demo's own values stand in a
    file of its home, so that every command has them."""
    from hub.runtime.environment import with_env_file

    found = with_env_file(place.config, os.environ)
    if place.demo:
        from hub.demo.environment import read_environment

        found = {**read_environment(place.home), **found}
    return found


def database_of(place: Place) -> str:
    """The address of the database without loading more of the configuration than hub.yaml."""
    from hub.runtime.database import database_address

    return database_address(place.config, environment(place))


@contextmanager
def reading(place: Place) -> Iterator[Connection]:
    """A read-only connection. Raises Failure where there is no database yet."""
    from hub.runtime.database import is_postgres
    from hub.store.reading import NoDatabase, open_reading

    address = database_of(place)
    try:
        with open_reading(address, home=place.home) as connection:
            yield connection
    except NoDatabase as error:
        if is_postgres(address):
            raise Failure(f"The database cannot be reached: {str(error).strip()}", UNREACHABLE) from error
        raise Failure(
            f"There is no hub data in {place.home} yet ({error}). "
            "Start one with `hub run`, or try `hub demo` and then `hub --demo status`.",
            FAILED,
        ) from error


def owner_of(place: Place) -> int | None:
    """The process that owns the SQLite database now, None if nobody does or it is PostgreSQL."""
    from hub.runtime.database import is_postgres
    from hub.store.owner import owner_pid

    address = database_of(place)
    if is_postgres(address):
        return None
    return owner_pid(place.home / address)


def act(place: Place, action: str, **arguments: Any) -> dict[str, Any]:
    """Do something as a person: through the owner's control socket if one runs, else by opening the hub here."""
    with acting(place, mends=action == "config.apply") as do:
        return do(action, **arguments)


@contextmanager
def acting(place: Place, *, mends: bool = False) -> Iterator[Callable[..., dict[str, Any]]]:
    """`act` for several actions in a row, which opens the hub once where no owner runs. `mends`: what is done is about
    the configuration's faults."""
    if place.remote:
        from hub.cli.remote import RemotePlace
        from hub.cli.remote import act as act_there

        assert isinstance(place, RemotePlace)
        yield lambda action, **arguments: act_there(place, action, arguments)
        return
    from hub.runtime.control import ActionRefused, OwnerUnreachable, call_owner

    who = f"cli:{os.environ.get('USER') or os.environ.get('LOGNAME') or 'operator'}"
    if owner_of(place) is not None:

        def ask_owner(action: str, **arguments: Any) -> dict[str, Any]:
            try:
                return call_owner(place.home, action, {**arguments, "who": who})
            except OwnerUnreachable as error:
                words = f"The running hub does not answer: {error}. Nothing was done; try again."
                raise Failure(words, REFUSED) from error
            except ActionRefused as error:
                raise Failure(str(error), FAILED) from error

        yield ask_owner
        return
    from hub.app import loaded_or_last_good, opened_hub
    from hub.config.findings import ConfigErrors

    environ = environment(place)
    try:
        loaded, faults = loaded_or_last_good(place, environ)
    except ConfigErrors as error:
        raise Failure(f"{error}\nNothing was done.", FAILED) from error
    if faults is not None and not mends:
        click.echo("The configuration has faults (`hub config check`); this used the last good one.", err=True)
    with opened_hub(place, loaded, environ=environ) as hub:

        def do_here(action: str, **arguments: Any) -> dict[str, Any]:
            try:
                return hub.act(action, {**arguments, "who": who})
            except ActionRefused as error:
                raise Failure(str(error), FAILED) from error

        yield do_here
