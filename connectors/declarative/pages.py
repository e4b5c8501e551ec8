"""How a list goes on: where the next page is, and when there is none."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from connectors.declarative.client import Answer, Client
from connectors.declarative.definition import PagesSpec
from connectors.declarative.request import Prepared, text_of
from hub.sdk.connector import Context, Expression
from hub.sdk.errors import DataError
from hub.sdk.records import Tree

ALL_AT_ONCE: PagesSpec = {"kind": "none", "first": 1, "size": 100, "at_most": 1}
MAX_TOKEN_CHARACTERS = 8_000
MAX_LINK_CHARACTERS = 16_000
_LINK = re.compile(r"<([^<>]*)>((?:\s*;\s*[^\s=;,\"]+\s*=\s*(?:\"[^\"]*\"|[^\s;,\"]+))*)")
_PARAMETER = re.compile(r";\s*([^\s=;,\"]+)\s*=\s*(?:\"([^\"]*)\"|([^\s;,\"]+))")


@dataclass(frozen=True, slots=True)
class Page:
    """`state` leads to the page after this one; None = this is the last. `number` counts from 1 within the pass."""

    answer: Answer
    records: list[Tree]
    state: str | None
    number: int


@dataclass(slots=True)
class Pages:
    """A described list. `records` cuts an answer; every page is asked with `request`."""

    client: Client
    spec: PagesSpec
    records: Expression
    context: Context
    _next: Expression | None = field(init=False)
    _more: Expression | None = field(init=False)

    def __post_init__(self) -> None:
        self._next, self._more = (
            self.context.expression(str(self.spec[name])) if name in self.spec else None for name in ("next", "more")
        )

    def walk(self, request: Prepared, operation: str, *, state: str | None = None, number: int = 0) -> Iterator[Page]:
        """Every page from `state` on (None = the first). Raises DataError for a list that turns in a circle, has no
        end, or leads to another host; and what a call raises."""
        at = state if state is not None else self._first()
        seen_states, seen_pages = {at}, set[str]()
        while True:
            number += 1
            if number > self.spec["at_most"] and self.spec["kind"] != "none":
                raise DataError(f"the list did not end within {self.spec['at_most']} pages")
            answer = self._ask(request, operation, at)
            found = cut(self.records, answer.tree)
            following = self._following(at, answer, len(found))
            if following is not None:
                _not_again(following, seen_states, "the next page is one that was read already")
                digest = hashlib.sha256(answer.response.body).hexdigest() if found else ""
                _not_again(digest, seen_pages, "a page came twice")
            yield Page(answer, found, following, number)
            if following is None:
                return
            at = following

    def _first(self) -> str:
        match self.spec["kind"]:
            case "page_number":
                return str(self.spec["first"])
            case "offset":
                return "0"
            case _:
                return ""

    def _ask(self, request: Prepared, operation: str, at: str) -> Answer:
        if self.spec["kind"] in ("link", "next_url"):
            # Kept addresses are looked at again: the configuration may lead elsewhere by now.
            address = self.client.same_host(at, at) if at else None
            return self.client.call(request, operation, address=address)
        extra: Mapping[str, str] = {self.spec.get("parameter", ""): at} if at and self.spec["kind"] != "none" else {}
        return self.client.call(request, operation, extra=extra)

    def _following(self, at: str, answer: Answer, count: int) -> str | None:
        kind = self.spec["kind"]
        if kind == "none" or (self._more is not None and self._more(answer.tree) in (None, False, "", "false")):
            return None
        match kind:
            case "page_number":
                return str(_number(at) + 1) if count or self._more else None
            case "offset":
                if self._more is not None and not count:
                    raise DataError("the list says that there is more, and gives nothing")
                return str(_number(at) + count) if count else None
            case "cursor":
                return _token(self._next, answer.tree)
            case "link":
                target = next_link(answer.response.headers.get("link", ""))
            case _:
                target = _token(self._next, answer.tree)
        return None if target is None else self.client.same_host(target, answer.address)


def cut(records: Expression, tree: Tree) -> list[Tree]:
    """The records of an answer. Raises DataError where they are not: an error page is no empty list."""
    found = records(tree)
    if isinstance(found, list):
        return found
    if isinstance(found, dict):
        return [found]
    raise DataError("the answer has no records where connector.yaml says")


def next_link(header: str) -> str | None:
    """The target of rel="next" in a Link header (RFC 8288 section 3); `rel` may hold several words."""
    for target, parameters in _LINK.findall(header[:MAX_LINK_CHARACTERS]):
        relations = [
            (quoted or plain).lower().split()
            for name, quoted, plain in _PARAMETER.findall(parameters)
            if name.lower() == "rel"
        ]
        if relations and "next" in relations[0]:
            return str(target)
    return None


def _token(next_: Expression | None, tree: Tree) -> str | None:
    text = None if next_ is None else text_of(next_(tree), "next page")
    if text and len(text) > MAX_TOKEN_CHARACTERS:
        raise DataError(f"the next page is named in more than {MAX_TOKEN_CHARACTERS} characters")
    return text or None


def _number(at: str) -> int:
    if not (at.isascii() and at.isdigit() and len(at) < 18):
        raise DataError("the kept page number is none")
    return int(at)


def _not_again(one: str, seen: set[str], words: str) -> None:
    if one and one in seen:
        raise DataError(f"{words}: the list turns in a circle")
    seen.add(one)
