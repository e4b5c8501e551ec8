"""`hub init`: a configuration to begin with, commented and valid, and what an editor needs to help with it."""

from __future__ import annotations

import datetime as dt
import json
import os
import secrets
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import click

import hub
from hub.cli.failure import REFUSED, Failure
from hub.cli.output import emit_json, json_option

PLACES = {
    "config/hub.yaml": "config/hub.yaml",
    "config/connections/shop.yaml": "config/connections/shop.yaml",
    "config/locations.yaml": "config/locations.yaml",
    "config/routing.yaml": "config/routing.yaml",
    "config/policies.yaml": "config/policies.yaml",
    "gitignore": ".gitignore",
    "editorconfig": ".editorconfig",
    "env.example": ".env.example",
}
"""Files of the starter by where they go."""

SCHEMAS = "config/schemas"


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path), default=".")
@json_option
def init(folder: Path, as_json: bool) -> None:
    """Write a configuration to begin with into DIR: a first connection, editor settings, nothing overwritten."""
    if (folder / "config" / "hub.yaml").exists():
        raise Failure(
            f"There is a configuration in {folder / 'config'} already; nothing was written.\n"
            "To add to it, see `hub connectors list` and write config/connections/<id>.yaml.",
            REFUSED,
        )
    items = [{"file": name, "state": _write(folder / name, text)} for name, text in _files().items()]
    if as_json:
        emit_json(items)
        return
    for item in items:
        click.echo(f"{item['state']:<8} {folder / item['file']}")
    click.echo(_next(folder), err=True)


def _files() -> dict[str, str]:
    from hub.config.editor import editor_schema, to_json
    from hub.config.schemas import KINDS
    from hub.runtime.connections import connector_infos
    from hub.runtime.registry import Registry

    starter = resources.files("hub.config").joinpath("starter")
    files = {place: _text(starter, name) for name, place in PLACES.items()}
    files[".env"] = (
        "# Not for version control. Replace the token; the hub made up the secret, tell it to the shop.\n"
        "SHOP_TOKEN=replace-me-with-the-token-of-your-shop\n"
        f"SHOP_WEBHOOK_SECRET={secrets.token_urlsafe(32)}\n"
    )
    files[".vscode/settings.json"] = _settings()
    files[".vscode/extensions.json"] = json.dumps({"recommendations": ["redhat.vscode-yaml"]}, indent=2) + "\n"
    connectors = connector_infos(Registry())
    for kind in KINDS:
        files[f"{SCHEMAS}/{kind}.json"] = to_json(editor_schema(kind, connectors))
    return files


def _text(starter: Traversable, name: str) -> str:
    text = starter.joinpath(name).read_text(encoding="utf-8")
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    return text.replace("START_FROM", now.isoformat().replace("+00:00", "Z"))


def _settings() -> str:
    """Which schema is for which file, for files that have lost their first line."""
    places = {
        "hub": "config/hub.yaml",
        "connection": "config/connections/*.yaml",
        "locations": "config/locations.yaml",
        "routing": "config/routing.yaml",
        "policies": "config/policies.yaml",
        "partner": "config/partners/*.yaml",
        "notification": "config/notifications/*.yaml",
        "mapping": "config/mappings/**/*.yaml",
    }
    settings = {
        "yaml.schemas": {f"./{SCHEMAS}/{kind}.json": pattern for kind, pattern in places.items()},
        "yaml.schemaStore.enable": False,
        "yaml.format.enable": False,
        "[yaml]": {"editor.tabSize": 2, "editor.insertSpaces": True},
    }
    return json.dumps(settings, indent=2) + "\n"


def _write(path: Path, text: str) -> str:
    """Write a file that is not there; never one that is. A file of secrets is its owner's alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = 0o600 if path.name == ".env" else 0o666
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        return "kept"
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    return "written"


def _next(folder: Path) -> str:
    command, steps = _spoken(folder)
    inside = Path() if steps else folder
    steps += [
        f"put the shop's address into {inside / 'config/connections/shop.yaml'} and its token into {inside / '.env'}",
        f"find what is wrong, with file and line:  {command} config check",
        f"ask the shop itself:                     {command} connections check shop",
        f"start; nothing is sent while `effects` says observe:  {command} run",
    ]
    return "\nNext:\n" + "\n".join(f"  {number}. {step}" for number, step in enumerate(steps, 1))


def _spoken(folder: Path) -> tuple[str, list[str]]:
    """How the hub is called for this folder, and what comes before. An installed `hub` works in the folder itself, that
    of a checkout in the checkout only."""
    checkout = Path(hub.__file__).parents[1]
    if (checkout / "pyproject.toml").is_file():
        return f"python3 -m hub --config {folder / 'config'} --home {folder / '.hub'}", []
    return "hub", [] if folder == Path() else [f"cd {folder}"]
