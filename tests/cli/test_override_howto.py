"""docs/how-to/override-a-mapping.md, typed: its files are written, its commands run, its outputs compared."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.cli.site import ROOT, Site, shop_order

PAGE = ROOT / "docs" / "how-to" / "override-a-mapping.md"
BLOCK = re.compile(r"^```(yaml|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks() -> list[tuple[str, str]]:
    return [(kind, text) for kind, text in BLOCK.findall(PAGE.read_text(encoding="utf-8"))]


def write(text: str) -> None:
    """A file, an end of one, or a line of one in the place of that with the same key."""
    first, _, rest = text.partition("\n")
    path = Path(first.rpartition(" ")[2])
    if first.startswith("# at the end of"):
        path.write_text(path.read_text(encoding="utf-8") + rest, encoding="utf-8")
    elif first.startswith("# in "):
        key = rest.partition(":")[0]
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        assert sum(line.startswith(f"{key}:") for line in lines) == 1
        path.write_text("".join(rest if line.startswith(f"{key}:") else line for line in lines), encoding="utf-8")
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def settled(output: str) -> str:
    """Without the line of a shipped test, which moves with whatever is written above it."""
    return re.sub(r"orders\.in\.yaml:\d+, with", "N", output)


def test_the_page_works_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bodies").mkdir()
    shutil.copy(ROOT / "mappings" / "shopify" / "fixtures" / "two_lines.json", tmp_path / "bodies" / "1042.json")
    outputs: dict[str, str] = {}
    for kind, text in blocks():
        if kind == "yaml":
            write(text)
            continue
        commands = re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]
        for command in commands:
            line, _, shown = command.partition("\n")
            if "--lineage" in line:
                site.ingest(site.write("order.json", shop_order()))
            done = site.hub(*shlex.split(line)[1:])
            outputs[line] = done.out.replace(f"{ROOT}/", "")
            assert done.code == (1 if "failed\n" in shown and ", 0 failed" not in shown else 0), done
            if shown:
                assert settled(outputs[line]) == settled(shown)
    assert "note_attributes[].value" in outputs["hub mapping coverage shopify/orders.in bodies"]
    assert "table payment_state" in outputs["hub mapping try shopify/orders.in bodies/1042.json --trace"]
    assert "configuration is good" in outputs["hub config check"]
    assert "HUB" not in outputs["hub config check"]
    (order,) = site.good("orders", "show", "#1042", "--json").items
    assert order["order_type"] == "b2b"
    told = outputs["hub orders show '#1042' --lineage"]
    assert "shopify/wholesale.in 1 over shopify/orders.in 1 over 1" in told
    assert re.search(r"^  note +if\(named\(note_attributes", told, re.MULTILINE)
    assert 'note: "GIFT. -"' in (site.config / "mappings" / "shopify" / "orders.in.yaml").read_text(encoding="utf-8")
