"""The dashboard in a real browser, where Chromium and playwright are installed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.web.floor import Floor, handed_over

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

CONTRAST = """() => {
  const channel = (v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  const light = (c) => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
  const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const behind = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const c = parse(getComputedStyle(at).backgroundColor);
      if (c.length < 4 || c[3] > 0.99) return c;
    }
    return [255, 255, 255];
  };
  const weak = [];
  for (const one of document.querySelectorAll("body *")) {
    const said = [...one.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!said || !one.getClientRects().length) continue;
    const [a, b] = [light(parse(getComputedStyle(one).color)), light(behind(one))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) weak.push(`${one.tagName}.${one.className}: ${ratio.toFixed(2)}`);
  }
  return weak;
}"""
UNNAMED = """() => [...document.querySelectorAll("input:not([type=hidden]), select, button, a")]
  .filter((one) => !((one.labels && one.labels.length) || one.textContent.trim() || one.getAttribute("aria-label")))
  .map((one) => one.outerHTML.slice(0, 80))"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


class Seen:
    """A logged-in page, and what the browser complained of."""

    def __init__(self, browser: Any, floor: Floor, **options: Any) -> None:
        self.floor = floor
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        self.page = browser.new_context(**options).new_page()
        self.page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append("a dialog opened"))
        self.page.on("request", lambda asked: self.foreign.append(asked.url))
        self.page.goto(floor.url + floor.act("web.link")["path"])
        self.page.wait_for_url(f"{floor.url}/")

    def look(self, path: str) -> None:
        self.page.goto(self.floor.url + path)

    @property
    def elsewhere(self) -> list[str]:
        return [url for url in self.foreign if not url.startswith(self.floor.url)]


def places(floor: Floor) -> list[str]:
    exception = floor.rows("exceptions")[0]["id"]
    return [
        *(
            "/",
            "/orders",
            "/returns?state=any",
            "/payouts",
            "/exceptions",
            "/deliveries?state=all",
            "/inventory",
            "/connections",
        ),
        *(f"/orders/{order}" for order in (floor.orders["confirmed"], floor.hostile)),
        *(f"/exceptions/{exception}", "/connections/shopify-us", "/inventory/sku?sku=SKU-001"),
        *(f"/deliveries/{floor.deliveries[state]}" for state in ("unknown", "refused")),
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_readable_and_quiet(browser: Any, floor: Floor, scheme: str) -> None:
    seen = Seen(browser, floor, color_scheme=scheme, viewport={"width": 1280, "height": 900})
    for path in places(floor):
        seen.look(path)
        assert seen.page.evaluate(CONTRAST) == [], path
        assert seen.page.evaluate(UNNAMED) == [], path
    assert seen.complaints == []
    assert seen.elsewhere == []


def test_pages_fit_a_telephone(browser: Any, floor: Floor) -> None:
    seen = Seen(browser, floor, viewport={"width": 390, "height": 800})
    for path in places(floor):
        seen.look(path)
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= 390, path


def test_an_order_is_held_with_a_form_with_and_without_javascript(browser: Any, own_floor: Floor) -> None:
    for number, javascript in enumerate((True, False)):
        order = own_floor.order(f"PHONE-{number}")
        seen = Seen(browser, own_floor, java_script_enabled=javascript)
        seen.look(f"/orders/{order}")
        seen.page.locator(f'form[action="/orders/{order}/hold"] input[name=reason]').fill("they called")
        seen.page.get_by_role("button", name="Hold").click()
        assert "is held" in seen.page.locator("[role=status]").inner_text()
        assert seen.complaints == []


def test_times_are_the_readers_own_with_utc_at_hand(browser: Any, floor: Floor) -> None:
    seen = Seen(browser, floor, locale="de-DE", timezone_id="Asia/Tokyo")
    seen.look(f"/orders/{floor.orders['confirmed']}")
    placed = seen.page.locator('time[datetime="2026-11-20T08:30:00Z"]').first
    assert placed.inner_text() == "20.11.2026, 17:30:00"
    assert placed.get_attribute("title") == "2026-11-20 08:30:00 UTC"


def test_the_keyboard_reaches_the_search_and_skips_the_menu(browser: Any, floor: Floor) -> None:
    seen = Seen(browser, floor)
    seen.look("/orders")
    seen.page.keyboard.press("/")
    assert seen.page.evaluate("document.activeElement.name") == "q"
    seen.look("/orders")
    seen.page.keyboard.press("Tab")
    assert seen.page.evaluate("document.activeElement.className") == "skip"


def test_a_return_is_asked_for_with_the_keyboard_alone(browser: Any, own_floor: Floor) -> None:
    order = handed_over(own_floor)
    seen = Seen(browser, own_floor)
    seen.look("/orders")
    keys = seen.page.keyboard
    keys.press("/")
    keys.type("PICK-2")
    keys.press("Enter")
    seen.page.wait_for_url(f"{own_floor.url}/orders/{order}")
    focus = "[document.activeElement.textContent.trim(), getComputedStyle(document.activeElement).outlineStyle]"
    for _ in range(60):
        keys.press("Tab")
        words, outline = seen.page.evaluate(focus)
        assert outline == "solid", f"where the focus is must be seen: {words}"
        if words == "Goods come back":
            break
    for key in ("Enter", "Tab"):
        keys.press(key)
    keys.type("1")
    for key in ("Tab", "Tab"):
        keys.press(key)
    keys.type("too small")
    keys.press("Enter")
    seen.page.wait_for_selector("[role=status]")
    assert "is approved" in seen.page.locator("[role=status]").inner_text()
    assert seen.complaints == []
