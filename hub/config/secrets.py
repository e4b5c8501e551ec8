"""Values by reference: ``${env:NAME}`` and ``${file:/path}``. Configuration holds references, never the values.

References are looked up when a connection is opened, and files again whenever they have changed, so that a rotated
secret needs no restart. No message ever holds a value.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from hub.config.schemas import Schema, at
from hub.config.source import Plain, meaning

MAX_SECRET_BYTES = 64 * 1024

_REFERENCE = re.compile(r"\$\{([^}]*)\}")
_ENV = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)\Z")
_FILE = re.compile(r"file:(/[^\x00-\x1f]+|[A-Za-z]:[\\/][^\x00-\x1f]+)\Z")


class SecretError(Exception):
    """A reference that leads to no value; the message names the reference, never a value."""


class ReferenceSyntaxError(SecretError):
    """A text with ``${`` that is no reference."""


def is_reference(text: str) -> bool:
    """Whether the whole text is one well-formed reference: the only form a secret may have."""
    found = _REFERENCE.fullmatch(text)
    return found is not None and bool(_ENV.match(found.group(1)) or _FILE.match(found.group(1)))


def has_reference(text: str) -> bool:
    """Whether the text holds a reference, or something that tries to be one."""
    return "${" in text


@dataclass(slots=True)
class Secrets:
    """Looks references up in an environment and in files; safe to share between threads.

    A file is read once per change of its modification time, size or inode; one trailing line break is dropped.
    """

    environ: Mapping[str, str] = field(repr=False)
    _files: dict[str, tuple[tuple[int, int, int], str]] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def resolve(self, text: str) -> str:
        """The text with every reference replaced by its value; raises :class:`SecretError`."""
        if not has_reference(text):
            return text
        rest = _REFERENCE.sub("", text)
        if "${" in rest:
            raise ReferenceSyntaxError("a reference is not closed; write ${env:NAME} or ${file:/path}")
        return _REFERENCE.sub(lambda found: self._value(found.group(1)), text)

    def _value(self, reference: str) -> str:
        env = _ENV.match(reference)
        if env is not None:
            value = self.environ.get(env.group(1))
            if value is None or value == "":
                raise SecretError(f"the variable {env.group(1)} is not set")
            return value
        file = _FILE.match(reference)
        if file is None:
            raise ReferenceSyntaxError(f"${{{reference}}} is no reference; write ${{env:NAME}} or ${{file:/path}}")
        return self._file(file.group(1))

    def _file(self, name: str) -> str:
        path = Path(name)
        try:
            state = path.stat()
            stamp = (state.st_mtime_ns, state.st_size, state.st_ino)
            with self._lock:
                known = self._files.get(name)
                if known is not None and known[0] == stamp:
                    return known[1]
            with path.open("rb") as stream:
                data = stream.read(MAX_SECRET_BYTES + 1)
        except OSError as error:
            raise SecretError(f"the secret file {name} cannot be read: {error.strerror}") from None
        if len(data) > MAX_SECRET_BYTES:
            raise SecretError(f"the secret file {name} is larger than {MAX_SECRET_BYTES} bytes")
        try:
            value = data.decode("utf-8")
        except UnicodeDecodeError:
            raise SecretError(f"the secret file {name} is no UTF-8 text") from None
        value = value.removesuffix("\n").removesuffix("\r")
        if not value:
            raise SecretError(f"the secret file {name} is empty")
        with self._lock:
            self._files[name] = (stamp, value)
        return value


def resolve_tree(
    tree: Plain,
    secrets: Secrets,
    schema: Schema,
    *,
    on_error: Callable[[tuple[str | int, ...], SecretError], None] | None = None,
) -> Plain:
    """A copy of a configuration tree with every reference replaced by its value.

    Where the schema wants no text but a number or a boolean, a value that is one whole reference is read as YAML reads
    a plain scalar. Raises :class:`SecretError`, or tells ``on_error`` the path and leaves the reference in place.
    """

    def resolved(node: Plain, path: tuple[str | int, ...]) -> Plain:
        if isinstance(node, dict):
            return {name: resolved(value, (*path, name)) for name, value in node.items()}
        if isinstance(node, list):
            return [resolved(value, (*path, index)) for index, value in enumerate(node)]
        if not isinstance(node, str) or not has_reference(node):
            return node
        try:
            value = secrets.resolve(node)
        except SecretError as error:
            if on_error is None:
                raise
            on_error(path, error)
            return node
        wanted = (at(schema, path) or {}).get("type")
        if is_reference(node) and wanted in ("integer", "number", "boolean"):
            return meaning(value)
        return value

    return resolved(tree, ())
