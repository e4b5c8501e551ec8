"""Twelve ways to spoil a hub. Each makes the audit find a broken promise, or the audit is worth nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

SABOTAGES: Mapping[str, Callable[[], None]] = {}


def spoil(name: str) -> None:
    """Patch the hub of this process; must run before its modules copy what is patched."""
    SABOTAGES[name]()
