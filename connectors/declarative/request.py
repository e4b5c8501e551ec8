"""From a request's description and what its expressions see to what goes over the wire."""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from connectors.declarative.definition import RequestSpec, Value
from hub.sdk.connector import Expression
from hub.sdk.records import Tree

Compile = Callable[[str], Expression]
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
HOLES = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))


class Unsendable(Exception):
    """What should be in the request is not there, or cannot be written; nothing was sent."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request but for who we are: the path as it is sent, pairs of its query, headers in lower case."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class RequestTemplate:
    """A described request. `body` is the expression of a body that the description leaves open."""

    def __init__(self, spec: RequestSpec, compile_: Compile, *, body: str | None = None) -> None:
        self._spec = spec
        self._parameters = expressions(spec["parameters"], compile_)
        self._query = expressions(spec["query"], compile_)
        self._headers = expressions(spec["headers"], compile_)
        wanted = spec.get("body", body)
        self._body = compile_(wanted) if wanted is not None else None

    def prepare(self, scope: Tree) -> Prepared:
        """Raises Unsendable, and DataError from an expression that its values do not suit."""
        headers = written_headers(self._headers, scope)
        body = b""
        if self._body is not None:
            tree = self._body(scope)
            form = self._spec["encode"] == "form"
            body = form_body(tree) if form else json_body(tree)
            headers = {"content-type": FORM if form else JSON, **headers}
        query = tuple(
            (name, text) for name, value in self._query.items() for text in _texts(value(scope), f"query {name}")
        )
        return Prepared(self._spec["method"], self._path(scope), query, headers, body)

    def _path(self, scope: Tree) -> str:
        def fill(hole: re.Match[str]) -> str:
            name = hole[1]
            value = self._parameters.get(name)
            text = None if value is None else text_of(value(scope), f"path parameter {name}")
            if not text:
                raise Unsendable(f"the path needs {name}, and there is no such value")
            if text in (".", ".."):
                raise Unsendable(f"the path needs {name}, and {text} would lead elsewhere")
            return urllib.parse.quote(text, safe="")

        return HOLES.sub(fill, self._spec["path"])


def expressions(values: Mapping[str, Value], compile_: Compile) -> dict[str, Expression]:
    return {name: compile_(value) if isinstance(value, str) else _constant(value) for name, value in values.items()}


def _constant(value: Tree) -> Expression:
    return lambda _scope: value


def written_headers(headers: Mapping[str, Expression], scope: Tree) -> dict[str, str]:
    """Header values are ASCII (RFC 9110 section 5.5): what is beyond it is percent-encoded, the same every time."""
    written = {}
    for name, value in headers.items():
        text = text_of(value(scope), f"header {name}")
        if text is not None:
            written[name.lower()] = urllib.parse.quote(text, safe=_PRINTABLE)
    return written


def text_of(value: Tree, what: str) -> str | None:
    """A scalar as text, digit for digit; None for nothing. Raises Unsendable for a list or an object."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int | Decimal):
        return format(value, "f") if isinstance(value, Decimal) else str(value)
    raise Unsendable(f"the {what} is no text or number")


def _texts(value: Tree, what: str) -> list[str]:
    found = [text_of(one, what) for one in (value if isinstance(value, list) else [value])]
    return [text for text in found if text is not None]


def json_body(tree: Tree) -> bytes:
    """JSON with exact numbers: a Decimal is written as a text, as canonical payloads hold them."""
    return json.dumps(tree, default=_decimal, ensure_ascii=False, separators=(",", ":")).encode()


def form_body(tree: Tree) -> bytes:
    """A flat object as a form; a list repeats its name. Raises Unsendable for anything else."""
    if not isinstance(tree, dict):
        raise Unsendable("a form needs an object")
    pairs = [(name, text) for name, value in tree.items() for text in _texts(value, f"form field {name}")]
    return urllib.parse.urlencode(pairs).encode()


def _decimal(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    raise Unsendable(f"a body holds no {type(value).__name__}")
