"""Renders effects: canonical -> theirs, by the out-mapping of the connection's connector."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hub.exchange.connections import Rendered
from hub.mapping.errors import MappingError
from hub.mapping.library import MappingLibrary


class MappingRenderer:
    """Implements hub.exchange.connections.Renderer."""

    def __init__(
        self, connector_of: Callable[[str], str], library: MappingLibrary, options: Mapping[str, Mapping[str, object]]
    ) -> None:
        self._connector_of = connector_of
        self._library = library
        self._options = options

    def render(self, connection: str, capability: str, record: Mapping[str, Any]) -> Rendered:
        """Raises MappingError."""
        connector = self._connector_of(connection)
        mapping = self._library.outbound(connector, capability)
        if mapping is None:
            raise MappingError("", "no_mapping", f"there is no mapping {connector}/{capability}.out")
        context = {"connection": connection, "config": self._options.get(connection, {})}
        return Rendered(mapping.run(dict(record), context=context).record)
