"""XML to a tree and back: what business documents use of it, and no more.

Elements become dicts by local name, attributes ``@name``, text ``#text`` (an element with text alone is that text, an
empty one ``""``, one with ``xsi:nil="true"`` None), repeated children a list. Comments and processing instructions are
dropped, white space between elements too; other text is kept as written.

A document type declaration is refused before anything of the content is looked at, whatever it says: entities are how
XML reads files, calls servers and explodes, and skipping them would silently lose text (OWASP XML External Entity
Prevention Cheat Sheet).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

from lxml import etree

from hub.formats.tree import FormatError, Position, ReadTree, Tree, plain_number, position_at

MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 100
MAX_ATTRIBUTES = 1000
"""Attributes of one element: reading them costs time by the square of their number."""
OPTION_NAMES = frozenset({"lists", "namespaces", "drop_control_characters"})

_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_KNOWN_PREFIXES = {"http://www.w3.org/XML/1998/namespace": "xml", _XSI: "xsi"}
_NAMESPACES = {prefix: uri for uri, prefix in _KNOWN_PREFIXES.items()}

_ENCODINGS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "iso-8859-1": "iso-8859-1",
    "latin1": "iso-8859-1",
    "iso-8859-15": "iso-8859-15",
    "windows-1252": "windows-1252",
}
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\x2b\x2f\x76")
_DECLARATION = re.compile(rb"<\?xml\s([^>]{0,200}?)\?>")
_DECLARED = re.compile(rb"""encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_CHARSET = re.compile(r"""charset\s*=\s*"?([A-Za-z0-9._-]{1,40})""", re.IGNORECASE)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_NAME = re.compile(r"[A-Za-z_][\w.\-]*\Z")


@dataclass(frozen=True, slots=True)
class XmlOptions:
    """``lists`` names children that are a list even when there is one; ``namespaces`` keeps each namespace that differs
    from the parent's as ``#ns``; ``drop_control_characters`` removes what XML 1.0 forbids instead of refusing it."""

    lists: frozenset[str] = frozenset()
    namespaces: bool = False
    drop_control_characters: bool = False


_DEFAULTS = XmlOptions()


def read_options(options: Mapping[str, ReadTree]) -> XmlOptions:
    """The options as configuration writes them; raises :class:`FormatError` (``option``) for a wrong type."""
    lists = options.get("lists", [])
    if isinstance(lists, str) or not isinstance(lists, list | tuple):
        raise FormatError("option", "lists must be a list of element names")
    names: set[str] = set()
    for name in lists:
        if not isinstance(name, str):
            raise FormatError("option", "lists must be a list of element names")
        names.add(name)
    return XmlOptions(frozenset(names), _flag(options, "namespaces"), _flag(options, "drop_control_characters"))


def _flag(options: Mapping[str, ReadTree], name: str) -> bool:
    value = options.get(name, False)
    if not isinstance(value, bool):
        raise FormatError("option", f"{name} must be true or false")
    return value


def loads(
    data: bytes,
    options: XmlOptions = _DEFAULTS,
    *,
    content_type: str | None = None,
    max_bytes: int = MAX_BYTES,
    max_depth: int = MAX_DEPTH,
) -> Tree:
    """Read one document into ``{root name: content}``.

    Encodings are those of the declaration, else of the content type's charset, else UTF-8; UTF-16 and other wide or
    stateful ones are refused, because they hide a document type declaration from the look before parsing. Raises
    :class:`FormatError`.
    """
    if len(data) > max_bytes:
        raise FormatError("too_large", f"the body has {len(data)} bytes, at most {max_bytes} are read")
    text = _decoded(data, content_type)
    bad = _CONTROL.search(text)
    if bad is not None:
        if not options.drop_control_characters or bad.group() == "\x00":
            raise FormatError(
                "control_character",
                f"character U+{ord(bad.group()):04X} is not allowed in XML",
                position_at(text.encode("utf-8"), len(text[: bad.start()].encode("utf-8"))),
            )
        text = _CONTROL.sub("", text)
    _refuse_doctype(text)
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    body = text.encode("utf-8")
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise _syntax_error(body, error) from None
    if str(getattr(root.getroottree().docinfo, "doctype", "")):
        raise FormatError("dtd", "a document type declaration is not read")
    return {_local(root.tag): _content(root, None, options, max_depth)}


