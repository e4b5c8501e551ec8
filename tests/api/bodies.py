"""Bodies that break parsers. Each is signed rightly, so that it reaches the store."""

from __future__ import annotations

import gzip
import json
from typing import Any

from tests.cli.site import shop_order


def _order() -> bytes:
    return json.dumps(shop_order()).encode()


def _with(name: str, text: str) -> bytes:
    """An order in which one value is written as `text`."""
    tree: dict[str, Any] = shop_order()
    tree[name] = "PUT IT HERE"
    return json.dumps(tree).replace('"PUT IT HERE"', text).encode("utf-8", "surrogatepass")


UNREADABLE: dict[str, bytes] = {
    "nothing": b"",
    "blanks": b"  \n\t ",
    "no JSON": b"order=1&total=2",
    "half an object": _order()[: len(_order()) // 2],
    "two objects": b'{"id": 1}{"id": 2}',
    "a list": b"[1, 2, 3]",
    "a text": b'"order"',
    "null": b"null",
    "nested too deep": b"[" * 100_000 + b"]" * 100_000,
    "objects nested too deep": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "a number of 5,000 digits": _with("note", "9" * 5000),
    "an exponent beyond all bounds": _with("note", "1e999999999"),
    "NaN": _with("total_price", "NaN"),
    "Infinity": _with("total_price", "-Infinity"),
    "a key given twice": b'{"id": 1, "qty": 1, "qty": 99}',
    "byte 0xff": b"\xff" + _order(),
    "byte 0xff in a text": _order().replace(b"Kim", b"K\xffm"),
    "half of a UTF-8 character": _order().replace(b"Kim", b"K\xc3"),
    "a raw surrogate": _order().replace(b"Kim", b"K\xed\xa0\x80"),
    "a lone surrogate by escape": _with("note", '"\\ud800"'),
    "a control character in a text": _order().replace(b"Kim", b"K\x01m"),
    "a NUL byte": _order().replace(b"Kim", b"K\x00m"),
    "a comment": b"/* an order */ " + _order(),
    "a comma too many": _order()[:-1] + b",}",
    "compressed without saying so": gzip.compress(_order()),
    "UTF-16": _order().decode().encode("utf-16"),
    "XML": b"<order><id>1</id></order>",
}
"""No record can be made of these: the receipt is kept as unparsable, with an exception."""

READABLE: dict[str, bytes] = {
    "a byte order mark": b"\xef\xbb\xbf" + _order(),
    "a text with NUL by escape": _with("note", '"a\\u0000b"'),
    "a text of a megabyte": _with("note", '"' + "x" * 1_000_000 + '"'),
    "an id of 40 digits": _with("id", "9" * 40),
    "an amount of 40 digits": _with("total_price", '"' + "9" * 40 + '.99"'),
    "a million in a quantity's place": _with("line_items", "[" + ",".join(["{}"] * 1000) + "]"),
    "a formula in a name": _with("note", '"=cmd|calc"'),
    "right-to-left marks": _with("note", '"\u202eabc"'),
}
"""These are JSON and come to some stated outcome."""
