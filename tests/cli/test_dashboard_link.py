"""`hub dashboard`: a link that logs a browser in at the hub that runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from hub.demo.processes import HubProcess, free_port
from tests.cli.site import Site


@pytest.mark.timeout(120)
def test_the_link_of_a_running_hub_leads_to_its_dashboard(tmp_path: Path) -> None:
    site = Site(tmp_path)
    process = HubProcess(site.config, site.home, port=free_port(), environ=site.environ)
    process.start()
    try:
        process.wait_ready()
        done = site.good("dashboard")
        link = done.out.strip()
        assert link.startswith(f"{process.url}/enter?link=")
        assert "once" in done.err
        browser = requests.Session()
        assert browser.get(link, timeout=30).status_code == 200
        page = browser.get(f"{process.url}/", timeout=30)
        assert "Nothing needs you" in page.text
        assert browser.get(f"{process.url}/docs", timeout=30).status_code == 200
        assert requests.get(f"{process.url}/orders", timeout=30, allow_redirects=False).headers["location"] == "/login"
        assert requests.get(link, timeout=30).status_code == 403
    finally:
        process.stop()


def test_a_link_is_made_where_no_hub_runs_too(tmp_path: Path) -> None:
    site = Site(tmp_path)
    (item,) = site.good("dashboard", "--json").items
    assert "/enter?link=" in item["url"]
