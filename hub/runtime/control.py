"""Actions of people reach the process that owns the database through its control socket (hub.store.control)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hub.store.control import ControlRefused, ControlServer, ControlUnavailable, call

log = logging.getLogger("hub.control")

ANSWER_TIMEOUT_SECONDS = 600.0
"""An ingest of many files answers when all of them have a verdict."""

Act = Callable[[str, dict[str, Any]], Mapping[str, Any]]


class OwnerUnreachable(Exception):
    """The owner runs, but its control socket does not answer."""


class ActionRefused(Exception):
    """An action that says no, with words for a person."""


def serve_actions(home: Path, act: Act) -> ControlServer:
    """Serve `act(action, arguments)` until closed."""

    def handler(request: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            return act(str(request["action"]), dict(request["arguments"]))
        except ActionRefused:
            raise
        except Exception:
            log.exception("the action %s failed", request.get("action"))
            raise

    return ControlServer(home, {"act": handler})


def call_owner(home: Path, action: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Ask the owner to do something. Raises ActionRefused with its words, or OwnerUnreachable."""
    request = {"action": action, "arguments": dict(arguments)}
    try:
        return dict(call(home, "act", request, timeout_seconds=ANSWER_TIMEOUT_SECONDS))
    except ControlUnavailable as error:
        raise OwnerUnreachable(str(error)) from error
    except ControlRefused as error:
        if error.kind == ActionRefused.__name__:
            raise ActionRefused(str(error)) from error
        raise ActionRefused(f"the request could not be carried out: {error.kind}: {error}") from error
