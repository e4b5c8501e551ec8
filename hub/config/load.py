"""A directory of YAML into a :class:`~hub.config.model.Bundle`, or the list of everything that is wrong with it.

Files: hub.yaml (required), connections/*.yaml, locations.yaml, routing.yaml, policies.yaml, partners/*.yaml,
notifications/*.yaml, mappings/**/*.yaml and connectors/**/*.yaml (a site's own connectors). Nothing is fetched, nothing
is run.
"""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from hub.config import build
from hub.config.crosscheck import check_tree
from hub.config.findings import ConfigErrors, Finding, did_you_mean, errors_of, finding
from hub.config.model import Bundle, ConnectorInfo
from hub.config.revision import from_blob, revision_of, to_blob
from hub.config.schemas import KINDS, Schema, for_connector, schema_of
from hub.config.secrets import Secrets
from hub.config.source import MAX_BYTES, Document, Mark, Plain, SourceError, loads, text_of
from hub.config.tree import Tree
from hub.config.validate import Checked, check_document

_SINGLE = ("hub.yaml", "locations.yaml", "routing.yaml", "policies.yaml")
_FOLDERS = ("connections", "partners", "notifications", "mappings", "connectors")
_DEEP = ("mappings", "connectors")
_MAX_FILES = 5000
_BEGIN = "`hub init DIR` writes one to begin with"
_START = Mark(1, 1)

NO_MAPPINGS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Examined:
    """A configuration after every check. ``bundle`` is None where a finding is an error; ``documents`` are the files
    that could be read, by name. Comments that excuse findings are not looked at here."""

    bundle: Bundle | None
    findings: tuple[Finding, ...]
    tree: Tree
    documents: Mapping[str, Document]


def load_bundle(
    directory: Path,
    *,
    environ: Mapping[str, str],
    connectors: Mapping[str, ConnectorInfo],
    mappings: Mapping[str, str] = NO_MAPPINGS,
    versions: Mapping[str, str] = NO_MAPPINGS,
) -> Bundle:
    """Read, check and build the configuration of a directory.

    ``mappings`` are the texts of shipped mapping files by name (``shopify/orders.in``); files under mappings/ of the
    directory replace those of the same name. ``versions`` go into the stored blob. Raises :class:`ConfigErrors` with
    every finding; messages never hold a secret's value.
    """
    read = read_directory(directory)
    examined = examine(read, environ=environ, connectors=connectors, mappings=mappings, versions=versions)
    return _good(examined)


def load_blob(blob: bytes, *, environ: Mapping[str, str], connectors: Mapping[str, ConnectorInfo]) -> Bundle:
    """An old revision, checked against present connectors. Raises ConfigErrors, and BlobError for other bytes."""
    files, mappings, versions = from_blob(blob)
    own = {name: text for name, text in mappings.items() if f"mappings/{name}.yaml" not in files}
    return load_texts(files, environ=environ, connectors=connectors, mappings=own, versions=versions)


@dataclass(frozen=True, slots=True)
class Read:
    """The texts of the files of a directory by name, and what kept others from being read."""

    files: Mapping[str, str]
    findings: tuple[Finding, ...] = ()


def read_directory(directory: Path) -> Read:
    """All files that belong to the configuration, by name relative to the directory, in order of names."""
    if not directory.is_dir():
        return Read({}, (finding("HUB018", str(directory), _START, "there is no such directory", _BEGIN),))
    files: dict[str, str] = {}
    found: list[Finding] = list(_misplaced(directory))
    for path in _files(directory):
        name = path.relative_to(directory).as_posix()
        try:
            with path.open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
            files[name] = text_of(data, name=name)
        except SourceError as error:
            found.append(finding("HUB000", name, error.mark, error.message, error.hint))
        except OSError as error:
            found.append(finding("HUB018", name, _START, f"the file cannot be read: {error.strerror}"))
        if len(files) > _MAX_FILES:
            found.append(finding("HUB018", str(directory), _START, f"more than {_MAX_FILES} files"))
            break
    return Read(files, tuple(found))


