"""`hub dashboard`: into the pages for people, without a password."""

from __future__ import annotations

import click

from hub.cli.output import emit_json, json_option
from hub.cli.session import act, load
from hub.runtime.place import Place


@click.command()
@json_option
@click.pass_obj
def dashboard(place: Place, as_json: bool) -> None:
    """Print a link that logs one browser in, once, within an hour. Whoever may use this hub's folder may do all."""
    result = act(place, "web.link")
    url = (result.pop("url") or _configured(place)) + result["path"]
    if as_json:
        emit_json([{**result, "url": url}])
        return
    click.echo(result["message"], err=True)
    click.echo(url)


def _configured(place: Place) -> str:
    """Where a hub answers that says nothing of it itself: it is not running, or its database is PostgreSQL."""
    web = load(place).bundle.hub.web
    host = f"[{web.host}]" if ":" in web.host else web.host
    return (web.public_url or f"http://{host}:{web.port}").rstrip("/")
