"""What connections beside HTTP are given: sessions with file and mail servers, rules of taking, documents with frozen
bytes."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hub.config.model import ConnectionConfig
from hub.domain.snapshot import Snapshot
from hub.domain.writeset import WriteSet
from hub.formats.registry import codec
from hub.formats.tree import FormatError
from hub.sdk.connector import FileRules
from hub.sdk.ports import Clock, MailPort, SftpPort

SftpOpener = Callable[..., SftpPort]
SftpFactory = Callable[[str, Clock], SftpOpener]
"""(connection id, clock) -> what opens its file server; the simulation gives its own."""

DEFAULT_NAME = "{document}-{delivery}.{ending}"
MAX_NAME = 200
_ENDINGS = {"fixed": "txt"}


def real_sftp(connection: str, clock: Clock) -> SftpOpener:
    """Real sockets, opened with the first call."""
    del connection

    def opener(**access: Any) -> SftpPort:
        from hub.transport.sftp import SftpAccess, SftpFiles

        return SftpFiles(SftpAccess(**access), clock)

    return opener


def real_mail(clock: Clock) -> Callable[..., MailPort]:
    """Real sockets, a session a message."""

    def opener(**access: Any) -> MailPort:
        from hub.transport.smtp import MailAccess, MailServer

        return MailServer(MailAccess(**access), clock)

    return opener


def file_rules(config: ConnectionConfig) -> dict[str, FileRules]:
    """By stream, for those that read files."""
    return {
        name: FileRules(
            directory=files.directory,
            match=files.match,
            stable_for_seconds=files.stable_for.total_seconds(),
            then=files.then,
            archive_directory=files.archive_directory,
            error_directory=files.error_directory,
            max_bytes=files.max_bytes,
        )
        for name, stream in config.streams.items()
        if (files := stream.files) is not None
    }


@dataclass(frozen=True, slots=True)
class FileDocuments:
    """Documents of a connection that writes files of another format than X12: a name and bytes, frozen."""

    codec: str
    options: Mapping[str, Mapping[str, Any]]
    """By capability, as the connection gives them."""

    def freeze_as(
        self, capability: str, key: str, tree: Any, snapshot: Snapshot, delivery_id: str, now: dt.datetime
    ) -> tuple[dict[str, Any], WriteSet]:
        """Raises FormatError for what the format cannot hold, and for a name that none can be."""
        del snapshot
        options = self.options.get(capability, {})
        body = codec(self.codec).dumps(tree, options.get("format"))
        parts = {
            "document": str(options.get("document") or capability),
            "delivery": delivery_id,
            "key": _safe(key or delivery_id),
            "date": now.strftime("%Y%m%d"),
            "time": now.strftime("%H%M%S"),
            "ending": _ENDINGS.get(self.codec, self.codec),
        }
        try:
            name = str(options.get("name") or DEFAULT_NAME).format(**parts)
        except (KeyError, ValueError, IndexError) as error:
            raise FormatError("name", f"the file's name has a part that there is none of: {error}") from error
        if not name or name.startswith(".") or len(name) > MAX_NAME:
            raise FormatError("name", "the file's name is empty, hidden or too long")
        text, charset = _as_text(body)
        return {"name": name, "text": text, "charset": charset}, WriteSet()


def _as_text(body: bytes) -> tuple[str, str]:
    """Bytes that are no UTF-8 (the connection writes another encoding) travel as one character each."""
    try:
        return body.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return body.decode("latin-1"), "latin-1"


def _safe(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", text)[:MAX_NAME]
