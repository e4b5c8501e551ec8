"""One request of a browser on its way to a page, and what comes back."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hub.runtime.control import ActionRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from hub.actions.sessions import Visitor
    from hub.runtime.hub import Hub
    from hub.store.reading import ReadingPool

COOKIE = "hub_session"
LONGEST_FIELD = 2_000


class Stop(Exception):
    """A request that gets no page: `status` and words for a person."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status, self.words = status, words


@dataclass(frozen=True, slots=True)
class Page:
    """A template with what it shows."""

    template: str
    values: Mapping[str, Any]
    status: int = 200


@dataclass(frozen=True, slots=True)
class Go:
    """Another page comes next, and says `words` once at its top; `good` or as something that was not done."""

    path: str
    words: str = ""
    good: bool = True
    cookies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Download:
    """Bytes to be saved, never to be shown as a page of this site."""

    name: str
    body: bytes


Answer = Page | Go | Download


@dataclass(slots=True)
class Request:
    """`query` and `form` with the last value of each name; `visitor` None only on the way in."""

    hub: Hub
    pool: Callable[[], ReadingPool]
    method: str
    path: str
    query: Mapping[str, str]
    form: Mapping[str, str]
    token: str = ""
    visitor: Visitor | None = None
    said: tuple[bool, str] | None = None
    params: Mapping[str, str] = field(default_factory=dict)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A read-only connection of one consistent state."""
        with self.pool().reading() as connection:
            yield connection

    def may(self, scope: str) -> bool:
        return self.visitor is not None and scope in self.visitor.scopes

    def asked(self, name: str, longest: int = 200) -> str | None:
        """A parameter of the address; None where it is empty, absent or no text that could be meant."""
        given = self.query.get(name, "").strip()
        return given if given and len(given) <= longest and given.isprintable() else None

    def given(self, name: str, label: str = "") -> str:
        """A field of the form that must be filled. Raises Stop."""
        found = self.form.get(name, "").strip()
        if not found:
            raise Stop(400, f"Say {label or name}.")
        if len(found) > LONGEST_FIELD or "\x00" in found:
            raise Stop(400, f"What you gave as {label or name} is too long.")
        return found

    def act(self, action: str, **arguments: Any) -> dict[str, Any]:
        """Do one thing of hub.actions as this visitor. Raises ActionRefused with words for a person."""
        assert self.visitor is not None
        return self.hub.act(action, {**arguments, "who": self.visitor.who})

    def do(self, back: str, action: str, **arguments: Any) -> Go:
        """As `act`, and then back to a page that says what came of it."""
        try:
            return Go(back, str(self.act(action, **arguments)["message"]))
        except ActionRefused as error:
            return Go(back, str(error), good=False)


@dataclass(frozen=True, slots=True)
class Route:
    """A page or what a form does: for whom (`scope`; "" for every visitor), or for everybody (`open`: the way in)."""

    method: str
    pattern: re.Pattern[str]
    run: Callable[[Request], Answer]
    scope: str
    open: bool = False


def get(pattern: str, run: Callable[[Request], Answer], scope: str) -> Route:
    return Route("GET", re.compile(pattern), run, scope)


def post(pattern: str, run: Callable[[Request], Answer], scope: str) -> Route:
    return Route("POST", re.compile(pattern), run, scope)


def csrf_of(token: str) -> str:
    """What every form of a session carries: known only to whom the session's pages are shown."""
    return hmac.new(token.encode("utf-8", "surrogatepass"), b"forms of this session", hashlib.sha256).hexdigest()
