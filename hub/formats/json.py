"""JSON, exact: RFC 8259 read strictly (RFC 8259 section 4 leaves duplicate names open; they are refused here).

Two readers agree on one language. The fast one is msgspec's C decoder; what it cannot tell (a name given twice,
nesting, numbers of absurd length) is checked on its result with a few C-speed operations. Whenever a check fails or is
in doubt, the careful reader in :mod:`hub.formats.json_scanner` reads the body again: it has the last word and knows
positions.
"""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from hub.formats import json_scanner
from hub.formats.tree import MAX_NUMBER_DIGITS, FormatError, Position, ReadTree, Tree, plain_number

MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 100

_BOM = b"\xef\xbb\xbf"
_NEITHER_BRACKET_NOR_QUOTE = bytes(set(range(256)) - set(b'[]{}"'))
_DIGITS_ALIKE = bytes.maketrans(b"123456789", b"000000000")
_TOO_MANY_DIGITS = b"0" * (MAX_NUMBER_DIGITS + 1)
_COMMON_DEPTH = 12


_WIDE_INTEGER = 2**63
_TEXT = frozenset({str})
_ALWAYS_PLAIN = frozenset({str, bool, type(None)})


class _Doubtful(Exception):
    """The fast reader met something only the careful one may judge."""


def _decimal(text: str) -> Decimal:
    if len(text) > 24 or "e" in text or "E" in text:
        raise _Doubtful
    return Decimal(text)


_decoder = msgspec.json.Decoder(float_hook=_decimal)
_encode = msgspec.json.Encoder(decimal_format="number").encode
_encode_sorted = msgspec.json.Encoder(decimal_format="number", order="sorted").encode


def loads(data: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> Tree:
    """Read one JSON value; a UTF-8 byte order mark before it is skipped.

    Integers are ``int``, numbers with a point or exponent ``Decimal`` with the digits as written. Raises
    :class:`FormatError` for everything that is not exactly one well-formed value: duplicate names, NaN and Infinity,
    bytes that are no UTF-8, lone surrogates, numbers above 400 digits, nesting above ``max_depth`` (a scalar has depth
    0), more than ``max_bytes``.
    """
    if len(data) > max_bytes:
        raise FormatError("too_large", f"the body has {len(data)} bytes, at most {max_bytes} are read")
    skipped = len(_BOM) if data.startswith(_BOM) else 0
    body = data[skipped:] if skipped else data
    try:
        tree: Tree = _decoder.decode(body)
        if _is_beyond_doubt(body, tree, max_depth):
            return tree
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, _Doubtful):
        pass  # the careful reader finds out what it is and where
    try:
        return json_scanner.scan(body, max_depth=max_depth)
    except FormatError as error:
        raise _shifted(error, skipped) from None


def loads_canonical(data: bytes) -> Tree:
    """Read what `dumps_canonical` wrote: no name stands twice in it, so nothing needs to be looked for."""
    try:
        tree: Tree = _decoder.decode(data)
    except (msgspec.MsgspecError, _Doubtful):
        return loads(data)
    return tree


def _is_beyond_doubt(body: bytes, tree: Tree, max_depth: int) -> bool:
    """Whether the decoded tree is certainly all of the body.

    A name given twice loses at least its colon: without escaped colons, body and re-encoded tree have equally many
    exactly if nothing was lost.
    """
    if b"\\u003" in body:
        return False
    encoded = _encode(tree)
    if body.count(b":") != encoded.count(b":"):
        return False
    if _TOO_MANY_DIGITS in encoded.translate(_DIGITS_ALIKE):
        return False
    return _is_visibly_shallow(encoded, max_depth) or _depth_is_within(tree, max_depth)


def _is_visibly_shallow(encoded: bytes, max_depth: int) -> bool:
    """Whether taking away innermost pairs of brackets empties the text soon enough.

    A bracket inside a text has an odd number of quotes before it, so that a quote remains and the answer is no; an
    escaped quote would spoil that count and is a no at once. "No" only means that the tree must be walked.
    """
    if b'\\"' in encoded:
        return False
    left = encoded.translate(None, _NEITHER_BRACKET_NOR_QUOTE).replace(b'""', b"")
    for _ in range(min(_COMMON_DEPTH, max_depth)):
        if not left:
            return True
        left = left.replace(b"[]", b"").replace(b"{}", b"")
    return not left


