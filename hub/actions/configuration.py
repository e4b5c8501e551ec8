"""Adopting the configuration's present files, and going back to an earlier revision."""

from __future__ import annotations

from typing import Any

from hub.config.findings import ConfigErrors
from hub.runtime.hub import Hub, short
from hub.runtime.revisions import NoRevision, Why


def apply(hub: Hub, who: str, reason: str = "") -> dict[str, Any]:
    """A bad configuration changes nothing but raises an exception for people."""
    try:
        changed, words = hub.adopt(Why(who, "config.apply", reason))
    except ConfigErrors as error:
        return {"adopted": False, "bad": True, "message": str(error)}
    return {"adopted": changed, "revision": hub.loaded.bundle.revision, "message": words}


def folder(hub: Hub, who: str) -> dict[str, Any]:
    """Which folder this hub reads its configuration from, as an absolute path."""
    return {"folder": str(hub.place.config.resolve())}


def rollback(hub: Hub, who: str, revision: str | None = None, reason: str = "") -> dict[str, Any]:
    """Make a stored revision the one in force, by default the one before; the files stay as they are."""
    before = hub.loaded.bundle.revision
    try:
        now = hub.roll_back(revision, Why(who, "config.rollback", reason))
    except NoRevision as error:
        return {"adopted": False, "bad": True, "revision": before, "message": str(error)}
    except ConfigErrors as error:
        words = f"that revision cannot be used any more:\n{error}"
        return {"adopted": False, "bad": True, "revision": before, "message": words}
    message = (
        f"went back to revision {short(now)}; the files still say otherwise, and `hub config apply` adopts them again"
    )
    return {"adopted": True, "revision": now, "from": before, "message": message}
