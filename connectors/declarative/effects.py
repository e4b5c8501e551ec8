"""One capability: the call, and asking whether it happened."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from connectors.declarative.client import Client
from connectors.declarative.definition import EffectSpec, LookupSpec
from connectors.declarative.pages import cut
from connectors.declarative.request import JSON, RequestTemplate, Unsendable, json_body, text_of
from hub.sdk.capabilities import SafetyMode
from hub.sdk.connector import Context, Expression
from hub.sdk.errors import CallFailed, DataError, Resolution, TransportError
from hub.sdk.records import Effect, Found, NotFound, Reply, Tree, Unsure

EMPTY = b"{}"
"""What a reply mapping reads of an answer without a body (204)."""


class EffectCall:
    """Carries a capability out as described. `safety` is what the manifest declares of it."""

    def __init__(self, name: str, spec: EffectSpec, safety: SafetyMode, client: Client, context: Context) -> None:
        self._name = name
        self._client = client
        self._context = context
        self._safety = safety
        send = spec["send"]
        writes = send["request"]["method"] != "GET"
        self._request = RequestTemplate(send["request"], context.expression, body="payload" if writes else None)
        self._external_id = _optional(send.get("external_id"), context)
        self._asynchronous = frozenset(send["asynchronous"])
        self.lookup = _Lookup(name, spec["lookup"], client, context) if "lookup" in spec else None

    def send(self, effect: Effect) -> Reply:
        """Raises CallFailed, TransportError and DataError as every capability may."""
        try:
            prepared = self._request.prepare(scope_of(effect, self._context))
        except (Unsendable, DataError) as error:
            raise CallFailed(Resolution.REJECTED, f"nothing was sent: {error}") from error
        answer = self._client.call(prepared, self._name, safety=self._safety, deadline=effect.deadline)
        response = answer.response
        return Reply(
            response.body or EMPTY,
            response.headers.get("content-type", JSON) if response.body else JSON,
            response.status,
            _text(self._external_id, answer.tree),
            asynchronous=response.status in self._asynchronous,
        )


class _Lookup:
    def __init__(self, name: str, spec: LookupSpec, client: Client, context: Context) -> None:
        self._name = name
        self._client = client
        self._context = context
        self._request = RequestTemplate(spec["request"], context.expression)
        self._records = context.expression(spec["records"])
        self._match, self._same = (
            [(context.expression(pair["theirs"]), context.expression(pair["ours"])) for pair in pairs]
            for pairs in (spec.get("match", ()), spec.get("same", ()))
        )
        self._external_id = _optional(spec.get("external_id"), context)

    def ask(self, effect: Effect) -> Found | NotFound | Unsure:
        """Never raises for what the other side answers, nor for what cannot be asked."""
        scope = scope_of(effect, self._context)
        try:
            prepared = self._request.prepare(scope)
            answer = self._client.call(prepared, "lookup", deadline=effect.deadline)
            candidates = [record for record in cut(self._records, answer.tree) if _agree(self._match, record, scope)]
            if not candidates:
                return NotFound()
            if len(candidates) > 1:
                return Unsure(f"{len(candidates)} records over there fit what was sent")
            record = candidates[0]
            same = _agree(self._same, record, scope) if self._same else None
            reply = Reply(json_body(record), JSON, answer.response.status, _text(self._external_id, record))
        except CallFailed as failed:
            return NotFound() if failed.resolution is Resolution.GONE else Unsure(str(failed))
        except (TransportError, DataError, Unsendable) as error:
            return Unsure(str(error))
        return Found(reply, same_content=same)


def scope_of(effect: Effect, context: Context) -> Tree:
    """What the expressions of an effect see."""
    return {
        "config": dict(context.config),
        "payload": effect.payload,
        "key": effect.key,
        "refs": dict(effect.refs),
        "attempt": effect.attempt,
    }


def _agree(pairs: list[tuple[Expression, Expression]], record: Tree, scope: Tree) -> bool:
    return all(within(ours(scope), theirs(record)) for theirs, ours in pairs)


def within(ours: Tree, theirs: Tree) -> bool:
    """Whether `theirs` holds all of `ours`: objects may hold more beside it, lists agree one by one, a number is equal
    to its text however it is written, and what is empty is as good as absent."""
    if isinstance(ours, dict):
        empty = all(within(value, None) for value in ours.values())
        return all(within(ours[name], theirs.get(name)) for name in ours) if isinstance(theirs, dict) else empty
    if isinstance(ours, list):
        same = isinstance(theirs, list) and len(ours) == len(theirs) and all(map(within, ours, theirs))
        return same or (not ours and theirs is None)
    if ours in (None, "") or theirs in (None, ""):
        return ours in (None, "") and theirs in (None, "")
    if isinstance(ours, bool) or isinstance(theirs, bool):
        return ours is theirs
    if isinstance(theirs, dict | list):
        return False
    return ours == theirs or _equal_numbers(ours, theirs)


def _equal_numbers(ours: Tree, theirs: Tree) -> bool:
    """Two texts are two texts: "007" is not "7". Where one is a number, its digits count however they are written."""
    if isinstance(ours, str) and isinstance(theirs, str):
        return False
    return _written(ours) is not None and _written(ours) == _written(theirs)


def _written(value: Tree) -> Decimal | None:
    if isinstance(value, str) and (len(value) > 40 or not value.isascii()):
        return None
    try:
        number = Decimal(value) if isinstance(value, str | int | Decimal) else None
    except InvalidOperation:
        return None
    return number if number is not None and number.is_finite() else None


def _optional(text: str | None, context: Context) -> Expression | None:
    return None if text is None else context.expression(text)


def _text(expression: Expression | None, tree: Tree) -> str | None:
    """An id we cannot read must not make a success look like a failure."""
    if expression is None or tree is None:
        return None
    try:
        return text_of(expression(tree), "external id") or None
    except (Unsendable, DataError):
        return None
