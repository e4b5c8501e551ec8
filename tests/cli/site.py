"""A site of its own for a test: three connections of the demo to be edited, a home, and commands on it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import io
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from hub.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
SHOP, WMS, ERP = "shopify-us", "wms-east", "erp-soap"
SHOP_DOMAIN = "acme-demo.example"
SECRETS: Mapping[str, str] = {
    "DEMO_SHOP_TOKEN": "token-of-the-shop",
    "DEMO_SHOP_SECRET": "secret-of-the-shop",
    "DEMO_SHOP_URL": "http://127.0.0.1:9",
    "DEMO_WMS_URL": "http://127.0.0.1:9",
    "DEMO_WMS_TOKEN": "token-of-the-wms",
    "DEMO_WMS_SECRET": "secret-of-the-wms",
    "DEMO_ERP_URL": "http://127.0.0.1:9/soap",
    "DEMO_ERP_PASSWORD": "password-of-the-erp",
    "DEMO_ERP_SECRET": "secret-of-the-erp",
}
"""Port 9 of loopback is closed everywhere: what a command would send, fails at once."""


@dataclass(frozen=True)
class Done:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        assert found["hub_cli"] == "1.0"
        return found

    @property
    def items(self) -> list[dict[str, Any]]:
        return list(self.data["items"])


class Site:
    def __init__(self, folder: Path, environ: Mapping[str, str] = SECRETS) -> None:
        self.config, self.home = folder / "config", folder / "home"
        self.environ = dict(environ)
        copy_of_the_demo(self.config)
        self.home.mkdir(parents=True, exist_ok=True)

    def hub(self, *arguments: str | Path) -> Done:
        """One command in this process."""
        out, err = io.StringIO(), io.StringIO()
        with (
            mock.patch.dict(os.environ, {**self.environ, "HUB_CONFIG": str(self.config), "HUB_HOME": str(self.home)}),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = main([str(argument) for argument in arguments])
        return Done(code, out.getvalue(), err.getvalue())

    def good(self, *arguments: str | Path) -> Done:
        """A command that must end with 0."""
        done = self.hub(*arguments)
        assert done.code == 0, f"hub {arguments} ended with {done.code}: {done.err}{done.out}"
        return done

    def write(self, name: str, content: str | bytes | list[Any] | dict[str, Any]) -> Path:
        """A file beside the home."""
        path = self.home.parent / name
        if isinstance(content, list | dict):
            content = json.dumps(content)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def edit(self, name: str, old: str, new: str) -> None:
        """Change one place of the configuration."""
        path = self.config / name
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{name} does not say {old!r}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def ingest(self, *files: Path) -> list[dict[str, Any]]:
        return self.hub("ingest", SHOP, *files, "--json").items


def copy_of_the_demo(config: Path) -> None:
    """The demo's configuration with the shop, the warehouse and the ERP alone."""
    shutil.copytree(ROOT / "config" / "demo", config)
    for path in (config / "connections").iterdir():
        if path.stem not in (SHOP, WMS, ERP):
            path.unlink()
    shutil.rmtree(config / "partners", ignore_errors=True)
    for name in ("policies.yaml", "locations.yaml"):
        path = config / name
        text = re.sub(r"\n +labels: \{[^}]*\}", "", path.read_text(encoding="utf-8"))
        text = re.sub(r"\npayment: [^\n]*", "", text)
        text = re.sub(r", channels: \{ call-centre: [^}]*\}", "", text)
        text = re.sub(r"\nnotify:\n(?: [^\n]*\n)*", "\n", text)
        path.write_text(re.sub(r", (amazon-eu|edi-acme): [^,} ]+", "", text), encoding="utf-8")


@contextlib.contextmanager
def edited(path: Path, text: str) -> Iterator[None]:
    """A file with another text for as long as it is open."""
    before = path.read_text(encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(before, encoding="utf-8")


def shop_order(number: int = 1042, **changes: object) -> dict[str, Any]:
    """An order as the shop would post it, with ids of its own by number."""
    text = (ROOT / "mappings" / "shopify" / "fixtures" / "two_lines.json").read_text(encoding="utf-8")
    order: dict[str, Any] = json.loads(text)
    order |= {"id": 7_000_000_000_000 + number, "name": f"#{number}", "order_number": number, **changes}
    return order


def signed(body: bytes, topic: str = "orders/create", **changes: str) -> dict[str, str]:
    """The headers by which the shop says that a body is its own."""
    digest = hmac.new(SECRETS["DEMO_SHOP_SECRET"].encode(), body, hashlib.sha256).digest()
    return {
        "content-type": "application/json",
        "x-shopify-topic": topic,
        "x-shopify-shop-domain": SHOP_DOMAIN,
        "x-shopify-webhook-id": hashlib.sha256(body).hexdigest()[:32],
        "x-shopify-hmac-sha256": base64.b64encode(digest).decode(),
        **changes,
    }
