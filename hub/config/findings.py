"""What is wrong with a configuration, where, and what to do: the one shape lint results have, and its renderings."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from hub.config.rules import DOCS, RULES, Severity
from hub.config.source import Mark


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One fault: its place first, so that sorting findings sorts them by place; line and column count from 1."""

    file: str
    line: int
    column: int
    rule: str
    message: str
    hint: str = ""

    @property
    def severity(self) -> Severity:
        """As the rule says."""
        return RULES[self.rule].severity

    @property
    def text(self) -> str:
        """Message and hint."""
        return f"{self.message}; {self.hint}" if self.hint else self.message

    def __str__(self) -> str:
        grade = "" if self.severity is Severity.ERROR else f" {self.severity}:"
        return f"{self.file}:{self.line}:{self.column}: {self.rule}{grade} {self.text}"


class ConfigErrors(Exception):
    """A configuration that must not be used; ``findings`` are all its faults, in the order of files and lines."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings: tuple[Finding, ...] = tuple(sorted(set(findings)))
        super().__init__(render_text(self.findings))


def finding(rule: str, file: str, mark: Mark, message: str, hint: str = "") -> Finding:
    """A finding at a mark; the rule must be in :data:`hub.config.rules.RULES`."""
    assert rule in RULES
    return Finding(file, mark.line, mark.column, rule, message, hint)


def errors_of(findings: Iterable[Finding]) -> list[Finding]:
    """Those that keep a configuration from being taken."""
    return [found for found in findings if found.severity is Severity.ERROR]


def first_to_mend(findings: Sequence[Finding]) -> Finding:
    """The one to read about first: the first error, else the first of all."""
    return next(iter(errors_of(findings)), findings[0])


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
    return "\n".join([*map(str, findings), summary(findings)])


def summary(findings: Sequence[Finding]) -> str:
    """``2 faults, 1 warning in 2 files``."""
    words = {Severity.ERROR: "fault", Severity.WARNING: "warning", Severity.INFO: "remark"}
    parts = []
    for severity, word in words.items():
        number = sum(found.severity is severity for found in findings)
        if number:
            parts.append(f"{number} {word}" if number == 1 else f"{number} {word}s")
    files = len({found.file for found in findings})
    return f"{', '.join(parts)} in {files} {'file' if files == 1 else 'files'}"


def as_dict(found: Finding) -> dict[str, str | int]:
    """One finding for programs: its place, its rule with severity, why and what to do, and where to read on."""
    rule = RULES[found.rule]
    return {
        "rule": found.rule,
        "severity": rule.severity.value,
        "file": found.file,
        "line": found.line,
        "column": found.column,
        "message": found.message,
        "hint": found.hint,
        "why": rule.why,
        "remedy": rule.remedy,
        "docs": f"{DOCS}#{found.rule.lower()}",
    }


def render_json(findings: Sequence[Finding]) -> str:
    """``{"hub_cli": "1.0", "items": [{rule, severity, file, line, column, message, hint, ...}]}``."""
    return json.dumps({"hub_cli": "1.0", "items": [as_dict(found) for found in findings]}, ensure_ascii=False)


_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def render_github(findings: Sequence[Finding], folder: str = "") -> str:
    """Workflow commands that annotate the lines of a change; ``folder`` is the configuration's, from the repository."""
    lines = []
    for found in findings:
        file = f"{folder}/{found.file}" if folder else found.file
        place = f"file={_property(file)},line={found.line},col={found.column},title={found.rule}"
        lines.append(f"::{_LEVELS[found.severity]} {place}::{_data(found.text)}")
    return "\n".join(lines)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
