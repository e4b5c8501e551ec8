"""The codecs by name, as a manifest names them (``format: json``), with options as a connection gives them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hub.formats import csv, edi_files, fixed, json, x12, xml
from hub.formats.paths import split_items
from hub.formats.tree import FormatError, ReadTree, Tree

Options = Mapping[str, ReadTree]


@dataclass(frozen=True, slots=True)
class Codec:
    """One format. Every function raises :class:`FormatError`, and nothing else, for what it cannot read or write.

    ``loads(body, content_type, options)`` reads a whole body, ``dumps(tree, options)`` writes one, ``split(body,
    content_type, options)`` reads a body into its records, each with its position (``""`` for the whole body,
    ``orders.3`` for the fourth member of the list at ``orders``).
    """

    name: str
    content_type: str
    option_names: frozenset[str]
    _loads: Callable[[bytes, str | None, Options], Tree]
    _dumps: Callable[[ReadTree, Options], bytes]
    _split: Callable[[bytes, Options], list[tuple[str, Tree]]] | None = None

    def loads(self, body: bytes, content_type: str | None = None, options: Options | None = None) -> Tree:
        return self._loads(body, content_type, self._known(options))

    def dumps(self, tree: ReadTree, options: Options | None = None) -> bytes:
        return self._dumps(tree, self._known(options))

    def split(
        self, body: bytes, content_type: str | None = None, options: Options | None = None
    ) -> list[tuple[str, Tree]]:
        """The records of a body; option ``items`` is the dotted path to the list of records, else the body is one.

        A single value where the list should be counts as a list of one, null as an empty list (XML and some vendors'
        JSON cannot tell one from many). A path that leads nowhere raises ``items``. Formats that are made of records
        (csv, fixed, x12, edifact) split by themselves: rows (``row.3``), records (``record.3``), transaction sets
        (``isa.1.gs.1.st.3``), messages (``unb.1.ung.1.unh.3``).
        """
        known = self._known(options)
        if self._split is not None:
            return self._split(body, known)
        tree = self._loads(body, content_type, known)
        items = known.get("items")
        if items is None:
            return [("", tree)]
        if not isinstance(items, str):
            raise FormatError("option", "items must be the dotted path to a list, as text")
        return split_items(tree, items)

    def _known(self, options: Options | None) -> Options:
        if not options:
            return {}
        unknown = sorted(set(options) - self.option_names)
        if unknown:
            known = ", ".join(sorted(self.option_names))
            raise FormatError("option", f"the codec {self.name} has no option {', '.join(unknown)}; it has {known}")
        return options


def _json_loads(body: bytes, content_type: str | None, options: Options) -> Tree:
    return json.loads(body)


def _json_dumps(tree: ReadTree, options: Options) -> bytes:
    return json.dumps_canonical(tree)


def _xml_loads(body: bytes, content_type: str | None, options: Options) -> Tree:
    return xml.loads(body, xml.read_options(options), content_type=content_type)


def _xml_dumps(tree: ReadTree, options: Options) -> bytes:
    return xml.dumps(tree)


def _csv_loads(body: bytes, content_type: str | None, options: Options) -> Tree:
    return csv.loads(body, csv.read_options(options))


def _csv_dumps(tree: ReadTree, options: Options) -> bytes:
    return csv.dumps(tree, csv.read_options(options))


def _csv_split(body: bytes, options: Options) -> list[tuple[str, Tree]]:
    return csv.split(body, csv.read_options(options))


def _fixed_loads(body: bytes, content_type: str | None, options: Options) -> Tree:
    return fixed.loads(body, fixed.read_options(options))


def _fixed_dumps(tree: ReadTree, options: Options) -> bytes:
    return fixed.dumps(tree, fixed.read_options(options))


def _fixed_split(body: bytes, options: Options) -> list[tuple[str, Tree]]:
    return fixed.split(body, fixed.read_options(options))


def _x12_loads(body: bytes, content_type: str | None, options: Options) -> Tree:
    return x12.loads(body, options)


def _edifact_loads(body: bytes, content_type: str | None, options: Options) -> Tree:
    """The file as its records: an EDIFACT file has no flat form of its own here."""
    return [tree for _, tree in edi_files.split(body, options)]


def _edifact_dumps(tree: ReadTree, options: Options) -> bytes:
    raise FormatError("unwritable", "interchanges are written with their control numbers, by a partner's deliveries")


_CODECS = {
    found.name: found
    for found in (
        Codec("json", "application/json", frozenset({"items"}), _json_loads, _json_dumps),
        Codec("xml", "application/xml", frozenset({"items", *xml.OPTION_NAMES}), _xml_loads, _xml_dumps),
        Codec("csv", "text/csv", csv.OPTION_NAMES, _csv_loads, _csv_dumps, _csv_split),
        Codec("fixed", "text/plain", fixed.OPTION_NAMES, _fixed_loads, _fixed_dumps, _fixed_split),
        Codec("x12", "application/edi-x12", x12.OPTION_NAMES, _x12_loads, x12.dumps, edi_files.split_x12),
        Codec("edifact", "application/edifact", x12.OPTION_NAMES, _edifact_loads, _edifact_dumps, edi_files.split),
    )
}


def codec(name: str) -> Codec:
    """The codec of that name; raises KeyError naming the known ones."""
    found = _CODECS.get(name)
    if found is None:
        raise KeyError(f"there is no codec {name!r}; there are {', '.join(codec_names())}")
    return found


def codec_names() -> tuple[str, ...]:
    """The names of all codecs, sorted."""
    return tuple(sorted(_CODECS))
