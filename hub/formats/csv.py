"""CSV and its kin, exact: every cell is text, no number is guessed (RFC 4180, and what is really sent).

Read are a byte order mark, any of the usual encodings and delimiters, quoted line breaks, rows that are too short (what
is missing is absent) or too long (what is more stands under ``#more``). Written cells that a spreadsheet would take for
a formula get an apostrophe in front (OWASP, CSV injection), unless the option ``formulas`` says that no spreadsheet
reads the file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from hub.formats.tree import FormatError, Position, ReadTree, Tree, plain_number, position_at

MAX_BYTES = 64 * 1024 * 1024
MAX_ROWS = 1_000_000
MAX_COLUMNS = 2_000
MAX_CELLS = 5_000_000
MORE = "#more"
OPTION_NAMES = frozenset({"delimiter", "quote", "encoding", "header", "columns", "formulas", "line_end", "skip"})

_ENCODINGS = {
    "utf-8": "utf-8",
    "utf-16": "utf-16",
    "iso-8859-1": "iso-8859-1",
    "iso-8859-15": "iso-8859-15",
    "windows-1252": "windows-1252",
    "ascii": "ascii",
}
_LINE_ENDS = {"crlf": "\r\n", "lf": "\n"}
_RISKY = ("=", "+", "-", "@", "\t", "\r")
_PLAIN_NUMBER = frozenset("0123456789.")


@dataclass(frozen=True, slots=True)
class CsvOptions:
    """`header`: the first row names the columns; else `columns` do, else their numbers from 1. `skip`: rows in front of
    it that are no data. `quote` empty: quotes are data. `formulas`: cells are written as they are."""

    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    header: bool = True
    columns: tuple[str, ...] = ()
    formulas: bool = False
    line_end: str = "\r\n"
    skip: int = 0


def read_options(options: Mapping[str, ReadTree]) -> CsvOptions:
    """The options as configuration writes them; raises FormatError (`option`)."""
    delimiter, quote = _character(options, "delimiter", ","), _character(options, "quote", '"')
    if not delimiter or delimiter == quote or delimiter in "\r\n" or (quote and quote in "\r\n"):
        raise FormatError("option", "delimiter and quote are two different characters, none of them a line break")
    encoding = _word(options, "encoding", "utf-8").lower()
    if encoding not in _ENCODINGS:
        raise FormatError("option", f"encoding is one of {', '.join(_ENCODINGS)}")
    line_end = _word(options, "line_end", "crlf")
    if line_end not in _LINE_ENDS:
        raise FormatError("option", f"line_end is one of {', '.join(_LINE_ENDS)}")
    columns = options.get("columns", ())
    if isinstance(columns, str) or not isinstance(columns, list | tuple):
        raise FormatError("option", "columns must be a list of names")
    names = tuple(name for name in columns if isinstance(name, str))
    if len(names) != len(columns) or len(set(names)) != len(names) or MORE in names:
        raise FormatError("option", "columns must be a list of different names")
    skip = options.get("skip", 0)
    if not isinstance(skip, int) or isinstance(skip, bool) or not 0 <= skip <= 1000:
        raise FormatError("option", "skip is a number of rows up to 1000")
    return CsvOptions(
        delimiter,
        quote,
        encoding,
        _flag(options, "header", default=not names),
        names,
        _flag(options, "formulas", default=False),
        _LINE_ENDS[line_end],
        skip,
    )


def _character(options: Mapping[str, ReadTree], name: str, default: str) -> str:
    value = options.get(name, default)
    if value == "tab":
        return "\t"
    if not isinstance(value, str) or len(value) > 1:
        raise FormatError("option", f"{name} is one character, or tab")
    return value


def _word(options: Mapping[str, ReadTree], name: str, default: str) -> str:
    value = options.get(name, default)
    if not isinstance(value, str):
        raise FormatError("option", f"{name} must be text")
    return value


def _flag(options: Mapping[str, ReadTree], name: str, *, default: bool) -> bool:
    value = options.get(name, default)
    if not isinstance(value, bool):
        raise FormatError("option", f"{name} must be true or false")
    return value


def loads(data: bytes, options: CsvOptions, *, max_bytes: int = MAX_BYTES) -> Tree:
    """``{"columns": [names], "rows": [{name: text}]}``. Raises FormatError with the place."""
    names, rows = _table(data, options, max_bytes)
    return {"columns": [*names], "rows": [_named(names, row) for _, row in rows]}


def split(data: bytes, options: CsvOptions) -> list[tuple[str, Tree]]:
    """Each row with its position ``row.3``, the first one below the header being 1."""
    names, rows = _table(data, options, MAX_BYTES)
    return [(f"row.{number}", _named(names, row)) for number, (_, row) in enumerate(rows, start=1)]


def lines(data: bytes, options: CsvOptions) -> list[tuple[int, Tree]]:
    """Each row with the line on which it begins, from 1: for those who mend the file."""
    names, rows = _table(data, options, MAX_BYTES)
    return [(line, _named(names, row)) for line, row in rows]


def _table(data: bytes, options: CsvOptions, max_bytes: int) -> tuple[list[str], list[tuple[int, list[str]]]]:
    if len(data) > max_bytes:
        raise FormatError("too_large", f"the body has {len(data)} bytes, at most {max_bytes} are read")
    text = _decoded(data, options.encoding)
    rows = [row for row in _Scanner(text, options).rows() if row[1] != [""]]
    rows = rows[options.skip :]
    if not options.header:
        width = max((len(row) for _, row in rows), default=0)
        return list(options.columns) or [str(number) for number in range(1, width + 1)], rows
    if not rows:
        raise FormatError("syntax", "the file has no header")
    line, header = rows[0]
    names = list(options.columns) or [name.strip() for name in header]
    while names and not names[-1] and not options.columns:
        names.pop()
    for place, name in enumerate(names, start=1):
        if not name:
            raise FormatError("syntax", f"column {place} has no name", Position(0, line, 1))
        if name == MORE or names.index(name) != place - 1:
            raise FormatError("duplicate_key", f'two columns are called "{name}"', Position(0, line, 1))
    return names, rows[1:]


def _named(names: Sequence[str], row: Sequence[str]) -> Tree:
    named: dict[str, Tree] = dict(zip(names, row, strict=False))
    if len(row) > len(names):
        more: list[Tree] = [*row[len(names) :]]
        if any(more):
            named[MORE] = more
    return named


def _decoded(data: bytes, encoding: str) -> str:
    if encoding == "utf-8" and data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    try:
        return data.decode(_ENCODINGS[encoding]).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        where = position_at(data, error.start)
        raise FormatError("encoding", f"byte 0x{data[error.start]:02x} is no {encoding}", where) from None


class _Scanner:
    """Cuts text into rows. A quote opens a quoted cell only where the cell begins, as spreadsheets do."""

    def __init__(self, text: str, options: CsvOptions) -> None:
        self._text = text
        self._options = options
        self._cells = 0

    def rows(self) -> list[tuple[int, list[str]]]:
        """(line on which it begins, cells)."""
        rows: list[tuple[int, list[str]]] = []
        text, at, line = self._text, 0, 1
        while at < len(text):
            row, end = self._row(at, line)
            rows.append((line, row))
            if len(rows) > MAX_ROWS:
                raise FormatError("too_large", f"the file has more than {MAX_ROWS} rows")
            line += text.count("\n", at, end) + text.count("\r", at, end) - text.count("\r\n", at, end)
            at = end
        return rows

    def _row(self, at: int, line: int) -> tuple[list[str], int]:
        text, delimiter, quote = self._text, self._options.delimiter, self._options.quote
        stop = _line_end(text, at)
        if not quote or text.find(quote, at, stop) < 0:
            row = text[at:stop].split(delimiter)
            self._count(len(row), line)
            return row, _behind(text, stop)
        row = []
        while True:
            if text.startswith(quote, at):
                cell, at = self._quoted(at + 1, line)
                if at < len(text) and text[at] not in (delimiter, "\r", "\n"):
                    rest = min(_found(text, delimiter, at), _line_end(text, at))
                    cell, at = cell + text[at:rest], rest
            else:
                end = min(_found(text, delimiter, at), _line_end(text, at))
                cell, at = text[at:end], end
            row.append(cell)
            if len(row) > MAX_COLUMNS:
                break
            if at < len(text) and text[at] == delimiter:
                at += 1
                continue
            break
        self._count(len(row), line)
        return row, _behind(text, at)

    def _quoted(self, at: int, line: int) -> tuple[str, int]:
        """The cell whose opening quote stands before `at`, and the place behind its closing one."""
        text, quote = self._text, self._options.quote
        parts: list[str] = []
        while True:
            end = text.find(quote, at)
            if end < 0:
                where = Position(len(text[:at].encode("utf-8", "replace")), line, 1)
                raise FormatError("syntax", "a quoted cell is not closed", where)
            parts.append(text[at:end])
            if not text.startswith(quote, end + 1):
                return "".join(parts), end + 1
            parts.append(quote)
            at = end + 2

    def _count(self, cells: int, line: int) -> None:
        self._cells += cells
        if cells > MAX_COLUMNS:
            raise FormatError("too_large", f"a row has more than {MAX_COLUMNS} columns", Position(0, line, 1))
        if self._cells > MAX_CELLS:
            raise FormatError("too_large", f"the file has more than {MAX_CELLS} cells", Position(0, line, 1))


def _found(text: str, what: str, at: int) -> int:
    place = text.find(what, at)
    return len(text) if place < 0 else place


def _line_end(text: str, at: int) -> int:
    feed = _found(text, "\n", at)
    back = text.find("\r", at, feed)
    return feed if back < 0 else back


def _behind(text: str, at: int) -> int:
    if text.startswith("\r\n", at):
        return at + 2
    return min(at + 1, len(text))


def dumps(tree: ReadTree, options: CsvOptions) -> bytes:
    """Write ``{"columns", "rows"}`` or a list of rows. Raises FormatError (`unwritable`)."""
    columns, rows = _written_rows(tree, options)
    lines = [columns] if options.header else []
    lines += [[_cell(row.get(name)) for name in columns] for row in rows]
    if len(columns) > MAX_COLUMNS or len(lines) > MAX_ROWS:
        raise FormatError("unwritable", f"more than {MAX_COLUMNS} columns or {MAX_ROWS} rows")
    text = "".join(options.delimiter.join(_quoted(cell, options) for cell in line) + options.line_end for line in lines)
    try:
        return text.encode(_ENCODINGS[options.encoding])
    except UnicodeEncodeError as error:
        problem = f"character U+{ord(text[error.start]):04X} cannot be written in {options.encoding}"
        raise FormatError("unwritable", problem) from error


def _written_rows(tree: ReadTree, options: CsvOptions) -> tuple[list[str], list[Mapping[str, ReadTree]]]:
    given: ReadTree = tree
    names = list(options.columns)
    if isinstance(tree, Mapping):
        given = tree.get("rows")
        told = tree.get("columns")
        if not names and isinstance(told, list | tuple):
            names = [name for name in told if isinstance(name, str)]
    if isinstance(given, str) or not isinstance(given, list | tuple):
        raise FormatError("unwritable", "CSV is written from a list of rows")
    rows: list[Mapping[str, ReadTree]] = []
    for row in given:
        if not isinstance(row, Mapping):
            raise FormatError("unwritable", "a row must be an object")
        rows.append(row)
    if not names:
        names = list(dict.fromkeys(name for row in rows for name in row))
    unknown = {name for row in rows for name in row} - set(names)
    if unknown:
        raise FormatError("unwritable", f'there is no column "{min(unknown)}"')
    return names, rows


def _cell(value: ReadTree) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return plain_number(value)
    raise FormatError("unwritable", "a cell is text or a number")


def _quoted(cell: str, options: CsvOptions) -> str:
    if not options.formulas and cell.startswith(_RISKY) and not _is_number(cell):
        cell = f"'{cell}"
    quote = options.quote
    special = options.delimiter in cell or "\r" in cell or "\n" in cell
    if not quote:
        if special:
            raise FormatError("unwritable", "a cell holds the delimiter or a line break, and there is no quote")
        return cell
    if special or quote in cell or cell != cell.strip():
        return f"{quote}{cell.replace(quote, quote * 2)}{quote}"
    return cell


def _is_number(cell: str) -> bool:
    """A sign before digits is a number, not a formula."""
    return len(cell) > 1 and cell[0] in "+-" and _PLAIN_NUMBER.issuperset(cell[1:]) and cell.count(".") <= 1
