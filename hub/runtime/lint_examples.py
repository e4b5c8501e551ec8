"""The example of each rule, run: a good configuration with one thing wrong, and what the lint says to it.

The reference page and the tests print and compare the same messages.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from hub.config.findings import Finding
from hub.config.rules import Rule
from hub.runtime.lint import lint
from hub.runtime.registry import Registry


def findings_of_example(
    rule: Rule, good: Path, environ: Mapping[str, str], *, registry: Registry | None = None
) -> tuple[Finding, ...]:
    """All findings when the rule's example stands in the good configuration, in its broken form.

    Raises ValueError where the good configuration does not hold the example exactly once.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "config"
        shutil.copytree(good, folder)
        example = rule.example
        path = folder / example.file
        if example.good:
            text = path.read_text(encoding="utf-8")
            if text.count(example.good) != 1:
                raise ValueError(
                    f"{rule.id}: {example.file} has its example {text.count(example.good)} times, not once"
                )
            path.write_text(text.replace(example.good, example.broken), encoding="utf-8")
        elif path.exists():
            raise ValueError(f"{rule.id}: {example.file} is there already")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(example.broken, encoding="utf-8")
        return lint(folder, environ, registry=registry).findings
