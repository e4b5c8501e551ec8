"""The demo's secrets and addresses: made at start, kept in a file of the demo's home that only its user may read."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path

from hub.demo.systems import SYSTEMS

FILE = "environment.json"
NAMES = tuple(name for system in SYSTEMS for name in system.secrets)


def make_environment(home: Path, addresses: Mapping[str, str]) -> dict[str, str]:
    """Fresh secrets and the emulators' addresses; also written to `home`."""
    found = {name: secrets.token_urlsafe(24) for name in NAMES}
    found.update(addresses)
    write_environment(home, found)
    return found


def write_environment(home: Path, values: Mapping[str, str]) -> None:
    home.mkdir(parents=True, exist_ok=True)
    path = home / FILE
    path.touch(mode=0o600)
    path.write_text(json.dumps(dict(values), indent=1), encoding="utf-8")


def read_environment(home: Path) -> dict[str, str]:
    """Empty where no demo has run here."""
    try:
        return dict(json.loads((home / FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
