"""The reference pages say what the code says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference_pages", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_page_is_current(generator: ModuleType) -> None:
    stale = [
        name
        for name, text in generator.pages().items()
        if not (ROOT / "docs" / "reference" / name).is_file()
        or (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8") != text
    ]
    assert stale == [], "run: python docs/generate.py"


def test_every_page_is_listed(generator: ModuleType) -> None:
    index = (ROOT / "docs" / "reference" / "index.md").read_text(encoding="utf-8").split()
    assert {name.removesuffix(".md") for name in generator.PAGES} <= set(index)


def test_a_cell_cannot_break_its_table(generator: ModuleType) -> None:
    row = generator.table(("a",), [("one | two\nthree",)]).splitlines()[2]
    assert row == "| one \\| two three |"


def test_every_command_has_its_place(generator: ModuleType) -> None:
    page = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    for command in ("hub run", "hub orders show", "hub deliveries did-not-happen", "hub config apply"):
        assert f" {command}\n" in page
