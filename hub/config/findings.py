"""What is wrong with a configuration, where, and what to do: the one shape lint results have, and its renderings."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches

from hub.config.source import Mark

RULES: dict[str, str] = {
    "HUB000": "a file cannot be read as YAML (also: a key given twice, tags, merge keys)",
    "HUB001": "unknown key",
    "HUB002": "wrong type or value",
    "HUB003": "a secret written out instead of referred to",
    "HUB004": "a variable that is not set, or a secret file that cannot be read",
    "HUB005": "unknown connector",
    "HUB006": "a stream the connector does not have",
    "HUB007": "a capability the connector does not offer",
    "HUB008": "an id given twice",
    "HUB009": "a stream of orders without start_from",
    "HUB010": "webhooks without a secret to verify them",
    "HUB011": "routing without a fallback",
    "HUB012": "a strategy that does not exist",
    "HUB013": "a location whose wms or stock authority is no connection",
    "HUB014": "a required key is missing",
    "HUB015": "a reference that is none",
    "HUB016": "a connection, location, entity or calendar that does not exist",
    "HUB017": "a condition that is no JMESPath",
    "HUB018": "a file is missing",
    "HUB019": "a way of reading that the stream does not have",
}
"""Every rule of this package by its id; the ids never change their meaning."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One fault: its place first, so that sorting findings sorts them by place; line and column count from 1."""

    file: str
    line: int
    column: int
    rule: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.file}:{self.line}:{self.column} {self.rule} {self.message}"
        return f"{text}; {self.hint}" if self.hint else text


class ConfigErrors(Exception):
    """A configuration that must not be used; ``findings`` are all its faults, in the order of files and lines."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings: tuple[Finding, ...] = tuple(sorted(set(findings)))
        super().__init__(render_text(self.findings))


def finding(rule: str, file: str, mark: Mark, message: str, hint: str = "") -> Finding:
    """A finding at a mark; the rule must be in :data:`RULES`."""
    assert rule in RULES
    return Finding(file, mark.line, mark.column, rule, message, hint)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean "x"?`` for the nearest known word, else the known words if they are few, else nothing."""
    words = sorted(set(known))
    close = get_close_matches(word, words, n=1, cutoff=0.6)
    if close:
        return f'did you mean "{close[0]}"?'
    return f"there {'is' if len(words) == 1 else 'are'} {', '.join(words)}" if 0 < len(words) <= 12 else ""


def render_text(findings: Sequence[Finding]) -> str:
    """One finding a line, as editors and terminals read it, and a count."""
    if not findings:
        return "configuration is good"
    count = "1 fault" if len(findings) == 1 else f"{len(findings)} faults"
    files = len({found.file for found in findings})
    lines = [str(found) for found in findings]
    return "\n".join([*lines, f"{count} in {files} {'file' if files == 1 else 'files'}"])


def render_json(findings: Sequence[Finding]) -> str:
    """``{"hub_cli": "1.0", "items": [{rule, file, line, column, message, hint}]}``."""
    return json.dumps({"hub_cli": "1.0", "items": [asdict(found) for found in findings]}, ensure_ascii=False)
