"""What can go wrong with a mapping, by who has to act.

MappingFileError   the mapping file is wrong: its author (positions in the file)
MappingError       this input cannot be mapped: parked, whoever sends it (path in the input)
Unusable           one value is not what its field needs: internal, becomes a hold or a MappingError
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hold:
    """A field that the order cannot be sent on without. `field` is its dotted path in the record (`lines.2.sku`).

    `rule` is the name a policy can refer to, `code` says what is wrong (`missing`, `unknown_value`, `format`, `type`,
    `overflow`, `element`), `hint` is for the person who clears it and holds no personal data.
    """

    field: str
    rule: str
    hint: str
    code: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something worth keeping that stops nothing: `precision_lost`, `implausible_time`, `ambiguous_time`,
    `unknown_country`, `control_character`. `text` is the value as the source wrote it."""

    code: str
    field: str
    text: str


@dataclass(frozen=True, slots=True)
class FileProblem:
    """A mistake in a mapping file; `line` and `column` count from 1."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class MappingFileError(Exception):
    """A mapping file that cannot be used; lists every mistake found, not only the first."""

    def __init__(self, problems: Sequence[FileProblem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


class MappingError(Exception):
    """An input that cannot become a record. Nothing of its values is in the message.

    `field` is the dotted path in the record, `source_path` where the value was looked for, `line` the line of the field
    in the mapping file, `found` the value (cut) where only some words are allowed, never to be
    logged. Codes: `required`, `unknown_value`, `format`, `type`, `overflow`, `schema`, `expression`,
    `not_an_object`.
    """

    def __init__(
        self, field: str, code: str, message: str, source_path: str = "", line: int = 0, *, found: str = ""
    ) -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field = field
        self.code = code
        self.message = message
        self.source_path = source_path
        self.line = line
        self.found = found


class Unusable(Exception):
    """A value that a conversion, table or function cannot take; `message` never quotes it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
