"""The good configuration that every rule's example stands in, and what it needs around it."""

from __future__ import annotations

from pathlib import Path

from hub.runtime.registry import Registry

HERE = Path(__file__).parent
GOOD = HERE / "base"
ENVIRON = {
    name: f"value-of-{name.lower()}-x"
    for name in ("SHOP_TOKEN", "SHOP_SECRET", "WMS_TOKEN", "WMS_SECRET", "ERP_PASSWORD")
}


def registry() -> Registry:
    """The shipped connectors and one that a site brought along."""
    return Registry((HERE / "connectors",))
