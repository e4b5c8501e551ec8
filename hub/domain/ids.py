"""Ids of our own: prefixed, time-ordered, or derived from what caused them."""

from __future__ import annotations

import datetime as dt
import hashlib
import random
import re
import threading

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32, lower case: sorts as text, no look-alikes."""


_PAIRS = tuple(high + low for high in ALPHABET for low in ALPHABET)


def _base32(number: int, digits: int) -> str:
    """The lowest `digits` digits; an even number of them, for they are looked up in pairs."""
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in range(5 * digits - 10, -1, -10)])


class IdSource:
    """Makes `<prefix>_<10 digits of milliseconds><12 digits>`: unique, and in one process strictly increasing.

    The random part is drawn once a millisecond and counts up within it, so ids made in order sort in order.
    """

    def __init__(self, source: random.Random) -> None:
        self._random = source
        self._last = (-1, 0)
        self._lock = threading.Lock()

    def new(self, prefix: str, at: dt.datetime) -> str:
        millis = int(at.timestamp() * 1000)
        with self._lock:
            last_millis, last_tail = self._last
            if millis <= last_millis:
                millis, tail = last_millis, last_tail + 1
            else:
                tail = self._random.getrandbits(58)
            self._last = (millis, tail)
        return f"{prefix}_{_base32(millis, 10)}{_base32(tail, 12)}"


_DIGITS = re.compile(r"[0-9]+")
_OURS = re.compile(r"[a-z]{2}_([0-9a-hjkmnp-tv-z]{10})[0-9a-hjkmnp-tv-z]{12}")


def derived_id(prefix: str, *parts: str) -> str:
    """The same parts give the same id, in every process, for ever (26 digits of base 32).

    Where a part holds an id of ours, the first one's leading ten digits lead here too, before 80 bits of SHA-256: what
    follows from one cause lies together in every index. Scattered ids cost a page of the database's log each.
    """
    joined = "\x1f".join(parts)
    digest = hashlib.sha256(joined.encode("utf-8", "surrogatepass")).digest()
    ours = _OURS.search(joined)
    if ours is None:
        return f"{prefix}_{_base32(int.from_bytes(digest[:17], 'big'), 26)}"
    return f"{prefix}_{ours[1]}{_base32(int.from_bytes(digest[:10], 'big'), 16)}"


def numbered_id(prefix: str, number: str, *parts: str) -> str:
    """As `derived_id` of all these parts, led by the digits of `number`, an id from outside.

    Most systems count their ids up: orders placed together then lie together in every index, and what follows from them
    too, whatever order they arrive in. Where there are no digits nothing leads.
    """
    digits = "".join(_DIGITS.findall(number))
    if not digits:
        return derived_id(prefix, *parts, number)
    digest = hashlib.sha256("\x1f".join((*parts, number)).encode("utf-8", "surrogatepass")).digest()
    return f"{prefix}_{_base32(int(digits[-18:]), 10)}{_base32(int.from_bytes(digest[:10], 'big'), 16)}"
