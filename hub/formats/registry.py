"""The codecs by name, as a manifest names them (``format: json``), with options as a connection gives them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hub.formats import json, xml
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

    def loads(self, body: bytes, content_type: str | None = None, options: Options | None = None) -> Tree:
        return self._loads(body, content_type, self._known(options))

    def dumps(self, tree: ReadTree, options: Options | None = None) -> bytes:
        return self._dumps(tree, self._known(options))

    def split(
        self, body: bytes, content_type: str | None = None, options: Options | None = None
    ) -> list[tuple[str, Tree]]:
        """The records of a body; option ``items`` is the dotted path to the list of records, else the body is one.

        A single value where the list should be counts as a list of one, null as an empty list (XML and some vendors'
        JSON cannot tell one from many). A path that leads nowhere raises ``items``.
        """
        known = self._known(options)
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


_CODECS = {
    found.name: found
    for found in (
        Codec("json", "application/json", frozenset({"items"}), _json_loads, _json_dumps),
        Codec("xml", "application/xml", frozenset({"items", *xml.OPTION_NAMES}), _xml_loads, _xml_dumps),
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
