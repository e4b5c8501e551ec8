"""Comments that say a finding is meant: ``# hub: ignore[HUB024] pickup comes first``.

On the line of the finding, or on a line of its own above it. Errors cannot be ignored; a reason is required.
"""

import re
from collections.abc import Iterable, Mapping

from hub.config.findings import Finding, finding
from hub.config.rules import RULES, Severity
from hub.config.source import Document, Mark

_COMMENT = re.compile(r"#\s*hub:\s*ignore\[([A-Z0-9, ]*)\](.*)$")


def ignored(found: Iterable[Finding], documents: Mapping[str, Document]) -> list[Finding]:
    """The findings without those that a comment excuses, and with those about comments that excuse nothing."""
    kept = list(found)
    for document in documents.values():
        if "hub:" not in document.text:
            continue
        for number, line in enumerate(document.text.splitlines(), 1):
            comment = _COMMENT.search(line)
            if comment is not None:
                kept = _applied(kept, document.file, number, line, comment)
    return kept


def _applied(kept: list[Finding], file: str, number: int, line: str, comment: re.Match[str]) -> list[Finding]:
    alone = line.strip().startswith("#")
    mark = Mark(number, comment.start() + 1)
    if not comment.group(2).strip():
        return [*kept, finding("HUB030", file, mark, "the comment gives no reason", "write why after the bracket")]
    for rule in (word.strip() for word in comment.group(1).split(",")):
        if rule not in RULES or RULES[rule].severity is Severity.ERROR:
            why = "is no rule" if rule not in RULES else "is an error and cannot be ignored"
            kept = [*kept, finding("HUB030", file, mark, f'"{rule}" {why}')]
            continue
        lines = (number + 1,) if alone else (number,)
        rest = [one for one in kept if not (one.file == file and one.rule == rule and one.line in lines)]
        if len(rest) == len(kept):
            rest = [*kept, finding("HUB030", file, mark, f"there is no {rule} here to ignore", "remove the comment")]
        kept = rest
    return kept
