"""One hub as several processes on PostgreSQL: web, worker and scheduler share nothing but the database."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from hub.demo.processes import call
from tests.cli.running import Running, eventually
from tests.cli.site import ERP, Site, edited

pytestmark = pytest.mark.postgresql


def test_web_worker_and_scheduler_take_an_order_end_to_end(postgresql_url: str, tmp_path: Path) -> None:
    def on_postgresql(site: Site) -> None:
        site.environ["HUB_DATABASE"] = postgresql_url
        site.edit("hub.yaml", "database: sqlite", 'database: "${env:HUB_DATABASE}"')

    with Running(tmp_path, prepare=on_postgresql) as running:
        site = running.site
        running.start(("web",), ("worker",), ("scheduler",))
        running.furnish()
        order = running.await_order(running.place(quantity=2), "closed")
        assert order["lines"][0]["quantities"] == {"shipped": "2"}

        # Commands open the database themselves, and what they change reaches every process.
        site.good("connections", "pause", ERP, "--reason", "maintenance")
        name = running.place()
        running.await_delivery(name, "submit_order", "pending")
        site.good("connections", "resume", ERP)
        running.await_order(name, "closed")

        path = site.config / "policies.yaml"
        good = path.read_text(encoding="utf-8")
        before = call(running.hub.port, "GET", "/readyz")[1]["revision"]
        with edited(path, good.replace("hold_line", "hold_the_line")):
            assert site.hub("config", "apply").code == 1
            (told,) = site.good("exceptions", "list", "--kind", "configuration", "--json").items
            assert "policies.yaml:3:" in told["detail"]
        with edited(path, good.replace("difference_up_to: 0.02", "difference_up_to: 0.03")):
            assert "adopted" in site.good("config", "apply").out
            eventually(lambda: call(running.hub.port, "GET", "/readyz")[1]["revision"] != before, "the web follows")
            eventually(lambda: b"made active" in running.processes[1].log.read_bytes(), "the worker follows")
        assert site.good("exceptions", "list", "--kind", "configuration", "--json").items == []

        assert site.hub("verify").code == 0
        assert site.hub("verify", "--self-test").code == 0
        assert [process.stop() for process in running.processes] == [0, 0, 0]


def test_a_database_that_is_away_is_unreachable(tmp_path: Path) -> None:
    site = Site(tmp_path)
    address = f"postgresql://nobody@127.0.0.1:9/nothing?application_name=t{int(time.time())}"
    site.edit("hub.yaml", "database: sqlite", f"database: {address}")
    for arguments in (("status",), ("orders", "list"), ("connections", "pause", ERP), ("db", "upgrade")):
        done = site.hub(*arguments)
        assert done.code == 4, (arguments, done)
        assert "database" in done.err
        assert "bug" not in done.err
