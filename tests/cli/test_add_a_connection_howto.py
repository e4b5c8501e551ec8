"""docs/how-to/add-a-connection.md, typed: its commands run in a folder of their own, its outputs compared."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.cli.site import ROOT, Site

PAGE = ROOT / "docs" / "how-to" / "add-a-connection.md"
BLOCK = re.compile(r"^```(yaml|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FIXTURE = "mappings/shopify/fixtures/two_lines.json"
NEEDS_THE_SHOP = "connections check"


def settled(output: str) -> list[list[str]]:
    """Words, without what differs from start to start: revisions, ids and folders."""
    masked = re.sub(r"\b(r|or)_?-?[0-9a-z]{10,26}\b", "ID", output)
    return [re.sub(r"\S*/my/order\.json", "FILE", line).split() for line in masked.splitlines()]


def change(path: Path, lines: str) -> None:
    """Each line takes the place of the one with the same key."""
    text = path.read_text(encoding="utf-8")
    for line in lines.splitlines():
        key = line.partition(":")[0]
        text, count = re.subn(rf"^{key}:.*$", lambda _, line=line: line, text, flags=re.MULTILINE)  # type: ignore[misc]
        assert count == 1, line
    path.write_text(text, encoding="utf-8")


def typed(site: Site, line: str) -> str | None:
    """What a command prints; None for one that is not typed here."""
    words = shlex.split(line)
    if words[0] == "cp":
        shutil.copy(words[1], words[2])
    elif words[0] == "echo":
        with Path(words[3]).open("a", encoding="utf-8") as file:
            file.write(words[1] + "\n")
    elif NEEDS_THE_SHOP in line:
        return None
    else:
        assert words[:3] == ["python3", "-m", "hub"], line
        # A start adopts the files; so does this, and it ends.
        arguments = [*words[3:-1], "config", "apply"] if words[-1] == "run" else words[3:]
        done = site.hub(*arguments)
        assert done.code == (1 if "HUB008" in done.out else 0), done
        return done.out
    return None


def test_the_page_works_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(tmp_path / "unused", {})
    monkeypatch.chdir(tmp_path)
    (tmp_path / FIXTURE).parent.mkdir(parents=True)
    shutil.copy(ROOT / FIXTURE, tmp_path / FIXTURE)
    copy = tmp_path / "my" / "config" / "connections" / "shop-eu.yaml"
    compared = 0
    for kind, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if kind == "yaml":
            change(copy, text)
            continue
        for command in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            line, _, shown = command.partition("\n")
            out = typed(site, line)
            if shown:
                assert out is not None
                assert settled(out) == settled(shown), line
                compared += 1
    assert compared == 7
    schema = copy.read_text(encoding="utf-8").partition("\n")[0].rpartition("=")[2]
    assert (copy.parent / schema).is_file()