def _decoded(data: bytes, content_type: str | None) -> str:
    if data.startswith(_WIDE_MARKS) or b"\x00" in data[:4]:
        raise FormatError("encoding", "UTF-16, UTF-32 and UTF-7 are not read; send UTF-8", Position(0, 1, 1))
    body = data.removeprefix(b"\xef\xbb\xbf")
    declaration = _DECLARATION.match(body.lstrip(b" \t\r\n"))
    declared = _DECLARED.search(declaration.group(1)) if declaration else None
    charset = _CHARSET.search(content_type) if content_type else None
    if declared is not None:
        name = declared.group(1).decode("ascii")
    elif charset is not None and len(body) == len(data):
        name = charset.group(1)
    else:
        name = "utf-8"
    encoding = _ENCODINGS.get(name.lower())
    if encoding is None:
        known = "UTF-8, ISO-8859-1, ISO-8859-15, windows-1252, US-ASCII"
        raise FormatError("encoding", f"the encoding {name} is not read; {known} are", Position(0, 1, 1))
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as error:
        byte = body[error.start]
        raise FormatError("encoding", f"byte 0x{byte:02x} is no {name}", position_at(body, error.start)) from None
    return text if declaration is None else text.lstrip(" \t\r\n")[len(declaration.group()) :]


def _refuse_doctype(text: str) -> None:
    """Walks the prolog (white space, comments, processing instructions); refuses a declaration where it may stand."""
    at = 0
    while True:
        while at < len(text) and text[at] in " \t\r\n":
            at += 1
        for opening, closing in (("<?", "?>"), ("<!--", "-->")):
            if text.startswith(opening, at):
                end = text.find(closing, at + len(opening))
                if end < 0:
                    return  # not well-formed; the parser says so
                at = end + len(closing)
                break
        else:
            break
    if text.startswith("<!", at):
        position = position_at(text.encode("utf-8"), len(text[:at].encode("utf-8")))
        raise FormatError("dtd", "a document type declaration is not read", position)


def _syntax_error(body: bytes, error: etree.XMLSyntaxError) -> FormatError:
    line, column = error.position
    start = 0
    for _ in range(max(line, 1) - 1):
        start = body.find(b"\n", start) + 1
    reason = str(error.msg or "not well-formed").split(", line ")[0]
    if "depth" in reason.lower():
        return FormatError("too_deep", "nested too deep", Position(start, max(line, 1), max(column, 1)))
    return FormatError("syntax", reason, Position(start + max(column, 1) - 1, max(line, 1), max(column, 1)))


def _content(element: etree._Element, parent_uri: str | None, options: XmlOptions, levels: int) -> Tree:
    if levels == 0:
        raise FormatError("too_deep", "nested too deep")
    uri = etree.QName(element).namespace
    result: dict[str, Tree] = {}
    nil = False
    if len(element.attrib) > MAX_ATTRIBUTES:
        raise FormatError("too_large", f"an element has more than {MAX_ATTRIBUTES} attributes")
    for key, value in element.attrib.items():
        name = _attribute(str(key))
        if name == "@xsi:nil":
            nil = str(value).strip() in ("true", "1")
            continue
        if name in result:
            raise FormatError("syntax", f"two attributes are named {name[1:]} apart from their namespaces")
        result[name] = str(value)
    if options.namespaces and uri != parent_uri:
        result["#ns"] = uri or ""
    text = element.text or ""
    for child in element:
        name = _local(child.tag)
        inner = _content(child, uri, options, levels - 1)
        known = result.get(name)
        if name not in result:
            result[name] = [inner] if name in options.lists else inner
        elif isinstance(known, list):
            known.append(inner)
        else:
            result[name] = [known, inner]
        text += child.tail or ""
    if len(element) and not text.strip():
        text = ""
    if not result:
        return None if nil and not text else text
    if text:
        result["#text"] = text
    return result


