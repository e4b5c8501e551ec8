"""Renders effects: canonical -> theirs, by the out-mapping of the connection's connector."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

from hub.config.model import NotificationTemplate
from hub.config.notifications import chosen, written
from hub.edi.outgoing import EdiDocuments
from hub.exchange.connections import Rendered
from hub.mapping.errors import MappingError
from hub.mapping.library import MappingLibrary
from hub.runtime.files import FileDocuments
from hub.sdk.capabilities import Capability

FILE = "application/vnd.order-hub.file+json"
"""Content type of a payload that is a file: its name, text and charset."""


class MappingRenderer:
    """Implements hub.exchange.connections.Renderer."""

    def __init__(
        self,
        connector_of: Callable[[str], str],
        library: MappingLibrary,
        options: Mapping[str, Mapping[str, object]],
        documents: Mapping[str, EdiDocuments] = MappingProxyType({}),
        files: Mapping[str, FileDocuments] = MappingProxyType({}),
        notifications: Sequence[NotificationTemplate] = (),
    ) -> None:
        """By connection: `documents` of those whose payloads are files with control numbers, `files` of those whose
        payloads are other files. `notifications` are the site's own templates."""
        self._connector_of = connector_of
        self._library = library
        self._options = options
        self._documents = documents
        self._files = files
        self._notifications = notifications

    def render(self, connection: str, capability: str, record: Mapping[str, Any]) -> Rendered:
        """Raises MappingError."""
        connector = self._connector_of(connection)
        documents = self._documents.get(connection)
        name = capability + (documents.variant(record) if documents is not None else "")
        mapping = self._library.outbound(connector, name)
        if mapping is None:
            raise MappingError("", "no_mapping", f"there is no mapping {connector}/{name}.out")
        if capability == Capability.NOTIFY:
            record = self._with_words(record)
        context: dict[str, object] = {"connection": connection, "config": self._options.get(connection, {})}
        if documents is None:
            tree = mapping.run(dict(record), context=context).record
            files = self._files.get(connection)
            if files is None:
                return Rendered(tree)
            return Rendered(tree, FILE, partial(files.freeze_as, capability, str(record.get("key", ""))))
        context["partner"] = documents.partner.context()
        tree = mapping.run(dict(record), context=context).record
        wanted = self._own(connection, capability).get("document")
        if wanted and "document" not in record and wanted != tree.get("set"):
            message = f"the connection sends a {wanted}, and the mapping makes a {tree.get('set')}"
            raise MappingError("set", "document", message)
        return Rendered(tree, FILE, partial(documents.freeze_with, dict(record)))

    def _with_words(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """A notification with what it says: its template filled in, as it is frozen now."""
        name, channel = str(record["template"]), str(record["channel"])
        brand, locale = str(record.get("brand", "")), str(record.get("locale", ""))
        try:
            template = chosen(self._notifications, name, channel, brand, locale)
        except KeyError as error:
            raise MappingError("template", "no_template", f"there is no notification {name}") from error
        said = written(template, record)
        words = {"subject": said.subject, "text": said.text}
        return {**record, **words, **({} if said.html is None else {"html": said.html})}

    def _own(self, connection: str, capability: str) -> Mapping[str, object]:
        """What the connection says of a capability."""
        own = self._options.get(connection, {}).get(capability)
        return own if isinstance(own, Mapping) else {}
