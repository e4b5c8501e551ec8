"""From a folder of YAML to a checked revision with its connectors and mappings."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hub import __version__
from hub.config.load import load_bundle
from hub.config.model import Bundle
from hub.mapping.library import MappingLibrary, shipped_folder
from hub.runtime.connections import connector_infos, library_of
from hub.runtime.registry import Registry, site_registry


@dataclass(frozen=True, slots=True)
class Loaded:
    bundle: Bundle
    registry: Registry
    library: MappingLibrary


def load_configuration(folder: Path, environ: Mapping[str, str]) -> Loaded:
    """Check and build. Raises ConfigErrors with every finding; connects to nothing."""
    registry = site_registry(folder)
    bundle = load_bundle(
        folder,
        environ=environ,
        connectors=connector_infos(registry),
        mappings=shipped_texts(registry, folder),
        versions=versions(),
    )
    return Loaded(bundle, registry, library_of(folder, registry))


SHIPPED = "_shipped/"
"""What precedes the name of a mapping that comes with the hub where the site has one of that name over it."""


def shipped_texts(registry: Registry, site: Path) -> dict[str, str]:
    """Mapping files by name, so that a revision holds every rule it ran under; those that a file of the site stands for
    under a name of their own, for it may extend them."""
    texts: dict[str, str] = {}
    roots = [shipped_folder(), *(Path(manifest.folder) / "mappings" for manifest in registry.manifests.values())]
    for root in roots:
        for path in sorted(root.glob("**/*.yaml")) if root.is_dir() else ():
            name = path.relative_to(root).with_suffix("").as_posix()
            texts.setdefault(
                name if root == shipped_folder() else f"{root.parent.name}/{name}", path.read_text("utf-8")
            )
    own = [name for name in texts if (site / "mappings" / f"{name}.yaml").is_file()]
    return texts | {f"{SHIPPED}{name}": texts[name] for name in own}


def versions() -> dict[str, str]:
    """The packages that a revision's meaning depends on."""
    found = {"order-hub": __version__}
    for name in ("sqlalchemy", "jmespath", "jsonschema-rs", "zeep", "requests"):
        found[name] = importlib.metadata.version(name)
    return found
