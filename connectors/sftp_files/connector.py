"""Files of an SFTP server: read where they are whole and have settled, written under their name only when whole.

A file is stored first and moved afterwards. Whatever happens in between, it is found again, recognised by place, size,
time and content, and moved then: nothing is taken twice and nothing is lost.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from connectors.sftp_files.taking import (
    PATIENCE,
    Memory,
    archived_name,
    delivery_id,
    is_wanted,
    looks_complete,
)
from hub.sdk.capabilities import Capability
from hub.sdk.connector import Context, FileRules
from hub.sdk.errors import (
    CallFailed,
    ConfigurationError,
    DataError,
    FileDenied,
    FileFailure,
    FileMissing,
    FileStands,
    FileTooLarge,
    LoginRefused,
    Resolution,
    TransportError,
)
from hub.sdk.ports import RemoteFile, SftpPort, printable
from hub.sdk.records import (
    Batch,
    CheckReport,
    Cursor,
    Effect,
    ExternalVersion,
    Found,
    Missing,
    NotFound,
    Probe,
    RawRecord,
    Receipt,
    Reply,
    Unsure,
    Window,
)

CONTENT_TYPES = {
    "x12": "application/edi-x12",
    "json": "application/json",
    "xml": "application/xml",
    "csv": "text/csv",
    "fixed": "text/plain",
}
BATCH_FILES = 50
BATCH_BYTES = 8_000_000
BATCH_SECONDS = 15.0
LISTED = 2_000
NAMES_TRIED = 100
PROBLEM = "x-file-problem"
ARCHIVE, ERROR = "archive", "error"


class Handled(NamedTuple):
    """A file that is stored, and where it goes now."""

    path: str
    size: int
    modified_at: int
    digest: str
    to: str


class SftpFiles:
    """A connection to one file server."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._stuck: dict[str, list[str]] = defaultdict(list)
        # By stream, the server's words about files that it would not give or let us move, since the last read began.

    @cached_property
    def _sftp(self) -> SftpPort:
        config = self._context.config
        return self._context.sftp(
            host=config["host"],
            port=int(config.get("port", 22)),
            host_keys=tuple(config["host_keys"]),
            username=config["username"],
            password=config.get("password", ""),
            private_key=config.get("private_key", ""),
            passphrase=config.get("passphrase", ""),
            temporary_name=config.get("temporary_name", "{name}.tmp"),
        )

    def check(self) -> CheckReport:
        """Log in and look at every directory; nothing is changed."""
        probes: list[Probe] = []
        reads = {stream: rules.directory for stream, rules in self._context.files.items()}
        writes = {name: self._directory(name) for name in self._context.effect_options}
        for what, directory in {**reads, **writes}.items():
            name = f"{directory} ({what})"
            try:
                self._sftp.list(directory, wanted=lambda _: False, limit=1)
            except (TransportError, ConfigurationError) as error:
                # Some servers let us write where we may not look.
                ok = isinstance(error, FileDenied) and what in writes
                probes.append(Probe(name, ok=ok, detail=str(error)))
                if isinstance(error, LoginRefused):
                    break
            else:
                probes.append(Probe(name, ok=True, detail="the directory is there"))
        return CheckReport(tuple(probes))

    def refresh(self) -> None:
        """Log in anew with the next call."""
        self._sftp.close()

    # Reading.

    def read(self, stream: str, cursor: Cursor | None, limit: int) -> Iterator[Batch]:
        """Files that have settled, oldest first, in batches bounded by count, bytes and the time they take."""
        rules = self._rules(stream)
        memory = Memory.of(cursor)
        before = memory.cursor()
        self._stuck.pop(stream, None)
        receipts: list[Receipt] = []
        handled: list[Handled] = []
        size, began = 0, self._context.clock.monotonic()
        with _known_failures():
            for file in self._listed(rules, memory):
                try:
                    found = self._take(stream, rules, memory, file)
                except TransportError:
                    if receipts:  # what was read before the line broke is not read again
                        yield Batch(tuple(receipts), memory.cursor(), _token(stream, handled))
                    raise
                if found is None:
                    continue
                receipts.append(found[0])
                handled.append(found[1])
                size += len(found[0].body)
                long = self._context.clock.monotonic() - began > BATCH_SECONDS
                if len(receipts) >= min(limit, BATCH_FILES) or size >= BATCH_BYTES or long:
                    yield Batch(tuple(receipts), memory.cursor(), _token(stream, handled))
                    receipts, handled, size, began = [], [], 0, self._context.clock.monotonic()
                    before = memory.cursor()
        if receipts or memory.cursor() != before:
            yield Batch(tuple(receipts), memory.cursor(), _token(stream, handled))
        if stuck := self._stuck.get(stream):
            raise CallFailed(Resolution.RETRY, f"files that cannot be read or moved away ({len(stuck)}): {stuck[0]}")

    def _listed(self, rules: FileRules, memory: Memory) -> list[RemoteFile]:
        """New files first, then those that are stored already and were not moved."""
        present: set[str] = set()

        def fresh(file: RemoteFile) -> bool:
            if not is_wanted(file, rules):
                return False
            present.add(file.name)
            return not memory.is_taken(file)

        def stored(file: RemoteFile) -> bool:
            return is_wanted(file, rules) and memory.is_taken(file)

        found = self._sftp.list(rules.directory, wanted=fresh, limit=LISTED)
        memory.forget_absent(present)
        if memory.taken and rules.then != "keep":
            found += self._sftp.list(rules.directory, wanted=stored, limit=LISTED)
        return found

    def _take(self, stream: str, rules: FileRules, memory: Memory, file: RemoteFile) -> tuple[Receipt, Handled] | None:
        """The file as a receipt; None where it is not whole yet, was changed while we read, or is gone."""
        stored = memory.is_taken(file)
        now = self._context.clock.now().timestamp()
        unchanged = rules.stable_for_seconds * PATIENCE if stored else memory.unchanged_seconds(file, now)
        if unchanged < rules.stable_for_seconds:
            return None
        path = posixpath.join(rules.directory, file.name)
        problem = ""
        try:
            body = self._sftp.read(path, max_bytes=rules.max_bytes)
            after = self._sftp.stat(path)
        except FileMissing:
            return None
        except FileTooLarge as error:
            body, after, problem = b"", file, f"too_large: {error}"
        except FileDenied as error:
            body, after, problem = b"", file, f"denied: {error}"
        except FileFailure as error:
            self._stuck[stream].append(str(error))  # some servers do not give what somebody has open
            return None
        if after is None or (after.size, after.modified_at) != (file.size, file.modified_at):
            return None  # taken away or changed under our eyes: what it is now shows the next time
        if not problem and len(body) != file.size:
            return None
        if not problem and not looks_complete(body, self._context.codec):
            if unchanged < rules.stable_for_seconds * PATIENCE:
                return None
            if not body:
                problem = "empty: the file holds nothing"
        return self._taken(stream, path, memory, file, body, problem)

    def _taken(
        self, stream: str, path: str, memory: Memory, file: RemoteFile, body: bytes, problem: str
    ) -> tuple[Receipt, Handled]:
        """A file that nobody can read is a receipt too: without bytes, with the reason, for a person."""
        memory.take(file)
        digest = problem.partition(":")[0] if problem else hashlib.sha256(body).hexdigest()
        headers = {"x-file": printable(path), "x-file-modified-at": str(file.modified_at)}
        receipt = Receipt(
            connection=self._context.connection,
            stream=stream,
            delivery_id=delivery_id(path, file, digest),
            headers={**headers, PROBLEM: problem} if problem else headers,
            body=body,
            content_type=CONTENT_TYPES.get(self._context.codec, "application/octet-stream"),
            received_at=self._context.clock.now(),
        )
        return receipt, Handled(path, file.size, file.modified_at, digest, ERROR if problem else ARCHIVE)

    def parse(self, receipt: Receipt) -> Sequence[RawRecord] | None:
        """The codec reads files; those that could not be read say why. Raises DataError."""
        problem = receipt.headers.get(PROBLEM)
        if problem is not None:
            raise DataError(f"the file {receipt.headers.get('x-file', '')} cannot be read; {problem}")
        return None

    def settle(self, batch: Batch) -> None:
        """Move what is stored; what cannot be moved is told at the end of the read and tried with the next. Raises
        TransportError where the server is gone."""
        if not batch.token:
            return
        token = json.loads(batch.token)
        stream = token["stream"]
        rules = self._rules(stream)
        for entry in token["files"]:
            handled = Handled(*entry)
            try:
                self._move(rules, handled)
            except FileFailure as error:
                self._stuck[stream].append(str(error))

    def _move(self, rules: FileRules, handled: Handled) -> None:
        if rules.then == "keep" and handled.to == ARCHIVE:
            return
        found = self._sftp.stat(handled.path)
        if found is None or (found.size, found.modified_at) != (handled.size, handled.modified_at):
            return  # another process has moved it, or a newer one has taken its place and is read next
        if rules.then == "delete" and handled.to == ARCHIVE:
            self._sftp.remove(handled.path)
            return
        given = rules.archive_directory if handled.to == ARCHIVE else rules.error_directory
        target = self._to(handled, given or posixpath.join(rules.directory, handled.to))
        moved = self._sftp.stat(target)
        if moved is not None and (moved.size, moved.modified_at) != (handled.size, handled.modified_at):
            # It was replaced between our two looks: back with it, it has not been read.
            self._sftp.rename(target, handled.path)

    def _to(self, handled: Handled, directory: str) -> str:
        """Rename to the first name that is free; the directory is made where it is missing."""
        name = posixpath.basename(handled.path)
        made = False
        for number in range(NAMES_TRIED):
            target = posixpath.join(directory, archived_name(name, handled.modified_at, handled.digest, number))
            try:
                self._sftp.rename(handled.path, target)
            except FileStands:
                continue
            except FileMissing:
                if made or not self._context.config.get("make_directories", True):
                    raise
                made = True
                self._sftp.make_directory(directory)
                self._sftp.rename(handled.path, target)
            return target
        raise FileStands(f"{printable(handled.path)}: every name in {directory} is taken", handled.path)

    def fetch(self, stream: str, external_id: str) -> Receipt | Missing:
        """One file by its name, from the directory or the archive."""
        rules = self._rules(stream)
        if "/" in external_id or external_id in ("", ".", ".."):
            return Missing(external_id)
        archive = rules.archive_directory or posixpath.join(rules.directory, ARCHIVE)
        with _known_failures():
            for directory in (rules.directory, archive):
                path = posixpath.join(directory, external_id)
                file = self._sftp.stat(path)
                if file is not None and file.kind == "file":
                    body = self._sftp.read(path, max_bytes=rules.max_bytes)
                    return self._taken(stream, path, Memory(), file, body, "")[0]
        return Missing(external_id)

    def list_ids(self, stream: str, window: Window) -> Iterator[ExternalVersion]:
        """The files that lie there, by name, with size and time as their version."""
        rules = self._rules(stream)
        start, end = window.start.timestamp(), window.end.timestamp()

        def inside(file: RemoteFile) -> bool:
            return is_wanted(file, rules) and start <= file.modified_at < end

        with _known_failures():
            for file in self._sftp.list(rules.directory, wanted=inside, limit=LISTED):
                yield ExternalVersion(file.printable, f"{file.size}/{file.modified_at}")

    def _rules(self, stream: str) -> FileRules:
        rules = self._context.files.get(stream)
        if rules is None:
            raise CallFailed(Resolution.REJECTED, f"the stream {stream} has no files: say where they lie")
        return rules

    # Writing.

    def acknowledge(self, effect: Effect) -> Reply:
        return self._write(Capability.ACKNOWLEDGE, effect)

    def push_shipment(self, effect: Effect) -> Reply:
        return self._write(Capability.PUSH_SHIPMENT, effect)

    def order_response(self, effect: Effect) -> Reply:
        return self._write(Capability.ORDER_RESPONSE, effect)

    def change_response(self, effect: Effect) -> Reply:
        return self._write(Capability.CHANGE_RESPONSE, effect)

    def push_invoice(self, effect: Effect) -> Reply:
        return self._write(Capability.PUSH_INVOICE, effect)

    def push_inventory(self, effect: Effect) -> Reply:
        return self._write(Capability.PUSH_INVENTORY, effect)

    def submit_order(self, effect: Effect) -> Reply:
        return self._write(Capability.SUBMIT_ORDER, effect)

    def update_order(self, effect: Effect) -> Reply:
        return self._write(Capability.UPDATE_ORDER, effect)

    def cancel_order(self, effect: Effect) -> Reply:
        return self._write(Capability.CANCEL_ORDER, effect)

    def post_invoice(self, effect: Effect) -> Reply:
        return self._write(Capability.POST_INVOICE, effect)

    def send_fulfilment_request(self, effect: Effect) -> Reply:
        return self._write(Capability.SEND_FULFILMENT_REQUEST, effect)

    def cancel_fulfilment_request(self, effect: Effect) -> Reply:
        return self._write(Capability.CANCEL_FULFILMENT_REQUEST, effect)

    def lookup(self, capability: Capability, effect: Effect) -> Found | NotFound | Unsure:
        """The file of that name, where it was written or where the partner puts what it has taken.

        Nowhere: not written, unless the partner takes files away at once and keeps them out of sight.
        """
        name, body = _document(effect)
        directories = [self._directory(capability)]
        taken = self._context.effect_options.get(capability, {}).get("taken_directory")
        directories += [str(taken)] if taken else []
        try:
            for directory in directories:
                path = posixpath.join(directory, name)
                file = self._sftp.stat(path)
                if file is not None:
                    return Found(_reply(path, body), same_content=self._same(path, file, body))
        except (TransportError, ConfigurationError) as error:
            return Unsure(str(error))
        return NotFound()

    def _write(self, capability: Capability, effect: Effect) -> Reply:
        """Write it. What an attempt before this one may have written is looked for first."""
        name, body = _document(effect)
        path = posixpath.join(self._directory(capability), name)
        with _known_failures():
            if (
                effect.attempt > 1
                and isinstance(found := self.lookup(capability, effect), Found)
                and found.same_content
            ):
                return found.reply
            try:
                self._sftp.write(path, body, deadline=effect.deadline)
            except FileStands as stands:
                raise CallFailed(Resolution.DUPLICATE, str(stands)) from stands
        return _reply(path, body)

    def _same(self, path: str, file: RemoteFile, body: bytes) -> bool | None:
        """None where we may write and not read."""
        if file.size != len(body):
            return False
        try:
            return self._sftp.read(path, max_bytes=len(body) + 1) == body
        except (FileDenied, FileTooLarge):
            return None

    def _directory(self, capability: str) -> str:
        options = self._context.effect_options.get(capability, {})
        return str(options.get("directory") or self._context.config.get("write_directory", "/in"))


class _known_failures:  # noqa: N801 - a context manager, used as a verb
    """Says of a refused login that another try is no use, and of a refused file what the server said."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, LoginRefused):
            raise CallFailed(Resolution.AUTH_FAILED, str(error)) from error


def _token(stream: str, handled: Sequence[Handled]) -> str:
    return json.dumps({"stream": stream, "files": handled})


def _document(effect: Effect) -> tuple[str, bytes]:
    """Name and bytes of the file, frozen when the delivery was made. Raises CallFailed for what is no file."""
    payload = effect.payload if isinstance(effect.payload, dict) else {}
    name, text, charset = (payload.get(key) for key in ("name", "text", "charset"))
    if not (isinstance(name, str) and isinstance(text, str) and isinstance(charset, str)):
        raise CallFailed(Resolution.REJECTED, "the payload is no file: the connection needs a codec")
    if not name or name.startswith(".") or "/" in name or "\0" in name:
        raise CallFailed(Resolution.REJECTED, f"{printable(name)} is no name for a file")
    return name, text.encode(charset)


def _reply(path: str, body: bytes) -> Reply:
    told = {"file": path, "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    return Reply(json.dumps(told).encode(), "application/json", 200, posixpath.basename(path))
