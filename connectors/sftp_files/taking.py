"""Which files may be taken: what was seen of them before, when they last changed, and whether they look complete."""

from __future__ import annotations

import fnmatch
import json
from dataclasses import dataclass, field

from hub.sdk.connector import FileRules
from hub.sdk.errors import CallFailed, Resolution
from hub.sdk.ports import RemoteFile, printable
from hub.sdk.records import Cursor

TEMPORARY = (".tmp", ".temp", ".part", ".partial", ".filepart", ".lock", ".writing", ".uploading", ".crdownload", "~")
"""Endings under which clients write what is not whole yet (WinSCP, lftp, curl, browsers, ourselves)."""
PATIENCE = 10
"""What does not look complete must stand unchanged so many times as long before it counts as what it is."""
MAX_KEPT = 20_000
X12_TRAILER_BYTES = 4_096


@dataclass(slots=True)
class Memory:
    """What a stream knows of the files in its directory; it is the cursor, stored with the receipts.

    `seen`: name -> (size, modified_at, since when it looks so, Unix seconds by our clock). `taken`: name -> (size,
    modified_at) of files that are stored and still lie there.
    """

    seen: dict[str, tuple[int, int, float]] = field(default_factory=dict)
    taken: dict[str, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, cursor: Cursor | None) -> Memory:
        if cursor is None or not cursor.value:
            return cls()
        tree = json.loads(cursor.value)
        return cls(
            {name: (size, modified, since) for name, (size, modified, since) in tree["seen"].items()},
            {name: (size, modified) for name, (size, modified) in tree["taken"].items()},
        )

    def cursor(self) -> Cursor:
        return Cursor(json.dumps({"seen": self.seen, "taken": self.taken}, separators=(",", ":"), sort_keys=True))

    def is_taken(self, file: RemoteFile) -> bool:
        return self.taken.get(file.name) == (file.size, file.modified_at)

    def unchanged_seconds(self, file: RemoteFile, now: float) -> float:
        """Since when it has looked as it does now; begins to count where it looks different."""
        size, modified_at, since = self.seen.get(file.name, (-1, 0, now))
        # A clock that went back must not make a file wait for ever.
        if (size, modified_at) != (file.size, file.modified_at) or since > now:
            since = now
            self.seen[file.name] = file.size, file.modified_at, since
        return now - since

    def take(self, file: RemoteFile) -> None:
        self.seen.pop(file.name, None)
        self.taken[file.name] = file.size, file.modified_at

    def forget_absent(self, present: set[str]) -> None:
        """Files that lie there no more; bounded, for the cursor is written with each batch."""
        self.seen = {name: entry for name, entry in self.seen.items() if name in present}
        self.taken = {name: entry for name, entry in self.taken.items() if name in present}
        if len(self.taken) > MAX_KEPT:
            words = f"more than {MAX_KEPT} files that were read lie in one directory; let them be archived or deleted"
            raise CallFailed(Resolution.RETRY, words)


def is_wanted(file: RemoteFile, rules: FileRules) -> bool:
    """A file of the stream by its name; whether it is whole shows later."""
    name = file.name
    return (
        file.kind == "file"
        and not name.startswith(".")
        and not name.lower().endswith(TEMPORARY)
        and fnmatch.fnmatchcase(name, rules.match)
    )


def looks_complete(body: bytes, codec: str) -> bool:
    """Whether the end of the file is there, as far as its format shows: an interchange ends with its trailer."""
    if not body:
        return False
    head = body[:200].lstrip(b"\xef\xbb\xbf \t\r\n\0")
    if codec not in ("x12", "edifact"):
        return True
    if head.startswith((b"UNA", b"UNB")):
        return b"UNZ" in body[-X12_TRAILER_BYTES:]
    if not head.startswith(b"ISA") or len(head) < 4:
        return True
    separator = head[3:4]
    return b"IEA" + separator in body[-X12_TRAILER_BYTES:]


def archived_name(name: str, modified_at: int, digest: str, number: int) -> str:
    """The name in the archive: its own at first; where that is taken its time and content stand before the ending."""
    if number == 0:
        return name
    stem, dot, ending = name.rpartition(".")
    if not dot or not stem:
        stem, dot, ending = name, "", ""
    again = f"-{number}" if number > 1 else ""
    return f"{stem}.{modified_at}-{digest[:8]}{again}{dot}{ending}"


def delivery_id(path: str, file: RemoteFile, digest: str) -> str:
    """One delivery is one content at one place and time: the same file again is a duplicate, the same content sent
    again is not, for only what is in it can say that nothing happened in between."""
    return f"{printable(path)}|{file.size}|{file.modified_at}|{digest}"
