"""A file to import as rows: CSV with a header, JSON lines, or a JSON list; what cannot be read is said by its line."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from hub.cli.failure import FAILED, Failure
from hub.formats import FormatError, csv, json
from hub.formats.tree import plain_number

MAX_FILE_BYTES = 64 * 1024 * 1024
ORDER_FIELDS = ("external_id", "number", "placed_at", "currency", "payment_state", "fulfilment_state", "order_type")
LINE_FIELDS = ("external_line_id", "sku", "title", "quantity", "unit_price")


@dataclass(slots=True)
class Rows:
    """`rows` as the action takes them; `refused` by themselves: unreadable or standing twice. `columns` of CSV."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    sources: dict[int, list[Any]] = field(default_factory=dict)
    fingerprint: str = ""


def read(path: Path, kind: str, key: Sequence[str], options: Mapping[str, Any]) -> Rows:
    """`key`: the fields by which no two rows may be the same. Raises Failure where the file cannot be read at all."""
    body = path.read_bytes()
    if len(body) > MAX_FILE_BYTES:
        raise Failure(f"{path} has {len(body)} bytes; at most {MAX_FILE_BYTES} are read. Cut it in two.", FAILED)
    found = Rows()
    given = repr((kind, sorted(options.items()))).encode()
    found.fingerprint = hashlib.sha256(hashlib.sha256(body).digest() + given).hexdigest()
    text = body.removeprefix(b"\xef\xbb\xbf").lstrip()
    try:
        if text[:1] == b"[":
            _list(found, text)
        elif text[:1] == b"{":
            _json_lines(found, body)
        else:
            _csv(found, body, _orders if kind == "orders" else _each)
    except FormatError as error:
        raise Failure(f"{path}: {error}. Nothing was imported.", FAILED) from error
    if not found.rows and not found.refused:
        raise Failure(f"{path} holds nothing to import.", FAILED)
    _only_once(found, key)
    return found


def _add(found: Rows, line: int, values: Any, source: list[Any]) -> None:
    index = len(found.rows) + 1
    found.rows.append({"index": index, "row": line, "values": _plain(values)})
    found.sources[line] = source


def _plain(node: Any) -> Any:
    """Numbers with a point as text, digit for digit: so they travel to the process that writes them."""
    if isinstance(node, Decimal):
        return plain_number(node)
    if isinstance(node, dict):
        return {name: _plain(value) for name, value in node.items()}
    return [_plain(value) for value in node] if isinstance(node, list) else node


def _refuse(found: Rows, line: int, field_name: str, message: str, source: list[Any]) -> None:
    found.refused.append({"row": line, "field": field_name, "message": message})
    found.sources[line] = source


def _list(found: Rows, text: bytes) -> None:
    tree = json.loads(text)
    for number, one in enumerate(tree if isinstance(tree, list) else [], start=1):
        if isinstance(one, dict):
            _add(found, number, one, [one])
        else:
            _refuse(found, number, "", "is no object", [one])


def _json_lines(found: Rows, body: bytes) -> None:
    for line, raw in enumerate(body.split(b"\n"), start=1):
        if not raw.strip():
            continue
        text = raw.decode("utf-8", "replace").strip()
        try:
            tree = json.loads(raw.strip().removeprefix(b"\xef\xbb\xbf"))
        except FormatError as error:
            _refuse(found, line, "", error.message, [text])
            continue
        if isinstance(tree, dict):
            _add(found, line, tree, [text])
        else:
            _refuse(found, line, "", "is no object", [text])


def _csv(found: Rows, body: bytes, made: Callable[[Rows, list[tuple[int, dict[str, Any]]]], None]) -> None:
    options = csv.read_options({})
    lines = [(line, tree) for line, tree in csv.lines(body, options) if isinstance(tree, dict)]
    table = csv.loads(body, options)
    assert isinstance(table, dict)
    columns = table["columns"]
    assert isinstance(columns, list)
    found.columns = [str(name) for name in columns]
    good = []
    for line, tree in lines:
        if csv.MORE in tree:
            _refuse(found, line, "", "has more cells than the header has names", [tree])
        else:
            good.append((line, tree))
    made(found, good)


def _each(found: Rows, lines: list[tuple[int, dict[str, Any]]]) -> None:
    for line, tree in lines:
        _add(found, line, tree, [tree])


def _orders(found: Rows, lines: list[tuple[int, dict[str, Any]]]) -> None:
    """A row an order line; rows of one external_id that follow each other are one order."""
    groups: list[tuple[int, list[dict[str, Any]]]] = []
    for line, tree in lines:
        if groups and groups[-1][1][0].get("external_id") == tree.get("external_id"):
            groups[-1][1].append(tree)
        else:
            groups.append((line, [tree]))
    for line, rows in groups:
        _add(found, line, _order(rows), list(rows))


def _order(rows: list[dict[str, Any]]) -> dict[str, Any]:
    first = rows[0]
    order: dict[str, Any] = {name: first[name] for name in ORDER_FIELDS if first.get(name)}
    if first.get("total"):
        order["totals"] = {"total": first["total"]}
    order["lines"] = [
        {"external_line_id": str(number), **{name: row[name] for name in LINE_FIELDS if row.get(name)}}
        for number, row in enumerate(rows, start=1)
    ]
    return order


def _only_once(found: Rows, key: Sequence[str]) -> None:
    first: dict[tuple[str, ...], int] = {}
    kept: list[dict[str, Any]] = []
    for row in found.rows:
        named = tuple(str(row["values"].get(name, "")).strip() for name in key)
        before = first.setdefault(named, row["row"])
        if before != row["row"] and any(named):
            message = f"stands twice, first on line {before}"
            found.refused.append({"row": row["row"], "field": ", ".join(key), "message": message})
        else:
            kept.append({**row, "index": len(kept) + 1})
    found.rows = kept


def write_refused(path: Path, found: Rows, lines: Sequence[int]) -> Path:
    """The refused rows as they stood, in a file beside the imported one, to be mended and imported again."""
    rows = [one for line in lines for one in found.sources.get(line, [])]
    target = path.with_name(f"{path.stem}.refused{path.suffix}")
    if found.columns:
        options = csv.read_options({"formulas": True, "line_end": "lf"})
        table = [{name: row.get(name, "") for name in found.columns} for row in rows]
        target.write_bytes(csv.dumps({"columns": [*found.columns], "rows": table}, options))
    elif rows and isinstance(rows[0], str):
        target.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    else:
        target.write_bytes(b"[\n" + b",\n".join(json.dumps_canonical(row) for row in rows) + b"\n]\n")
    target.chmod(0o600)
    return target