def load_texts(
    files: Mapping[str, str],
    *,
    environ: Mapping[str, str],
    connectors: Mapping[str, ConnectorInfo],
    mappings: Mapping[str, str] = NO_MAPPINGS,
    versions: Mapping[str, str] = NO_MAPPINGS,
) -> Bundle:
    """As :func:`load_bundle`, from texts by file name."""
    return _good(examine(Read(files), environ=environ, connectors=connectors, mappings=mappings, versions=versions))


def examine(
    read: Read,
    *,
    environ: Mapping[str, str],
    connectors: Mapping[str, ConnectorInfo],
    mappings: Mapping[str, str] = NO_MAPPINGS,
    versions: Mapping[str, str] = NO_MAPPINGS,
) -> Examined:
    """Every check that needs nothing but the files and the environment; one fault hides no other."""
    found: list[Finding] = list(read.findings)
    documents = dict(_documents(read.files, found))
    secrets = Secrets(environ)
    if "hub.yaml" not in documents and not any(one.file == "hub.yaml" or one.hint == _BEGIN for one in found):
        found.append(finding("HUB018", "hub.yaml", _START, "the file is missing", _BEGIN))
    unread = frozenset(one.file for one in found)
    tree = Tree(
        hub=_single(documents, "hub", secrets),
        connections=tuple(
            check_document(document, _connection_schema(document, connectors), secrets)
            for name, document in documents.items()
            if name.startswith("connections/")
        ),
        locations=_single(documents, "locations", secrets),
        routing=_single(documents, "routing", secrets),
        policies=_single(documents, "policies", secrets),
        partners=tuple(
            check_document(document, schema_of("partner"), secrets)
            for name, document in documents.items()
            if name.startswith("partners/") and "partner" in KINDS
        ),
        notifications=tuple(
            check_document(document, schema_of("notification"), secrets)
            for name, document in documents.items()
            if name.startswith("notifications/")
        ),
        unread=unread,
    )
    for checked in tree.files():
        found.extend(checked.findings)
    found.extend(check_tree(tree, connectors))
    bundle = _built(tree, documents, read.files, mappings, versions, found)
    return Examined(None if errors_of(found) else bundle, tuple(sorted(set(found))), tree, documents)


def _good(examined: Examined) -> Bundle:
    if examined.bundle is None:
        raise ConfigErrors(errors_of(examined.findings))
    return examined.bundle


def _built(
    tree: Tree,
    documents: Mapping[str, Document],
    files: Mapping[str, str],
    mappings: Mapping[str, str],
    versions: Mapping[str, str],
    found: list[Finding],
) -> Bundle | None:
    """The values, as far as the files are sound; None where one is not. What only building finds goes to ``found``."""
    unsound = {one.file for one in errors_of(found) if one.rule != "HUB004"}
    unsound |= {checked.document.file for checked in tree.files() if not checked.buildable}
    own = {_mapping_name(name): text for name, text in files.items() if name.startswith("mappings/")}
    all_mappings = dict(sorted({**mappings, **own}.items()))
    meant = _meant(all_mappings, documents, found)

    def sound(checked: Checked | None) -> bool:
        return checked is None or checked.document.file not in unsound

    hub = build.build_hub(tree.hub, found) if tree.hub is not None and sound(tree.hub) else None
    entity = hub.seller.default_entity if hub is not None else ""
    connections = [build.build_connection(one, entity, found) for one in tree.connections if sound(one)]
    locations = build.build_locations(tree.locations, found) if sound(tree.locations) else None
    routing = build.build_routing(tree.routing, found) if sound(tree.routing) else None
    policies = build.build_policies(tree.policies, found) if sound(tree.policies) else None
    notifications = [build.build_notification(one, found) for one in tree.notifications if sound(one)]
    if hub is None or locations is None or routing is None or policies is None or errors_of(found):
        return None
    partners = {_stem(name): d.plain() for name, d in documents.items() if name.startswith("partners/")}
    content = build.content_of(tree) | {f"partners/{name}.yaml": partner for name, partner in partners.items()}
    content |= {name: document.plain() for name, document in documents.items() if name.startswith("connectors/")}
    return Bundle(
        hub=hub,
        connections=MappingProxyType({connection.id: connection for connection in connections}),
        locations=locations,
        routing=routing,
        policies=policies,
        mappings=MappingProxyType(all_mappings),
        partners=build.build_partners(partners),
        notifications=tuple(notifications),
        revision=revision_of(content, meant),
        blob=to_blob(files, all_mappings, versions),
    )


