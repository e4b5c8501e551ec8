"""Going back on PostgreSQL: every process follows to the stored revision, though its files say something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.demo.processes import call
from tests.cli.running import Running, eventually
from tests.cli.site import Site

pytestmark = pytest.mark.postgresql


def test_every_process_follows_a_way_back(postgresql_url: str, tmp_path: Path) -> None:
    def on_postgresql(site: Site) -> None:
        site.environ["HUB_DATABASE"] = postgresql_url
        site.edit("hub.yaml", "database: sqlite", 'database: "${env:HUB_DATABASE}"')

    with Running(tmp_path, prepare=on_postgresql) as running:
        site = running.site
        running.start(("web",), ("worker",))

        def revision() -> str:
            return str(call(running.hub.port, "GET", "/readyz")[1]["revision"])

        first = revision()
        site.edit("policies.yaml", "difference_up_to: 0.02", "difference_up_to: 0.03")
        assert "adopted" in site.good("config", "apply").out
        eventually(lambda: revision() != first, "the web follows")
        assert "went back" in site.good("config", "rollback").out
        eventually(lambda: revision() == first, "the web goes back")
        eventually(lambda: running.processes[1].log.read_bytes().count(b"made active") == 2, "the worker goes back")
        states = {row["revision"][:12]: row["state"] for row in site.good("config", "revisions", "--json").items}
        assert states[first] == "active"
        assert sorted(states.values()) == ["active", "rolled back"]
        assert [process.stop() for process in running.processes] == [0, 0]
