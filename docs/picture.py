"""Take the pictures of the dashboard that the docs show.

    hub --demo dashboard | xargs python docs/picture.py

Needs playwright and a Chromium of this machine. Both pictures come from a running demo.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

FOLDER = Path(__file__).resolve().parent / "images"
SIZE = {"width": 1080, "height": 760}
PLACES = {"dashboard-start.png": "/", "dashboard-order.png": "/orders?q=1005"}


def main(link: str) -> None:
    base = link.partition("/enter")[0]
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_context(viewport=SIZE, color_scheme="light", locale="en-GB").new_page()
        page.goto(link)
        page.wait_for_url(f"{base}/")
        for name, path in PLACES.items():
            page.goto(base + path)
            page.screenshot(path=FOLDER / name)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
