"""Words from outside without what they say of people: only bodies and contacts hold personal data (docs: storage)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

MASK = "***"
_EMAIL = re.compile(r"[^\s<>\"'(),;:=]+@[^\s<>\"'(),;:=]+\.[^\s<>\"'(),;:=]+")
_PHONE = re.compile(r"\+\d(?:[\s().\-/]*\d){6,14}")
_SPELT = ("name", "first_name", "last_name", "company", "email", "phone", "locality")
_SHORTEST = 3


def masked(words: str, private: Collection[str] = ()) -> str:
    """`words` without e-mail addresses, international telephone numbers and the texts in `private`."""
    if not words:
        return words
    found = _EMAIL.sub(MASK, words)
    for text in sorted(private, key=len, reverse=True):
        found = re.sub(rf"(?<!\w){re.escape(text)}(?!\w)", MASK, found, flags=re.IGNORECASE)
    return _PHONE.sub(MASK, found)


def private_texts(contacts: Iterable[Mapping[str, Any]]) -> set[str]:
    """What contacts or addresses say that would tell who somebody is: names and each word of them, lines, numbers."""
    found: set[str] = set()
    for contact in contacts:
        found.update(_texts(contact))
    return {text for text in found if len(text) >= _SHORTEST}


def _texts(contact: Mapping[str, Any]) -> Iterator[str]:
    for field in _SPELT:
        said = contact.get(field)
        if isinstance(said, str):
            yield said
            if "name" in field:
                yield from said.split()
    for line in contact.get("lines") or ():
        if isinstance(line, str):
            yield line
