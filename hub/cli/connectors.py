"""`hub connectors`: the kinds of systems this installation can talk to."""

from __future__ import annotations

import click

from hub.cli.output import emit_json, emit_table, json_option
from hub.runtime.place import Place


@click.group()
def connectors() -> None:
    """Kinds of systems."""


@connectors.command("list")
@json_option
@click.pass_obj
def list_(place: Place, as_json: bool) -> None:
    """Every connector found, and those that could not be loaded with the reason."""
    from hub.runtime.registry import site_registry

    registry = site_registry(place.config)
    rows: list[dict[str, object]] = [
        {
            "name": manifest.name,
            "title": manifest.title,
            "quality": manifest.quality,
            "streams": list(manifest.streams),
            "capabilities": [capability.value for capability in manifest.capabilities],
            "error": None,
        }
        for manifest in registry.manifests.values()
    ]
    rows += [{"name": broken.name, "title": broken.folder, "error": broken.error} for broken in registry.broken]
    if as_json:
        emit_json(rows)
        return
    columns = (
        ("name", "NAME"),
        ("quality", "QUALITY"),
        ("streams", "READS"),
        ("capabilities", "DOES"),
        ("error", "PROBLEM"),
    )
    emit_table(rows, columns, empty="No connectors.")
