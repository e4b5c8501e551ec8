"""`hub`: finds the command, loads only its module, turns errors into words and exit codes.

Exit codes: 0 done, 1 something failed or a check found errors, 2 usage, 4 unreachable, 5 refused, 70 bug,
130 interrupted. stdout is data, stderr is messages.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from hub import __version__
from hub.cli.failure import Failure, failure_of
from hub.runtime.place import Place

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("hub.cli.demo:demo", "Run everything on this machine with emulated systems"),
    "init": ("hub.cli.init:init", "Write a configuration to begin with"),
    "run": ("hub.cli.run:run", "Run the hub: web, scheduler and workers"),
    "dashboard": ("hub.cli.dashboard:dashboard", "Print a link that logs a browser in"),
    "status": ("hub.cli.status:status", "What is running and what waits"),
    "orders": ("hub.cli.orders:orders", "List orders, show one and why it went where it went"),
    "returns": ("hub.cli.returns:returns", "Goods that come back: ask, receive, inspect, refund"),
    "reports": ("hub.cli.reports:reports", "The accounting journal, as CSV or JSON"),
    "events": ("hub.cli.events:events", "What happened, as others can follow it"),
    "exceptions": ("hub.cli.exceptions:exceptions", "What needs a person: list, show, retry, resolve, assign"),
    "deliveries": ("hub.cli.deliveries:deliveries", "Outgoing calls: list, show, settle unknown outcomes"),
    "edi": ("hub.cli.edi:edi", "Files and interchanges of partners: inspect, validate, list, resend"),
    "packages": ("hub.cli.packages:packages", "Packages on their way, their labels and what those cost"),
    "work": ("hub.cli.work:work", "Work of locations: pick, pack, send, put ready, hand over, receive"),
    "inventory": ("hub.cli.inventory:inventory", "Stock by SKU and location, and what is promised"),
    "payments": ("hub.cli.payments:payments", "Payments of orders, payouts and what they pay for"),
    "ingest": ("hub.cli.ingest:ingest", "Feed files to a connection as if they had arrived"),
    "import": ("hub.cli.imports:imports", "Import items, stock, orders and cross-references"),
    "jobs": ("hub.cli.jobs:jobs", "Imports and how far each is: list, show, cancel"),
    "verify": ("hub.cli.verify:verify", "Recompute the promises from the journals"),
    "keys": ("hub.cli.keys:keys", "Keys of the API: create, list, revoke"),
    "config": ("hub.cli.config:config", "Check, show and apply the configuration"),
    "mapping": ("hub.cli.mapping:mapping", "Try and test mappings"),
    "connectors": ("hub.cli.connectors:connectors", "Kinds of systems the hub can talk to"),
    "connections": ("hub.cli.connections:connections", "Configured instances: list, check, pause, resume"),
    "db": ("hub.cli.database:database", "Upgrade the database"),
    "completion": ("hub.cli.completion:completion", "Complete commands in bash, zsh or fish"),
    "version": ("hub.cli.status:version", "Versions of the hub and what it stands on"),
    "test": ("hub.cli.checkout:test", "Run the test suite (in a checkout)"),
    "bench": ("hub.cli.checkout:bench", "Measure speed against bare floors (in a checkout)"),
    "chaos": ("hub.cli.checkout:chaos", "Kill and misbehave, then audit the promises (in a checkout)"),
    "simulation": ("hub.cli.checkout:simulation", "Run seeded simulations of the whole hub (in a checkout)"),
}

REMOTE = frozenset(
    {
        "orders",
        "events",
        "exceptions",
        "deliveries",
        "inventory",
        "payments",
        "work",
        "returns",
        "connections",
        "status",
        "verify",
        "keys",
    }
)
"""Commands that --url is for; HUB_URL is nothing to the others."""


class LazyGroup(click.Group):
    """Knows names and one-line helps; a module is imported when its command runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, name = entry[0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names and helps as they stand here: completing must not load every command."""
        from click.shell_completion import CompletionItem

        found = [CompletionItem(name, help=text) for name, (_, text) in COMMANDS.items() if name.startswith(incomplete)]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS:
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, 1, 0.7)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"There is no command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", "config_folder", envvar="HUB_CONFIG", help="Folder of the configuration (default ./config)")
@click.option("--home", envvar="HUB_HOME", help="Folder of the hub's own data (default ./.hub)")
@click.option("--url", envvar="HUB_URL", help="Ask the hub that runs there, through its API")
@click.option("--token", envvar="HUB_TOKEN", help="Key for --url, as `hub keys create` made it")
@click.option("--demo", "of_demo", is_flag=True, help="Look at the demo's configuration and data")
@click.version_option(__version__, prog_name="hub")
@click.pass_context
def hub(
    ctx: click.Context, config_folder: str | None, home: str | None, url: str | None, token: str | None, of_demo: bool
) -> None:
    """Order Hub: orders from every channel, once, to every system that needs them."""
    place = Place.of(config_folder, home, of_demo)
    ctx.obj = place
    if not url:
        return
    if ctx.invoked_subcommand in REMOTE:
        from hub.cli.remote import RemotePlace

        ctx.obj = RemotePlace(place.config, place.home, False, url, token or "")
    elif ctx.get_parameter_source("url") is ParameterSource.COMMANDLINE:
        raise click.UsageError(f"`hub {ctx.invoked_subcommand}` works on this machine only: leave --url out.")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code and never lets a traceback reach a user unasked."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        result: Any = hub.main(args=arguments, prog_name="hub", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except Failure as failure:
        click.echo(str(failure), err=True)
        return failure.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except Exception as error:  # noqa: BLE001 - the last line of defence: a bug is reported as one
        known = failure_of(error)
        if known is not None:
            click.echo(str(known), err=True)
            return known.exit_code
        click.echo(
            f"This is a bug in Order Hub: {type(error).__name__}: {error}\n"
            "What you asked for was not done or only in part; data already stored is safe. "
            "Run again with HUB_TRACEBACK=1 and report what it prints.",
            err=True,
        )
        import os

        if os.environ.get("HUB_TRACEBACK"):
            traceback.print_exc()
        return 70
