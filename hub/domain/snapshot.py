"""The read side that rules and use cases are given: plain rows of one consistent snapshot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Snapshot(Protocol):
    """Rows as dicts of Python values (Decimal, aware datetime, JSON trees). Bounded: `limit` defaults to 10,000."""

    def rows(
        self,
        table: str,
        where: Mapping[str, Any],
        *,
        order_by: Sequence[str] = (),
        limit: int = 10_000,
    ) -> list[dict[str, Any]]:
        """Rows whose columns equal `where`; a tuple value means one of. `order_by` takes names, "-name" descends."""
        ...

    def row(self, table: str, where: Mapping[str, Any]) -> dict[str, Any] | None:
        """The one row, or None; more than one is an error."""
        ...

    def count(self, table: str, where: Mapping[str, Any]) -> int:
        """How many rows there are."""
        ...

    def body(self, body_id: str) -> bytes | None:
        """The bytes of a body, wherever they lie; None when erased."""
        ...

    def once(self, key: tuple[str, ...], work_out: Callable[[], T]) -> T:
        """What `work_out` makes of this snapshot's rows, made once for all who ask by that key; nobody changes it."""
        ...


@dataclass(frozen=True, slots=True)
class Coming:
    """What a handler is about to get, as far as reading ahead minds it. `kind`: a message's stream, or a task's kind;
    `subject` is empty where it is not known yet, `record` what a message was mapped to."""

    kind: str
    subject: str
    connection: str = ""
    scope: str = ""
    external_id: str = ""
    record: Mapping[str, Any] = field(default_factory=dict)


class BatchSnapshot(Snapshot, Protocol):
    """A snapshot on which many decisions are computed."""

    def prefetch(
        self,
        table: str,
        column: str,
        values: Sequence[str],
        *,
        where: Mapping[str, Any] | None = None,
        order_by: Sequence[str] = (),
    ) -> None:
        """Read at once what `rows(table, {column: value, **where}, order_by=...)` will be asked for each value, or,
        where no order is asked for, for several of them together."""
        ...

    def ahead_of(self, table: str, column: str) -> list[str]:
        """What stands in a column of text of the rows that were read ahead, each once."""
        ...

    def prefetch_bodies(self, body_ids: Sequence[str]) -> None:
        """Read at once what `body` will be asked for."""
        ...
