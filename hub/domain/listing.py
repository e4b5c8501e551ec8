"""What a channel calls our goods, and from when to when: its listing's SKU -> the SKU of an item.

Two items never have one name at one time: that is refused where it is said, because later nobody could tell which of
them was meant.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Listing:
    """`valid_from` is inside, `valid_to` outside; None: since ever, for ever."""

    theirs: str
    ours: str
    valid_from: dt.datetime | None = None
    valid_to: dt.datetime | None = None

    def holds(self, at: dt.datetime | None) -> bool:
        """Whether it counts at a time; without a time, whether it counts still."""
        if at is None:
            return self.valid_to is None
        return (self.valid_from is None or self.valid_from <= at) and (self.valid_to is None or at < self.valid_to)

    @property
    def words(self) -> str:
        """As people read it: "MUG-RED from 2026-11-01 until 2026-12-01"."""
        begin = f" from {self.valid_from.date()}" if self.valid_from is not None else ""
        return f"{self.ours}{begin}" + (f" until {self.valid_to.date()}" if self.valid_to is not None else "")

    def meets(self, other: Listing) -> bool:
        """Both count at some time."""
        begins_late = self.valid_from is not None and other.valid_to is not None and self.valid_from >= other.valid_to
        ends_early = self.valid_to is not None and other.valid_from is not None and self.valid_to <= other.valid_from
        return not (begins_late or ends_early)


def clash(new: Listing, known: Iterable[Listing]) -> Listing | None:
    """A listing of the same name that counts at a time when the new one does, and means something else."""
    return next(
        (one for one in known if one.theirs == new.theirs and one.ours != new.ours and one.meets(new)),
        None,
    )


def meant(listings: Sequence[Listing], at: dt.datetime | None) -> str | None:
    """The item that was meant at a time; None where none is, or it is not certain which."""
    found = {one.ours for one in listings if one.holds(at)}
    return found.pop() if len(found) == 1 else None
