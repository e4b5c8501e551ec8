"""The careful JSON reader, pure Python with a position for every refusal.

:mod:`hub.formats.json` asks it when in doubt.
"""

import re
from decimal import Decimal
from typing import NoReturn

from hub.formats.tree import MAX_NUMBER_DIGITS, FormatError, Tree, plain_digits, position_at

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_PLAIN_TEXT = re.compile(r'[^"\\\x00-\x1f]*')
_HEX = re.compile(r"[0-9a-fA-F]{4}")
_WORD = re.compile(r"-?[A-Za-z]+")
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_TOO_LONG = f"a number of more than {MAX_NUMBER_DIGITS} digits is not read"
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}


def scan(body: bytes, *, max_depth: int) -> Tree:
    """Read one JSON value (no byte order mark) or raise :class:`FormatError` with the position of the first fault."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = body[error.start]
        raise FormatError(
            "encoding", f"byte 0x{byte:02x} is no UTF-8; JSON is UTF-8 only", position_at(body, error.start)
        ) from None
    return _Scanner(text, max_depth).document()


class _Scanner:
    def __init__(self, text: str, max_depth: int) -> None:
        self._text = text
        self._at = 0
        self._max_depth = max_depth

    def document(self) -> Tree:
        self._skip_space()
        if self._at == len(self._text):
            self._fail("the body is empty")
        tree = self._value(0)
        self._skip_space()
        if self._at != len(self._text):
            self._fail("there is something behind the end of the value")
        return tree

    def _value(self, depth: int) -> Tree:
        here = self._text[self._at : self._at + 1]
        if here == '"':
            return self._string()
        if here == "{":
            return self._object(depth + 1)
        if here == "[":
            return self._array(depth + 1)
        if here and here in "-0123456789":
            number = _NUMBER.match(self._text, self._at)
            if number is not None:
                return self._number(number)
        return self._word()

    def _object(self, depth: int) -> Tree:
        self._enter(depth)
        result: dict[str, Tree] = {}
        if self._take("}"):
            return result
        while True:
            start = self._at
            if self._text[start : start + 1] != '"':
                self._fail("a name in double quotes is expected here")
            name = self._string()
            if name in result:
                self._fail(f'the name "{_shown(name)}" is given twice in one object', start, "duplicate_key")
            self._skip_space()
            if not self._take(":"):
                self._fail('":" is expected after a name')
            result[name] = self._value(depth)
            self._skip_space()
            if self._take("}"):
                return result
            if not self._take(","):
                self._fail('"," or "}" is expected here')

    def _array(self, depth: int) -> Tree:
        self._enter(depth)
        result: list[Tree] = []
        if self._take("]"):
            return result
        while True:
            result.append(self._value(depth))
            self._skip_space()
            if self._take("]"):
                return result
            if not self._take(","):
                self._fail('"," or "]" is expected here')

    def _enter(self, depth: int) -> None:
        if depth > self._max_depth:
            self._fail(f"nested deeper than {self._max_depth} levels", code="too_deep")
        self._at += 1
        self._skip_space()

    def _string(self) -> str:
        start = self._at
        self._at += 1
        parts: list[str] = []
        while True:
            run = _PLAIN_TEXT.match(self._text, self._at)
            if run is not None:
                parts.append(run.group())
                self._at = run.end()
            here = self._text[self._at : self._at + 1]
            if here == '"':
                self._at += 1
                return "".join(parts)
            if here == "\\":
                parts.append(self._escape())
            elif here == "":
                self._fail("the body ends inside a text that begins here", start)
            else:
                self._fail(f"control character 0x{ord(here):02x} must be escaped in a text")

    def _escape(self) -> str:
        start = self._at
        letter = self._text[start + 1 : start + 2]
        if letter != "u":
            if letter not in _ESCAPES:
                self._fail("this escape does not exist in JSON")
            self._at += 2
            return _ESCAPES[letter]
        unit = self._code_unit()
        if 0xDC00 <= unit <= 0xDFFF:
            self._fail("a lone surrogate is no character", start, "encoding")
        if 0xD800 <= unit <= 0xDBFF:
            low = self._code_unit() if self._text.startswith("\\u", self._at) else 0
            if not 0xDC00 <= low <= 0xDFFF:
                self._fail("a lone surrogate is no character", start, "encoding")
            return chr(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00))
        return chr(unit)

    def _code_unit(self) -> int:
        digits = _HEX.match(self._text, self._at + 2)
        if digits is None:
            self._fail("\\u needs four hexadecimal digits")
        self._at = digits.end()
        return int(digits.group(), 16)

    def _number(self, number: re.Match[str]) -> int | Decimal:
        following = self._text[number.end() : number.end() + 1]
        if following and (following.isalnum() or following in ".+-_"):
            self._fail("this is no number in JSON")
        integer, fraction, exponent = number.groups()
        digits = len(integer.lstrip("-")) + len(fraction or "")
        if digits > MAX_NUMBER_DIGITS or (exponent is not None and _is_huge(exponent)):
            self._fail(_TOO_LONG, code="number")
        value = int(integer) if fraction is None and exponent is None else Decimal(number.group())
        if isinstance(value, Decimal) and plain_digits(value) > MAX_NUMBER_DIGITS:
            self._fail(_TOO_LONG, code="number")
        self._at = number.end()
        return value

    def _word(self) -> bool | None:
        word = _WORD.match(self._text, self._at)
        if word is not None and word.group() in _WORDS:
            self._at = word.end()
            return _WORDS[word.group()]
        if word is not None and word.group().lstrip("-") in ("NaN", "Infinity"):
            self._fail(f"{word.group()} is no number in JSON", code="number")
        at_end = self._at == len(self._text)
        return self._fail("the body ends where a value is expected" if at_end else "no JSON value begins here")

    def _take(self, character: str) -> bool:
        if not self._text.startswith(character, self._at):
            return False
        self._at += 1
        self._skip_space()
        return True

    def _skip_space(self) -> None:
        space = _SPACE.match(self._text, self._at)
        if space is not None:
            self._at = space.end()

    def _fail(self, message: str, at: int | None = None, code: str = "syntax") -> NoReturn:
        body = self._text.encode("utf-8")
        offset = len(self._text[: self._at if at is None else at].encode("utf-8"))
        raise FormatError(code, message, position_at(body, offset))


def _is_huge(exponent: str) -> bool:
    """Whether an exponent alone is out of the question, before Decimal sees it."""
    return len(exponent.lstrip("eE+-0")) > 4


def _shown(name: str) -> str:
    return name if len(name) <= 80 else name[:80] + "..."