def _depth_is_within(tree: Tree, limit: int) -> bool:
    level: list[Tree] = [tree]
    for _ in range(limit + 1):
        deeper: list[Tree] = []
        for node in level:
            if isinstance(node, dict):
                deeper.extend(node.values())
            elif isinstance(node, list):
                deeper.extend(node)
        if not any(isinstance(node, dict | list) for node in level):
            return True
        level = deeper
    return False


def _shifted(error: FormatError, skipped: int) -> FormatError:
    if not skipped or error.position is None:
        return error
    at = error.position
    return FormatError(error.code, error.message, Position(at.offset + skipped, at.line, at.column))


def dumps_canonical(tree: ReadTree) -> bytes:
    """The one byte form of a tree: names sorted by code point, no spaces, UTF-8, text stays text.

    A ``Decimal`` becomes a plain JSON number without an exponent and keeps its trailing zeros (``Decimal("1.50")`` is
    ``1.50``); one written with a positive exponent comes out as the integer it is. Equal trees give equal bytes, and
    ``loads(dumps_canonical(tree)) == tree``. Raises :class:`FormatError` (``unwritable``, ``number``) for floats, names
    that are no text, lone surrogates and values of other types.
    """
    try:
        if _is_plain([tree], 0):
            return _encode_sorted(tree)
        return _encode_slowly(tree).encode("utf-8")
    except (UnicodeEncodeError, msgspec.MsgspecError) as error:
        raise FormatError("unwritable", "text with a lone surrogate cannot be written as UTF-8") from error
    except RecursionError as error:
        raise FormatError("too_deep", f"nesting deeper than {MAX_DEPTH} levels cannot be written") from error


def _is_plain(nodes: Iterable[object], depth: int) -> bool:
    """Checks every value and says whether the C encoder writes all of them as promised."""
    if depth > MAX_DEPTH + 1:
        raise FormatError("too_deep", f"nesting deeper than {MAX_DEPTH} levels cannot be written")
    plain = True
    for node in nodes:
        kind = type(node)
        if kind in _ALWAYS_PLAIN:
            continue
        if kind is int:
            if not -_WIDE_INTEGER < node < _WIDE_INTEGER:  # type: ignore[operator]  # kind says that it is one
                plain = False
            continue
        if isinstance(node, dict):
            if not _TEXT.issuperset(map(type, node)):
                raise FormatError("unwritable", "a name must be text")
            plain = _is_plain(node.values(), depth + 1) and plain
        elif isinstance(node, list | tuple):
            plain = _is_plain(node, depth + 1) and plain
        elif isinstance(node, Decimal):
            _, digits, exponent = node.as_tuple()
            if not isinstance(exponent, int) or exponent > 0 or exponent < -6 or len(digits) > 28:
                plain = False
        elif isinstance(node, float):
            raise FormatError("unwritable", "a binary floating point number has no place in a tree; use Decimal")
        else:
            plain = False
    return plain


def _encode_slowly(node: object) -> str:
    if isinstance(node, str) or node is None or isinstance(node, bool):
        return _encode(node).decode("utf-8")
    if isinstance(node, int):
        if abs(node) >= 10**MAX_NUMBER_DIGITS:
            raise FormatError("number", f"a number of more than {MAX_NUMBER_DIGITS} digits cannot be written")
        return str(node)
    if isinstance(node, Decimal):
        return plain_number(node)
    if isinstance(node, dict):
        pairs = (f"{_encode_slowly(name)}:{_encode_slowly(node[name])}" for name in sorted(node))
        return "{" + ",".join(pairs) + "}"
    if isinstance(node, list | tuple):
        return "[" + ",".join(map(_encode_slowly, node)) + "]"
    raise FormatError("unwritable", f"a {type(node).__name__} cannot be written as JSON")
