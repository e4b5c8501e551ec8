"""Trying again what came in."""

from __future__ import annotations

from typing import Any

from hub.domain.ids import derived_id
from hub.exchange import redrive
from hub.runtime.hub import Hub


def retry_message(hub: Hub, who: str, message: str) -> dict[str, Any]:
    """A new message of the same bytes under the present revision; the workers take it up."""
    hub.commit(lambda writer: redrive.redrive_message(writer, message, who), message)
    new = derived_id("ms", "redrive", message)
    return {"message_id": message, "redriven_as": new, "message": f"{message} is tried again as {new}"}


def retry_receipt(hub: Hub, who: str, receipt: str) -> dict[str, Any]:
    """An unparsable receipt is read again."""
    hub.commit(lambda writer: redrive.reparse_receipt(writer, receipt, who), receipt)
    return {"receipt": receipt, "message": f"{receipt} is read again"}
