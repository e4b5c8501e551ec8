"""Configuration made fit for eyes: what the schema marks secret becomes ``***``, references stay readable."""

import copy
import re
from typing import cast

from hub.config.schemas import Schema, secret_paths
from hub.config.secrets import is_reference
from hub.config.source import Plain

MASK = "***"
_USERINFO = re.compile(r"(?<=://)([^/@\s:]*):([^/@\s]*)@")


def redact(tree: Plain, schema: Schema) -> Plain:
    """A copy with every ``writeOnly`` value masked unless it is a reference, and passwords in URLs masked anywhere."""
    result = _without_url_passwords(copy.deepcopy(tree))
    for path in secret_paths(schema, result):
        parent = result
        for step in path[:-1]:
            parent = cast("dict[str | int, Plain]", parent)[step]
        members = cast("dict[str | int, Plain]", parent)
        value = members[path[-1]]
        if not (isinstance(value, str) and is_reference(value)):
            members[path[-1]] = MASK
    return result


def redact_url(url: str) -> str:
    """A URL with its password masked."""
    return _USERINFO.sub(lambda found: f"{found.group(1)}:{MASK}@", url)


def _without_url_passwords(node: Plain) -> Plain:
    if isinstance(node, dict):
        return {name: _without_url_passwords(value) for name, value in node.items()}
    if isinstance(node, list):
        return [_without_url_passwords(value) for value in node]
    return redact_url(node) if isinstance(node, str) and "://" in node else node
