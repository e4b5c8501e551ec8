"""What the schemas call without effect is read by nothing; what is built later must lose the remark."""

from __future__ import annotations

import re
from pathlib import Path

from hub.config.explain import all_keys

ROOT = Path(__file__).parents[2]
READ_AS = {
    "limits.NAME.concurrent": r"\blimit\.concurrent\b",
}
"""By key: how code would read it from hub.config.model."""


def test_what_is_said_to_have_no_effect_is_read_nowhere() -> None:
    said = {key.path for key in all_keys({}) if "x-no-effect" in key.schema}
    assert said == set(READ_AS)
    code = {
        path: path.read_text(encoding="utf-8")
        for path in (ROOT / "hub").rglob("*.py")
        if "config" not in path.relative_to(ROOT / "hub").parts[:1]
    }
    readers = {
        key: [path.name for path, text in code.items() if re.search(pattern, text)] for key, pattern in READ_AS.items()
    }
    assert {key: found for key, found in readers.items() if found} == {}, "remove x-no-effect from the schema"