def _attribute(key: str) -> str:
    if not key.startswith("{"):
        return f"@{key}"
    uri, _, local = key[1:].partition("}")
    prefix = _KNOWN_PREFIXES.get(uri)
    return f"@{prefix}:{local}" if prefix else f"@{local}"


def _local(tag: object) -> str:
    if not isinstance(tag, str):
        raise FormatError("syntax", "an entity reference is not read")
    return tag.rpartition("}")[2]


def dumps(tree: ReadTree) -> bytes:
    """Write ``{root name: content}`` as one UTF-8 document with its declaration; the inverse of :func:`loads`.

    Children come in the dict's order, those of a list together; ``#ns`` is the namespace of the element and what lies
    within it. None is ``xsi:nil``, numbers are written plainly. Raises :class:`FormatError` (``unwritable``).
    """
    if not isinstance(tree, Mapping) or len(tree) != 1:
        raise FormatError("unwritable", "an XML document is a dict with exactly one root element")
    ((name, content),) = tree.items()
    if isinstance(content, list | tuple):
        raise FormatError("unwritable", "an XML document has exactly one root element")
    root = _element(name, content, None, None, MAX_DEPTH)
    etree.cleanup_namespaces(root)
    return etree.tostring(root, encoding="utf-8", xml_declaration=True)


def _element(
    name: str, content: ReadTree, parent: etree._Element | None, uri: str | None, levels: int
) -> etree._Element:
    if levels == 0:
        raise FormatError("unwritable", f"nested deeper than {MAX_DEPTH} levels")
    _check_name(name)
    members = content if isinstance(content, Mapping) else {"#text": content}
    own = members.get("#ns", uri)
    if own is not None and not isinstance(own, str):
        raise FormatError("unwritable", "#ns must be text")
    uri = own or None
    tag = f"{{{uri}}}{name}" if uri else name
    # None is the default namespace's key, which the type hints of lxml do not know
    scope = cast("Mapping[str, str] | None", {None: uri} if uri else None)
    try:
        element = etree.Element(tag, nsmap=scope) if parent is None else etree.SubElement(parent, tag, nsmap=scope)
    except ValueError as error:
        raise FormatError("unwritable", f"the namespace of {name} cannot be written") from error
    for key, value in members.items():
        if key == "#ns":
            continue
        if key == "#text":
            if value is None:
                element.set(f"{{{_XSI}}}nil", "true")
            else:
                element.text = _text(value)
        elif key.startswith("@"):
            _set_attribute(element, key[1:], value)
        else:
            for item in value if isinstance(value, list | tuple) else (value,):
                if isinstance(item, list | tuple):
                    raise FormatError("unwritable", f"a list directly inside the list {key} has no form in XML")
                _element(key, item, element, uri, levels - 1)
    return element


def _set_attribute(element: etree._Element, name: str, value: ReadTree) -> None:
    prefix, colon, local = name.partition(":")
    if colon and prefix not in _NAMESPACES:
        raise FormatError("unwritable", f"the prefix of the attribute {name} is unknown; xml and xsi are known")
    _check_name(local if colon else name)
    element.set(f"{{{_NAMESPACES[prefix]}}}{local}" if colon else name, _text(value))


def _check_name(name: str) -> None:
    if not _NAME.match(name):
        raise FormatError("unwritable", f"{name!r} is no name for an element or attribute")


def _text(value: ReadTree) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return plain_number(value)
    if not isinstance(value, str):
        raise FormatError("unwritable", f"a {type(value).__name__} cannot be written as text")
    bad = _CONTROL.search(value)
    if bad is not None:
        raise FormatError("unwritable", f"character U+{ord(bad.group()):04X} is not allowed in XML")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise FormatError("unwritable", "a lone surrogate is not allowed in XML") from error
    return value
