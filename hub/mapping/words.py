"""What to say of a word that is none of the known ones."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MAX_LISTED = 12


def among(word: str, known: Iterable[str]) -> str:
    """The word that was probably meant, else all there are, as far as a person would read them."""
    choices = sorted(known)
    close = difflib.get_close_matches(word, choices, 1)
    if close:
        return f"did you mean `{close[0]}`?"
    more = f" and {len(choices) - MAX_LISTED} others" if len(choices) > MAX_LISTED else ""
    return f"there are {', '.join(choices[:MAX_LISTED])}{more}" if choices else "there is none"
