"""Commands that only a checkout has; the bootstrap runs them before click is reached, so here they are only named."""

from __future__ import annotations

import click

from hub.cli.failure import REFUSED, Failure


def _only_in_a_checkout(name: str) -> click.Command:
    @click.command(name, context_settings={"ignore_unknown_options": True})
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def command(arguments: tuple[str, ...]) -> None:
        raise Failure(
            f"`hub {name}` needs a checkout of Order Hub: clone it and run `python3 -m hub {name}` there.", REFUSED
        )

    return command


test = _only_in_a_checkout("test")
bench = _only_in_a_checkout("bench")
chaos = _only_in_a_checkout("chaos")
simulation = _only_in_a_checkout("simulation")
