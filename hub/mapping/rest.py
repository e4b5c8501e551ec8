"""`keep_rest`: everything of an input that no field read, verbatim, so that nothing a sender wrote is lost.

What is read is known when the mapping is compiled: the first path of every `from`. Later alternatives and whatever an
expression looks at stay in the rest, and so does a value that could not be used.
"""

from __future__ import annotations

from collections.abc import Callable

from hub.mapping.scope import Scope

Consumed = dict[str, "Consumed | None"]
"""Key -> what is read below it; None = all of it."""

EACH = "[]"
"""The key under which a list's elements stand."""

Prune = Callable[[object, Scope], object]


def consume(tree: Consumed, segments: tuple[str, ...], below: Consumed | None) -> None:
    """Mark a path as read; `below` says which part of it, None all."""
    for segment in segments[:-1]:
        inner = tree.get(segment, {})
        if inner is None:
            return
        tree[segment] = inner
        tree = inner
    last = segments[-1]
    if below is None:
        tree[last] = None
        return
    present = tree.get(last, {})
    if present is not None:
        tree[last] = merged(present, below)


def merged(one: Consumed, other: Consumed) -> Consumed:
    """What either reads."""
    result = dict(one)
    for key, below in other.items():
        mine = result.get(key, {})
        result[key] = None if mine is None or below is None else merged(mine, below)
    return result


_NOTHING: object = object()


def pruner(consumed: Consumed) -> Callable[[object, Scope], dict[str, object]]:
    """A closure giving what is left of an object."""
    inner = _prune_object(consumed)

    def run(node: object, scope: Scope) -> dict[str, object]:
        left = inner(node, scope)
        return left if isinstance(left, dict) else {}

    return run


def _prune_object(consumed: Consumed) -> Prune:
    whole = frozenset(key for key, below in consumed.items() if below is None and key != EACH)
    parts = {key: _prune_object(below) for key, below in consumed.items() if below is not None and key != EACH}
    each = consumed.get(EACH, _NOTHING)
    element = _prune_object(each) if isinstance(each, dict) else None

    def run(node: object, scope: Scope) -> object:
        if isinstance(node, list):
            return _prune_list(node, element, every=each is None, scope=scope)
        if not isinstance(node, dict):
            return node
        left = {key: value for key, value in node.items() if key not in whole}
        for key, prune in parts.items():
            if left.get(key) is not None:
                remainder = prune(left[key], scope)
                if remainder is None or remainder == {} or remainder == []:
                    del left[key]
                else:
                    left[key] = remainder
        if scope.unread:
            for key in consumed:
                if (id(node), key) in scope.unread:
                    left[key] = node[key]
        return left

    return run


def _prune_list(items: list[object], element: Prune | None, *, every: bool, scope: Scope) -> object:
    if every:
        return None
    if element is None:
        return items
    left = [element(item, scope) for item in items]
    return left if any(item not in (None, {}, []) for item in left) else None