def _meant(mappings: Mapping[str, str], documents: Mapping[str, Document], found: list[Finding]) -> dict[str, Plain]:
    """The contents of all mappings by name; the directory's own are parsed already."""
    meant: dict[str, Plain] = {}
    for name, text in mappings.items():
        file = f"mappings/{name}.yaml"
        if file in documents:
            meant[name] = documents[file].plain()
            continue
        if any(one.file == file and one.rule == "HUB000" for one in found):
            continue
        try:
            meant[name] = _shipped(file, text)
        except SourceError as error:
            found.append(finding("HUB000", error.file, error.mark, error.message, error.hint))
    return meant


@functools.lru_cache(maxsize=1024)
def _shipped(file: str, text: str) -> Plain:
    """What a mapping that came with the hub says; nobody changes it. Parsed once, for each check and start needs it."""
    return loads(text, name=file).plain()


def _files(directory: Path) -> Iterator[Path]:
    for name in _SINGLE:
        path = directory / name
        if path.exists():
            yield path
    for folder in _FOLDERS:
        pattern = "**/*.yaml" if folder in _DEEP else "*.yaml"
        yield from sorted(path for path in (directory / folder).glob(pattern) if path.is_file())


def _misplaced(directory: Path) -> Iterator[Finding]:
    """Files that look as if they belonged to the configuration and would silently not be read."""
    places = [(directory, "*.yml")] + [
        (directory / folder, "**/*.yml" if folder in _DEEP else "*.yml") for folder in _FOLDERS
    ]
    for folder, pattern in places:
        for wrong in sorted(folder.glob(pattern)):
            name = wrong.relative_to(directory).as_posix()
            hint = did_you_mean(wrong.name, [wrong.with_suffix(".yaml").name])
            yield finding("HUB018", name, _START, "files end in .yaml", hint)
    known = [_stem(name) for name in _SINGLE] + [*_FOLDERS]
    for path in sorted(directory.glob("*.yaml")):
        hint = did_you_mean(path.stem, known)
        if path.name not in _SINGLE and hint.startswith("did"):  # others are somebody else's
            yield finding("HUB018", path.name, _START, "no such file is read here", hint)


def _documents(files: Mapping[str, str], found: list[Finding]) -> Iterator[tuple[str, Document]]:
    for name, text in files.items():
        try:
            yield name, loads(text, name=name)
        except SourceError as error:
            found.append(finding("HUB000", name, error.mark, error.message, error.hint))


def _single(documents: Mapping[str, Document], kind: str, secrets: Secrets) -> Checked | None:
    document = documents.get(f"{kind}.yaml")
    return None if document is None else check_document(document, schema_of(kind), secrets)


def _connection_schema(document: Document, connectors: Mapping[str, ConnectorInfo]) -> Schema:
    tree = document.plain()
    name = tree.get("connector") if isinstance(tree, dict) else None
    connector = connectors.get(name) if isinstance(name, str) else None
    return schema_of("connection") if connector is None else for_connector(connector)


def _stem(name: str) -> str:
    return name.rpartition("/")[2].removesuffix(".yaml")


def _mapping_name(name: str) -> str:
    return name.removeprefix("mappings/").removesuffix(".yaml")
