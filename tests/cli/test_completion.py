"""What a shell is told when somebody presses the tabulator."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
from unittest import mock

import pytest

from hub.cli.main import COMMANDS, main


def completed(words: str) -> list[str]:
    """What would be offered after these words; the last one may be half a word."""
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, "utf-8", write_through=True)
    environ = {"_HUB_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    with mock.patch.dict(os.environ, environ), contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        main([])
    return [line.partition(",")[2] for line in raw.getvalue().decode().splitlines()]


def test_commands_are_completed() -> None:
    assert completed("hub or") == ["orders"]
    assert set(completed("hub ")) == set(COMMANDS)


def test_verbs_options_and_values_are_completed() -> None:
    assert completed("hub orders s") == ["show"]
    assert "--channel" in completed("hub orders list --")
    assert completed("hub orders list --status c") == ["confirmed", "closed", "cancelled"]
    assert "--url" in completed("hub --")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_given_its_own_script(shell: str) -> None:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main(["completion", shell]) == 0
    assert "_HUB_COMPLETE" in out.getvalue()
    program = shutil.which(shell)
    if program is not None:
        checked = subprocess.run(
            [program, "-n"], input=out.getvalue(), text=True, capture_output=True, timeout=20, check=False
        )
        assert checked.returncode == 0, checked.stderr
