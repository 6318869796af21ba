"""A real browser opens the report, moves its sliders, and asks nobody for anything.

It is Debian's chromium; its path is in ``UNLEARNLOG_CHROMIUM``, or it is looked for.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from tests.histories import some_findings
from unlearnlog.report.formatting import MINUS
from unlearnlog.report.html_page import html

CHROMIUM: Final = os.environ.get("UNLEARNLOG_CHROMIUM") or shutil.which("chromium")
QUIET: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium: apt-get install chromium"
)


@dataclass
class Opened:
    """A page in the browser, and what it said and asked for meanwhile."""

    page: Any
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def colour(self, what: str, property_: str = "color") -> str:
        script = "(e, p) => getComputedStyle(e).getPropertyValue(p)"
        found: str = self.page.locator(what).first.evaluate(script, property_)
        return found

    def text(self, what: str) -> str:
        found: str = self.page.locator(what).text_content()
        return found

    def node(self, name: str) -> str:
        """Return the mark of a concept: its classes, and what stands beside it."""
        found: str = self.page.evaluate(
            "name => { const g = [...document.querySelectorAll('[data-node]')]"
            ".find(g => g.querySelector('.name').textContent === name);"
            "return g.getAttribute('class') + ': ' "
            "+ g.querySelector('.said').textContent }",
            name,
        )
        return found


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield started
        started.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    path: Path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(html(some_findings()), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser, file, request):
    options = getattr(request, "param", {})
    context = browser.new_context(viewport={"width": 1100, "height": 800}, **options)
    found = Opened(context.new_page())
    found.page.on("console", lambda message: found.said.append(message.text))
    found.page.on("pageerror", lambda error: found.said.append(str(error)))
    found.page.on("request", lambda request: found.asked.append(request.url))
    found.page.goto(file.as_uri())
    yield found
    context.close()


def test_it_says_nothing_wrong_and_asks_for_nothing_but_itself(opened, file):
    opened.page.wait_for_load_state("networkidle")

    assert opened.said == []
    asked = [url for url in opened.asked if not url.startswith("data:")]
    assert asked == [file.as_uri()]


def test_a_request_would_be_noticed_and_refused(opened):
    opened.page.evaluate("fetch('https://example.org/').catch(() => 0)")
    opened.page.wait_for_timeout(50)

    assert any("Content Security Policy" in said for said in opened.said)


def test_the_time_slider_is_moved_by_keys_and_shows_another_entry(opened):
    slider = opened.page.locator("#time")
    assert opened.node("dog") == f"node kept d5 sure: {MINUS}75"
    assert opened.node("cat").startswith("node erased")

    slider.press("ArrowLeft")

    assert opened.text("#time-said") == "2 of 3: Monet"
    assert slider.get_attribute("aria-valuetext") == "after entry 2 of 3: Monet"
    assert opened.node("dog") == "node kept d0: "
    assert opened.node("Renoir") == f"node kept d3: {MINUS}12"
    assert opened.node("cat").startswith("node kept")

    slider.press("Home")

    assert opened.node("Monet").startswith("node kept")
    assert opened.node("Picasso") == "node erased d0: erased"


def test_the_picture_slider_is_moved_by_keys_and_uncovers_what_was_before(opened):
    slider = opened.page.locator("#sweep")
    half = opened.colour(".stage .after", "clip-path")

    slider.press("End")

    assert half == "inset(0px 0px 0px 50%)"
    assert opened.colour(".stage .after", "clip-path") == "inset(0px 0px 0px 100%)"
    assert opened.text("#sweep-said") == "all before"

    slider.press("Home")

    assert opened.colour(".stage .after", "clip-path") in (
        "inset(0px)",
        "inset(0px 0px 0px 0%)",
    )
    assert opened.text("#sweep-said") == "all after"


def test_every_control_is_reached_by_the_tabulator_and_shows_it(opened):
    reached = []
    for _ in range(12):
        opened.page.keyboard.press("Tab")
        reached.append(
            opened.page.evaluate(
                "[document.activeElement.id || document.activeElement.tagName, "
                "getComputedStyle(document.activeElement).outlineStyle]"
            )
        )

    names = [name for name, _ in reached]
    assert names[0] == "A"
    assert {"sweep", "time", "SUMMARY"} <= {*names}
    assert all(outline == "solid" for _, outline in reached)


@pytest.mark.parametrize("opened", [{"color_scheme": "dark"}], indirect=True)
def test_in_the_dark_the_page_is_dark(opened, browser, file):
    dark = opened.colour("html", "background-color"), opened.colour("body")

    light = browser.new_page(color_scheme="light")
    light.goto(file.as_uri())
    seen = Opened(light)

    assert dark != (seen.colour("html", "background-color"), seen.colour("body"))
    assert _brightness(dark[0]) < 60 < 200 < _brightness(dark[1])
    light.close()


@pytest.mark.parametrize("opened", [{"color_scheme": "dark"}], indirect=True)
def test_on_paper_everything_is_open_and_white_and_pictures_stand_side_by_side(opened):
    opened.page.locator("#time").press("Home")
    opened.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    opened.page.emulate_media(media="print")

    closed = opened.page.locator("details:not([open])").count()
    boxes = [
        opened.page.locator(f".stage .{side}").first.bounding_box()
        for side in ("before", "after")
    ]
    assert closed == 0
    assert not opened.page.locator("#sweep").is_visible()
    assert opened.colour("html", "background-color") == "rgb(255, 255, 255)"
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"] + 0.5
    assert opened.node("cat").startswith("node erased")


@pytest.mark.parametrize("opened", [{"java_script_enabled": False}], indirect=True)
def test_without_scripts_the_last_entry_and_both_pictures_are_shown(opened):
    assert not opened.page.locator("#time").is_visible()
    assert opened.page.locator("g.node.erased .gone-mark").first.is_visible()
    for side in ("before", "after"):
        assert opened.page.locator(f".stage .{side}").first.bounding_box()["width"] > 20


def test_on_a_narrow_screen_nothing_but_figures_scrolls_sideways(opened):
    opened.page.set_viewport_size({"width": 360, "height": 700})

    width = opened.page.evaluate("document.documentElement.scrollWidth")

    assert width <= 360


def test_text_can_be_told_from_what_is_behind_it(opened):
    """Every swatch and cell has a contrast of 4.5 or more, in light and in dark."""
    for scheme in ("light", "dark"):
        opened.page.emulate_media(color_scheme=scheme)
        pairs = opened.page.evaluate(
            "[...document.querySelectorAll('.swatch, .note, .role, summary, h2')]"
            ".map(e => { let b = e; let c;"
            "do { c = getComputedStyle(b).backgroundColor; b = b.parentElement }"
            "while (c === 'rgba(0, 0, 0, 0)' && b);"
            "return [getComputedStyle(e).color, c, e.textContent] })"
        )
        low = [pair for pair in pairs if _contrast(pair[0], pair[1]) < 4.5]
        assert low == [], scheme


def _numbers(colour: str) -> list[float]:
    return [float(x) for x in colour[colour.index("(") + 1 : -1].split(",")[:3]]


def _brightness(colour: str) -> float:
    return sum(_numbers(colour)) / 3


def _contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, as WCAG 2.2 defines it."""

    def luminance(colour: str) -> float:
        parts = [c / 255 for c in _numbers(colour)]
        linear = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
