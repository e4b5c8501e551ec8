"""A channel without a system behind it: its orders come in by this hub's own API, already in canonical form."""

from __future__ import annotations

from hub.sdk.connector import Context
from hub.sdk.records import CheckReport, Probe


class Api:
    """Takes no webhooks and polls nothing; see docs/how-to/use-the-api.md."""

    def __init__(self, context: Context) -> None:
        self._connection = context.connection

    def check(self) -> CheckReport:
        return CheckReport((Probe("api", True, f"orders come by POST /v1/orders?channel={self._connection}"),))
