"""Secrets by reference: looked up late, read again when they change, never shown."""

import os
from pathlib import Path

import pytest

from hub.config.redact import redact, redact_url
from hub.config.secrets import ReferenceSyntaxError, SecretError, Secrets, is_reference, resolve_tree
from hub.config.source import Plain

SCHEMA: dict[str, Plain] = {
    "type": "object",
    "properties": {
        "token": {"type": "string", "writeOnly": True},
        "old": {"type": "array", "writeOnly": True, "items": {"type": "string"}},
        "keys": {"type": "array", "items": {"type": "string", "writeOnly": True}},
        "port": {"type": "integer"},
        "verify": {"type": "boolean"},
        "url": {"type": "string"},
    },
}


def test_references_are_replaced_by_their_values_also_inside_a_text() -> None:
    secrets = Secrets({"HOST": "erp.example", "PORT": "8443"})
    assert secrets.resolve("https://${env:HOST}:${env:PORT}/x") == "https://erp.example:8443/x"
    assert secrets.resolve("plain $HOST {env:HOST}") == "plain $HOST {env:HOST}"


@pytest.mark.parametrize("text", ["${env:A", "${A}", "${env:}", "${env:A B}", "${file:relative}", "${vault:x}", "${}"])
def test_what_only_looks_like_a_reference_is_an_error(text: str) -> None:
    with pytest.raises(ReferenceSyntaxError):
        Secrets({"A": "x"}).resolve(text)
    assert not is_reference(text)


def test_an_unset_or_empty_variable_is_named() -> None:
    for environ in ({}, {"A": ""}):
        with pytest.raises(SecretError, match="the variable A is not set"):
            Secrets(environ).resolve("${env:A}")


def test_a_secret_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("first\n")
    secrets = Secrets({})
    reference = f"${{file:{file}}}"
    assert is_reference(reference)
    assert secrets.resolve(reference) == "first"
    file.write_text("second and longer\r\n")
    assert secrets.resolve(reference) == "second and longer"
    replacement = tmp_path / "new"
    replacement.write_text("third and as lon\r\n")
    os.utime(replacement, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    replacement.replace(file)
    assert secrets.resolve(reference) == "third and as lon"
    file.unlink()
    with pytest.raises(SecretError, match="cannot be read"):
        secrets.resolve(reference)


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "empty"), (b"\n", "empty"), (b"\xff", "no UTF-8"), (b"x" * 70_000, "larger")]
)
def test_a_secret_file_that_holds_no_secret_is_an_error(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(SecretError, match=reason):
        Secrets({}).resolve(f"${{file:{tmp_path / 'key'}}}")


def test_the_holder_of_secrets_does_not_show_them_in_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-a-file")
    secrets = Secrets({"A": "from-a-variable"})
    secrets.resolve(f"${{env:A}} ${{file:{tmp_path / 'key'}}}")
    assert "from-a" not in repr(secrets)


def test_a_tree_is_resolved_into_the_types_its_schema_wants() -> None:
    tree: Plain = {
        "token": "${env:T}",
        "port": "${env:P}",
        "verify": "${env:V}",
        "url": "${env:P}",
        "keys": ["${env:T}"],
    }
    secrets = Secrets({"T": "0123", "P": "8443", "V": "false"})
    assert resolve_tree(tree, secrets, SCHEMA) == {
        "token": "0123",
        "port": 8443,
        "verify": False,
        "url": "8443",
        "keys": ["0123"],
    }
    with pytest.raises(SecretError):
        resolve_tree({"token": "${env:MISSING}"}, secrets, SCHEMA)


def test_what_is_shown_keeps_references_and_masks_values() -> None:
    tree: Plain = {
        "token": "abc",
        "keys": ["${env:T}", "def"],
        "old": ["ghi", 5],
        "url": "https://user:jkl@host/",
        "config": {"api_key": "mno"},
    }
    assert redact(tree, SCHEMA) == {
        "token": "***",
        "keys": ["${env:T}", "***"],
        "old": ["***", "***"],
        "url": "https://user:***@host/",
        "config": {"api_key": "***"},
    }
    assert tree["token"] == "abc"  # type: ignore[index, call-overload]
    assert redact_url("postgresql://hub@db/hub") == "postgresql://hub@db/hub"
