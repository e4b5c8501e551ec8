"""Calls of one connection: address, authentication, and what an answer came to."""

from __future__ import annotations

import datetime as dt
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from connectors.declarative.auth import Auth, open_auth
from connectors.declarative.definition import Definition
from connectors.declarative.request import JSON, Prepared, expressions, text_of, written_headers
from hub.sdk.capabilities import SafetyMode
from hub.sdk.classify import ErrorTable, classify, load_table
from hub.sdk.connector import Context
from hub.sdk.errors import CallFailed, ConfigurationError, DataError, TransportError
from hub.sdk.ports import HttpResponse
from hub.sdk.records import Tree

FRESH_CONNECTIONS = frozenset({SafetyMode.LOOKUP, SafetyMode.NONE})
"""Modes in which a connection that the other side may have closed is not worth the doubt it brings."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A success. `tree` is None where there was no body, `address` what was asked, without our credentials."""

    response: HttpResponse
    tree: Tree
    address: str


class Client:
    """Makes requests as the definition says; shared by the connection's threads."""

    def __init__(self, definition: Definition, folder: Path, context: Context) -> None:
        self._context = context
        self._config: Tree = {"config": dict(context.config)}
        base = context.expression(definition["base_url"])(self._config)
        if not isinstance(base, str) or urllib.parse.urlsplit(base).scheme not in ("http", "https"):
            raise ConfigurationError(f"{definition['base_url']} is no address that begins with http:// or https://")
        self._base = base.rstrip("/")
        self._headers = {
            "accept": JSON,
            **written_headers(expressions(definition["headers"], context.expression), self._config),
        }
        self.auth: Auth = open_auth(definition.get("auth"), context.expression, context)
        errors = folder / "errors.yaml"
        self._errors = load_table(errors) if errors.is_file() else ErrorTable()
        failure = definition.get("failure")
        self._failure = {name: context.expression(str(text)) for name, text in (failure.items() if failure else ())}

    def call(
        self,
        prepared: Prepared,
        operation: str,
        *,
        safety: SafetyMode | None = None,
        deadline: dt.datetime | None = None,
        address: str | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send it and read the answer. `safety` None = a read. `address` is a whole one in place of path and query;
        `extra` are parameters of the query that replace its own of that name.

        Raises CallFailed and TransportError, and DataError for an answer that is no JSON.
        """
        credentials = self.auth.credentials(deadline)
        asked = address or self._address(prepared, extra or {})
        try:
            response = self._context.http.request(
                prepared.method,
                _with_query(asked, credentials.query),
                headers={**self._headers, **prepared.headers, **credentials.headers},
                body=prepared.body,
                deadline=deadline,
                operation=operation,
                reuse_idle=safety not in FRESH_CONNECTIONS,
            )
        except TransportError as error:
            raise TransportError(self.auth.hide(str(error)), before_first_byte=error.before_first_byte) from error
        failed = classify(response, safety, self._errors, now=self._context.clock.now())
        if failed is not None:
            raise self._discreet(failed)
        tree = self._tree(response)
        said = self._said(tree)
        if said is not None:
            code, words = said
            failed = classify(response, safety, self._errors, now=self._context.clock.now(), code=code, words=words)
            assert failed is not None  # a code was given
            raise self._discreet(failed)
        return Answer(response, tree, asked)

    def same_host(self, target: str, present: str) -> str:
        """An address that the answer to `present` gave. Raises DataError unless it leads where base_url leads.

        The credential among its parameters, if it repeats ours, is taken out: addresses are kept with the cursor.
        """
        try:
            parts = urllib.parse.urlsplit(urllib.parse.urljoin(present, target))
            origin = _origin(parts)
        except ValueError:
            raise DataError("the next address cannot be read") from None
        if origin != _origin(urllib.parse.urlsplit(self._base)) or "@" in parts.netloc:
            raise DataError(f"the next address leads to another host, {str(parts.hostname)[:100]}")
        ours = {name for name, _ in self.auth.credentials(None).query}
        kept = [pair for pair in parts.query.split("&") if urllib.parse.unquote(pair.partition("=")[0]) not in ours]
        return urllib.parse.urlunsplit((parts.scheme, parts.netloc, parts.path, "&".join(filter(None, kept)), ""))

    def _address(self, prepared: Prepared, extra: Mapping[str, str]) -> str:
        pairs = [pair for pair in prepared.query if pair[0] not in extra] + list(extra.items())
        return _with_query(self._base + prepared.path, tuple(pairs))

    def _tree(self, response: HttpResponse) -> Tree:
        if not response.body.strip():
            return None
        if "xml" in response.headers.get("content-type", ""):
            return self._context.loads_xml(response.body)
        return self._context.loads(response.body)

    def _said(self, tree: Tree) -> tuple[str, str] | None:
        """Code and words of a failure inside a success."""
        when = self._failure.get("when")
        if when is None or tree is None or when(tree) in (None, False, "", [], {}):
            return None
        code, words = (
            text_of(found(tree), name) or "" if (found := self._failure.get(name)) else "" for name in ("code", "words")
        )
        return code, words or "the answer says that it failed"

    def _discreet(self, failed: CallFailed) -> CallFailed:
        words = self.auth.hide(failed.words)
        if words == failed.words:
            return failed
        return CallFailed(
            failed.resolution,
            words,
            status=failed.status,
            retry_after_seconds=failed.retry_after_seconds,
            raw=failed.raw,
            content_type=failed.content_type,
            code=failed.code,
        )


def _origin(parts: urllib.parse.SplitResult) -> tuple[str, str | None, int | None]:
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, parts.port or default


def _with_query(address: str, pairs: tuple[tuple[str, str], ...]) -> str:
    if not pairs:
        return address
    return f"{address}{'&' if '?' in address else '?'}{urllib.parse.urlencode(pairs)}"
