"""The identity of a configuration, and the bytes that bring it back.

The revision is the hash of what the files mean: comments, order of keys and layout do not count, a reference counts as
the reference it is. The blob holds the texts themselves, so that an old revision loads with its positions and comments.
"""

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal

from hub.config.source import Plain

BLOB_FORMAT = 1
MAX_BLOB_BYTES = 64 * 1024 * 1024


class BlobError(ValueError):
    """Bytes that are no stored configuration."""


def revision_of(content: Mapping[str, Plain], mappings: Mapping[str, Plain]) -> str:
    """``r-`` and the first 40 digits of the SHA-256 over the canonical content of all files."""
    canonical = json.dumps(
        [BLOB_FORMAT, _normal(dict(content)), _normal(dict(mappings))],
        sort_keys=True,
        ensure_ascii=False,
        separators=(",", ":"),
    )
    return "r-" + hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def to_blob(files: Mapping[str, str], mappings: Mapping[str, str], versions: Mapping[str, str]) -> bytes:
    """The texts of all files by name, those of the mappings by name, and the versions of the packages they ran on."""
    return json.dumps(
        {"format": BLOB_FORMAT, "versions": dict(versions), "files": dict(files), "mappings": dict(mappings)},
        sort_keys=True,
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode("utf-8", "surrogatepass")


def from_blob(blob: bytes) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Files, mappings and versions of :func:`to_blob`; raises :class:`BlobError`."""
    if len(blob) > MAX_BLOB_BYTES:
        raise BlobError(f"a stored configuration has at most {MAX_BLOB_BYTES} bytes")
    try:
        stored = json.loads(blob.decode("utf-8", "surrogatepass"))
        if stored["format"] != BLOB_FORMAT:
            raise BlobError(f"stored configurations of format {stored['format']!r} are not read")
        files, mappings, versions = (
            {str(name): str(text) for name, text in stored[part].items()} for part in ("files", "mappings", "versions")
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise error if isinstance(error, BlobError) else BlobError("these bytes are no stored configuration") from error
    return files, mappings, versions


def _normal(node: Plain) -> Plain:
    """Equal numbers become equal text: 0.020 and 0.02 mean the same."""
    if isinstance(node, dict):
        return {name: _normal(value) for name, value in node.items()}
    if isinstance(node, list):
        return [_normal(value) for value in node]
    if isinstance(node, bool) or not isinstance(node, int | Decimal):
        return node
    number = Decimal(node)
    return {"#": format(number.normalize() if number else Decimal(0), "f")}
