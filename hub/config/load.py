"""A directory of YAML into a :class:`~hub.config.model.Bundle`, or the list of everything that is wrong with it.

Files: hub.yaml (required), connections/*.yaml, locations.yaml, routing.yaml, policies.yaml, partners/*.yaml and
mappings/**/*.yaml. Nothing is fetched and nothing is run.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from hub.config import build
from hub.config.crosscheck import Tree, check_tree
from hub.config.findings import ConfigErrors, Finding, did_you_mean, finding
from hub.config.model import Bundle, ConnectorInfo
from hub.config.revision import from_blob, revision_of, to_blob
from hub.config.schemas import Schema, connection_schema, schema_of
from hub.config.secrets import Secrets
from hub.config.source import MAX_BYTES, Document, Mark, Plain, SourceError, loads
from hub.config.validate import Checked, check_document

_SINGLE = ("hub.yaml", "locations.yaml", "routing.yaml", "policies.yaml")
_FOLDERS = ("connections", "partners", "mappings")
_MAX_FILES = 5000
_BEGIN = "copy the folder config or config/demo of the project to begin with one"
_START = Mark(1, 1)

NO_MAPPINGS: Mapping[str, str] = MappingProxyType({})


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
    return load_texts(
        read_directory(directory), environ=environ, connectors=connectors, mappings=mappings, versions=versions
    )


def load_blob(blob: bytes, *, environ: Mapping[str, str], connectors: Mapping[str, ConnectorInfo]) -> Bundle:
    """An old revision, checked against present connectors. Raises ConfigErrors, and BlobError for other bytes."""
    files, mappings, versions = from_blob(blob)
    own = {name: text for name, text in mappings.items() if f"mappings/{name}.yaml" not in files}
    return load_texts(files, environ=environ, connectors=connectors, mappings=own, versions=versions)


def read_directory(directory: Path) -> dict[str, str]:
    """The texts of all files that belong to the configuration, by name relative to the directory, in order of names.

    Raises :class:`ConfigErrors` where the directory or one of its files cannot be read.
    """
    files: dict[str, str] = {}
    found: list[Finding] = []
    if not directory.is_dir():
        raise ConfigErrors([finding("HUB018", str(directory), _START, "there is no such directory", _BEGIN)])
    for path in _files(directory):
        name = path.relative_to(directory).as_posix()
        try:
            with path.open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
            files[name] = loads(data, name=name).text
        except SourceError as error:
            found.append(finding("HUB000", name, error.mark, error.message, error.hint))
        except OSError as error:
            found.append(finding("HUB018", name, _START, f"the file cannot be read: {error.strerror}"))
    if len(files) > _MAX_FILES:
        found.append(finding("HUB018", str(directory), _START, f"more than {_MAX_FILES} files"))
    if found:
        raise ConfigErrors(found)
    return files


def load_texts(
    files: Mapping[str, str],
    *,
    environ: Mapping[str, str],
    connectors: Mapping[str, ConnectorInfo],
    mappings: Mapping[str, str] = NO_MAPPINGS,
    versions: Mapping[str, str] = NO_MAPPINGS,
) -> Bundle:
    """As :func:`load_bundle`, from texts by file name."""
    found: list[Finding] = []
    documents = dict(_documents(files, found))
    secrets = Secrets(environ)
    if "hub.yaml" not in documents:
        if "hub.yaml" not in files:
            found.append(finding("HUB018", "hub.yaml", _START, "the file is missing", _BEGIN))
        raise ConfigErrors(found)
    tree = Tree(
        hub=check_document(documents["hub.yaml"], schema_of("hub"), secrets),
        connections=tuple(
            check_document(document, _connection_schema(document, connectors), secrets)
            for name, document in documents.items()
            if name.startswith("connections/")
        ),
        locations=_single(documents, "locations", secrets),
        routing=_single(documents, "routing", secrets),
        policies=_single(documents, "policies", secrets),
    )
    for checked in (tree.hub, *tree.connections, tree.locations, tree.routing, tree.policies):
        found.extend(checked.findings if checked is not None else ())
    found.extend(check_tree(tree, connectors))
    if found:
        raise ConfigErrors(found)
    return _built(tree, documents, files, mappings, versions)


def _built(
    tree: Tree,
    documents: Mapping[str, Document],
    files: Mapping[str, str],
    mappings: Mapping[str, str],
    versions: Mapping[str, str],
) -> Bundle:
    found: list[Finding] = []
    hub = build.build_hub(tree.hub, found)
    connections = [build.build_connection(checked, hub.seller.default_entity, found) for checked in tree.connections]
    locations = build.build_locations(tree.locations, found)
    routing = build.build_routing(tree.routing, found)
    policies = build.build_policies(tree.policies, found)
    partners = {_stem(name): d.plain() for name, d in documents.items() if name.startswith("partners/")}
    own = {_mapping_name(name): text for name, text in files.items() if name.startswith("mappings/")}
    all_mappings = dict(sorted({**mappings, **own}.items()))
    meant: dict[str, Plain] = {}
    for name, text in all_mappings.items():
        try:
            meant[name] = loads(text, name=f"mappings/{name}.yaml").plain()
        except SourceError as error:
            found.append(finding("HUB000", error.file, error.mark, error.message, error.hint))
    if found:
        raise ConfigErrors(found)
    content = build.content_of(tree) | {f"partners/{name}.yaml": partner for name, partner in partners.items()}
    return Bundle(
        hub=hub,
        connections=MappingProxyType({connection.id: connection for connection in connections}),
        locations=locations,
        routing=routing,
        policies=policies,
        mappings=MappingProxyType(all_mappings),
        partners=build.build_partners(partners),
        revision=revision_of(content, meant),
        blob=to_blob(files, all_mappings, versions),
    )


def _files(directory: Path) -> Iterator[Path]:
    for name in _SINGLE:
        path = directory / name
        if path.exists():
            yield path
    for folder in _FOLDERS:
        pattern = "**/*.yaml" if folder == "mappings" else "*.yaml"
        yield from sorted(path for path in (directory / folder).glob(pattern) if path.is_file())
        for wrong in sorted((directory / folder).glob(pattern.replace(".yaml", ".yml"))):
            hint = did_you_mean(wrong.name, [wrong.with_suffix(".yaml").name])
            raise ConfigErrors([finding("HUB018", f"{folder}/{wrong.name}", _START, "files end in .yaml", hint)])


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
    return schema_of("connection") if connector is None else connection_schema(connector.config_schema)


def _stem(name: str) -> str:
    return name.rpartition("/")[2].removesuffix(".yaml")


def _mapping_name(name: str) -> str:
    return name.removeprefix("mappings/").removesuffix(".yaml")
