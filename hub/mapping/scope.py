"""What one run of a mapping carries along: the input, where the output is being written, and what was noticed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hub.mapping.errors import Hold, Note


class Absent:
    """The source says nothing. Different from null: an outgoing tree may contain null on purpose."""

    def __repr__(self) -> str:
        return "absent"


ABSENT = Absent()


@dataclass(frozen=True, slots=True)
class TraceRow:
    """How one target field came to be, values as they were. `steps` are what was done to the raw value, each with what
    it made of it; `file` and `line` say where the field stands."""

    field: str
    source: str
    raw: object
    result: object
    line: int
    file: str = ""
    steps: tuple[tuple[str, object], ...] = ()


class Scope:
    """State of one run. `path` is where in the record the innermost object is being filled, `field` the field in it.
    `parents` are the nodes that `each` and `from` have left behind. `unread` marks values that were read but could not
    be used, by (id of the holding object, key).
    """

    __slots__ = ("context", "field", "holds", "node", "notes", "parents", "path", "root", "rows", "unread")

    def __init__(self, root: object, context: Mapping[str, object]) -> None:
        self.root = root
        self.context = context
        self.parents: list[object] = []
        self.path: list[str] = []
        self.field = ""
        self.holds: list[Hold] = []
        self.notes: list[Note] = []
        self.rows: list[TraceRow] = []
        self.node: object = root
        self.unread: set[tuple[int, str]] = set()

    def where(self) -> str:
        """The dotted path of the present field."""
        return ".".join([*self.path, self.field]) if self.field else ".".join(self.path)

    def note(self, code: str, text: str) -> None:
        self.notes.append(Note(code, self.where(), text[:400]))


Getter = Callable[[object, Scope], object]
"""(node, scope) -> value; None where there is nothing."""

Convert = Callable[[object, Scope], object]
"""(value, scope) -> canonical value; raises Unusable."""

Emit = Callable[[object, Scope, dict[str, object]], None]
"""(node, scope, out): sets fields of `out`, or leaves them absent."""
