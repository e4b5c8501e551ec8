"""Finds connectors: our own by scanning the package `connectors`, others by entry points, a site's in its folder.

A connector that fails to load is listed with its error and harms no other. Nothing of a connector is imported before
an instance of it is needed.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from hub.config.findings import ConfigErrors, Finding
from hub.runtime.declared import ENGINE, FILE, with_definition
from hub.sdk.capabilities import Capability, Query, SafetyMode
from hub.sdk.errors import ConfigurationError
from hub.sdk.manifest import CapabilityInfo, Manifest, StreamInfo
from hub.sdk.streams import STREAMS

ENTRY_POINTS = "order_hub.connectors"


class ManifestError(Exception):
    """A manifest.yaml says something that is not possible; names file and key."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A connector that could not be loaded."""

    name: str
    folder: str
    error: str
    findings: tuple[Finding, ...] = ()


def site_registry(config: Path) -> Registry:
    """The connectors of this installation, and those that a site keeps beside its configuration in `connectors/`."""
    own = config / "connectors"
    return Registry((own,) if own.is_dir() else ())


class Registry:
    """Manifests by connector name; `broken` lists what could not be read."""

    def __init__(self, folders: tuple[Path, ...] = ()) -> None:
        self._folders = folders

    @cached_property
    def _found(self) -> tuple[dict[str, Manifest], tuple[Broken, ...]]:
        manifests: dict[str, Manifest] = {}
        broken: list[Broken] = []
        for folder, package in self._places():
            try:
                manifest = read_manifest(folder, package)
            except (ManifestError, OSError, yaml.YAMLError, ValueError) as error:
                broken.append(Broken(folder.name, str(folder), str(error)))
                continue
            if manifest.name in manifests:
                broken.append(Broken(manifest.name, str(folder), "another connector has this name already"))
            else:
                manifests[manifest.name] = manifest
        for manifest in [one for one in manifests.values() if not one.implementation]:
            try:
                manifests[manifest.name] = self._declared(manifest, manifests.get(ENGINE))
            except (ConfigErrors, ConfigurationError, ManifestError, OSError) as error:
                del manifests[manifest.name]
                found = error.findings if isinstance(error, ConfigErrors) else ()
                broken.append(Broken(manifest.name, manifest.folder, str(error), found))
        return manifests, tuple(broken)

    def _declared(self, manifest: Manifest, engine: Manifest | None) -> Manifest:
        """A connector whose connector.yaml says what code would."""
        if engine is None:
            raise ManifestError(f"{manifest.folder}: has a connector.yaml, and there is no connector {ENGINE} for it")
        return with_definition(manifest, engine.implementation)

    @property
    def manifests(self) -> Mapping[str, Manifest]:
        return self._found[0]

    @property
    def broken(self) -> tuple[Broken, ...]:
        return self._found[1]

    def implementation(self, manifest: Manifest) -> Any:
        """What makes an instance of a context. Import errors pass through: they belong to the connector's author."""
        made = load_object(manifest.implementation)
        return made if manifest.definition is None else functools.partial(made, manifest)

    def _places(self) -> Iterator[tuple[Path, str]]:
        spec = importlib.util.find_spec("connectors")
        for root in (spec.submodule_search_locations or []) if spec else []:
            yield from _folders_of(Path(root), "connectors")
        for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
            spec = importlib.util.find_spec(entry.value)
            for root in (spec.submodule_search_locations or []) if spec else []:
                yield Path(root), entry.value
        for folder in self._folders:
            yield from _folders_of(folder, folder.name)


def _folders_of(root: Path, package: str) -> Iterator[tuple[Path, str]]:
    for folder in sorted(path for path in root.iterdir() if (path / "manifest.yaml").is_file()):
        yield folder, f"{package}.{folder.name}"


def load_object(path: str) -> Any:
    """`package.module:name` -> the object."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def read_manifest(folder: Path, package: str) -> Manifest:
    """Parse folder/manifest.yaml. Raises ManifestError with the key that is wrong."""
    file = folder / "manifest.yaml"
    raw = yaml.safe_load(file.read_text(encoding="utf-8"))
    if not isinstance(raw, dict):
        raise ManifestError(f"{file}: must be a mapping of keys")
    try:
        streams = {name: _stream(name, entry or {}) for name, entry in (raw.get("streams") or {}).items()}
        capabilities = dict(_capability(name, entry or {}) for name, entry in (raw.get("capabilities") or {}).items())
        return Manifest(
            name=str(raw["name"]),
            title=str(raw["title"]),
            # Nothing: connector.yaml beside it says what code would.
            implementation="" if (folder / FILE).is_file() else str(raw["implementation"]),
            emulator=raw.get("emulator"),
            folder=str(folder),
            quality=str(raw.get("quality", "bronze")),
            streams=streams,
            capabilities=capabilities,
            roles=tuple(raw.get("roles") or ()),
            queries=frozenset(Query(name) for name in raw.get("queries") or ()),
            rate_headers=tuple(raw.get("rate_headers") or ()),
            forbids_mail=bool(raw.get("forbids_mail", False)),
        )
    except KeyError as error:
        raise ManifestError(f"{file}: the key {error} is missing") from error
    except (TypeError, ValueError) as error:
        raise ManifestError(f"{file}: {error}") from error


def _stream(name: str, entry: Mapping[str, Any]) -> StreamInfo:
    if name not in STREAMS:
        raise ValueError(f"there is no stream {name}; streams are {', '.join(STREAMS)}")
    known = {
        key: entry[key]
        for key in ("codec", "items", "push", "poll", "fetch", "fetch_only", "means", "options", "operation")
        if key in entry
    }
    shapes = {str(field): str(mapping) for field, mapping in (entry.get("shapes") or {}).items()}
    return StreamInfo(name=name, topics=tuple(entry.get("topics") or ()), shapes=shapes, **known)


def _capability(name: str, entry: Mapping[str, Any]) -> tuple[Capability, CapabilityInfo]:
    capability = Capability(name)
    known = {
        key: entry[key]
        for key in (
            "settle_seconds",
            "key_ttl_seconds",
            "echo_field",
            "asynchronous",
            "overdue_after_seconds",
            "options",
        )
        if key in entry
    }
    return capability, CapabilityInfo(name=capability, safety=SafetyMode(entry.get("safety", "none")), **known)
