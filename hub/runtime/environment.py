"""Variables of a site: the process's own, and those of the file .env beside the configuration's folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

FILE = ".env"
MAX_BYTES = 256 * 1024

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)\Z")


def with_env_file(config: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """``environ``, and below it what .env beside the folder of the configuration says."""
    path = config.absolute().parent / FILE
    try:
        with path.open("rb") as stream:
            text = stream.read(MAX_BYTES).decode("utf-8-sig", "replace")
    except OSError:
        return dict(environ)
    return {**parse(text), **environ}


def parse(text: str) -> dict[str, str]:
    """``NAME=value`` a line; a value may stand in quotes, ``#`` begins a comment on a line of its own. An empty value
    counts as none. Nothing is expanded or run."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        match = _LINE.match(line.strip())
        if match is None or line.lstrip().startswith("#"):
            continue
        name, value = match.group(1), match.group(2).strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        if value:
            found[name] = value
    return found
