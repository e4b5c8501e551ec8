"""`hub completion`: what a shell needs to complete commands, options and values."""

from __future__ import annotations

import sys

import click

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_HUB_COMPLETE"
WHERE = {
    "bash": "~/.bashrc (bash 4.4 or newer)",
    "zsh": "~/.zshrc, after compinit",
    "fish": "~/.config/fish/completions/hub.fish",
}


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the completion of SHELL, for `eval` or a file: eval "$(hub completion bash)"."""
    from click.shell_completion import get_completion_class

    from hub.cli.main import hub

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(hub, {}, "hub", VARIABLE).source())
    if sys.stdout.isatty():
        click.echo(f"To keep it, put this into {WHERE[shell]}.", err=True)
