"""Adopting the configuration's present files."""

from __future__ import annotations

from typing import Any

from hub.config.findings import ConfigErrors
from hub.runtime.hub import Hub


def apply(hub: Hub, who: str) -> dict[str, Any]:
    """A bad configuration changes nothing but raises an exception for people."""
    del who
    try:
        changed, words = hub.adopt()
    except ConfigErrors as error:
        return {"adopted": False, "bad": True, "message": str(error)}
    return {"adopted": changed, "revision": hub.loaded.bundle.revision, "message": words}
