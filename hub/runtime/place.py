"""Where a command works: the folder of the configuration and the hub's home."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Place:
    config: Path
    home: Path
    demo: bool = False

    @property
    def remote(self) -> bool:
        """Whether the hub is elsewhere and only its API can be asked."""
        return bool(getattr(self, "url", ""))

    @classmethod
    def of(cls, config: str | None, home: str | None, demo: bool = False) -> Place:
        root = Path(home) if home else Path.cwd() / ".hub"
        if demo:
            return cls(Path(config) if config else demo_configuration(), root / "demo", True)
        return cls(Path(config) if config else Path.cwd() / "config", root)


def demo_configuration() -> Path:
    """config/demo of this checkout, or the copy that travels in the wheel."""
    package = Path(__file__).resolve().parent.parent
    for candidate in (package.parent / "config" / "demo", package / "_data" / "config" / "demo"):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError("this installation has no demo configuration")


def data_folder(name: str) -> Path:
    """mappings or openapi: beside the package in a checkout, under hub/_data in an installation."""
    package = Path(__file__).resolve().parent.parent
    for candidate in (package.parent / name, package / "_data" / name):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"this installation has no {name} folder ({os.fspath(package)})")
