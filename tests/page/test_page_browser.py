"""A real browser opens the page, paints, slides, is refused, and asks no other machine.

The page is served by the command itself. It needs Gradio, which `make slow` installs,
and Debian's chromium.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from tests.tiny import build_pipeline

CHROMIUM: Final = os.environ.get("UNLEARNLOG_CHROMIUM") or shutil.which("chromium")
QUIET: Final = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update"),
    "--disable-sync",
)
ROOT: Final = Path(__file__).parents[2]
GOLDEN: Final = ROOT / "tests" / "golden"
PATIENCE: Final = 180_000.0
"""Milliseconds that an answer may take on a busy machine."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no chromium: apt-get install chromium"
    ),
    pytest.mark.skipif(
        find_spec("gradio") is None,
        reason="no gradio: pip install 'unlearnlog[ui]'",
    ),
]


@dataclass
class Opened:
    """A page in the browser, and what it said and asked for meanwhile."""

    page: Any
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name).click()

    def fill(self, where: str, text: str) -> None:
        self.page.locator(f"#{where} textarea, #{where} input").first.fill(text)

    def shown(self, what: str) -> str:
        found = self.page.locator(what).first
        found.wait_for(timeout=PATIENCE)
        text: str = found.inner_text()
        return text

    def hosts(self) -> set[str]:
        """Return the machines that were asked for something."""
        return {urlsplit(url).netloc for url in self.asked} - {""}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A ledger of six entries of a tiny model of noise."""
    found: Path = tmp_path_factory.mktemp("page")
    build_pipeline(found / "base")
    shutil.copytree(GOLDEN / "ledger", found / "led" / ".unlearnlog")
    return found / "led"


@contextmanager
def served(folder: Path, *words: str):
    """Serve a ledger as the command does; end it as Ctrl-C does."""
    command = (sys.executable, "-m", "unlearnlog", "serve", "--port", "0", "--json")
    with subprocess.Popen(
        [*command, "--ledger", str(folder), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as done:
        try:
            assert done.stdout is not None
            yield json.loads(done.stdout.readline())
        finally:
            done.send_signal(signal.SIGINT)
            code = done.wait(60)
    assert code == 0


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield started
        started.close()


@pytest.fixture(scope="module")
def address(folder):
    with served(folder) as found:
        yield found


def opened_at(browser, url: str) -> Opened:
    found = Opened(
        browser.new_context(viewport={"width": 1200, "height": 900}).new_page()
    )
    found.page.set_default_timeout(PATIENCE)
    found.page.on("console", lambda message: found.said.append(message.text))
    found.page.on("pageerror", lambda error: found.said.append(str(error)))
    found.page.on("request", lambda request: found.asked.append(request.url))
    found.page.goto(url)
    return found


@pytest.fixture
def opened(browser, address):
    found = opened_at(browser, address["url"])
    found.shown("#ul-state h2")
    yield found
    assert found.said == []
    assert found.hosts() == {urlsplit(address["url"]).netloc}
    found.page.context.close()


def recorded(folder: Path) -> set[str]:
    return {each.name for each in (folder / ".unlearnlog" / "entries").rglob("*.json")}


def test_the_verdict_the_history_and_the_readings_are_there(opened):
    assert "4 concepts are erased" in opened.shown("#ul-state")
    assert "TICKET-1: asked by the estate" in opened.shown("#ul-log")
    assert "Can it be brought back?" in opened.shown("#ul-entry table")


def test_base_and_revision_are_painted_side_by_side_and_the_slider_slides(opened):
    opened.tab("Paint")
    opened.fill("ul-prompt", "a cat")
    opened.page.click("#ul-paint")
    opened.shown(".ul-card")
    card = opened.page.locator(".ul-card").first
    pictures = [
        each.get_attribute("src") for each in card.locator("figure > img").all()
    ]
    boxes = [each.bounding_box() for each in card.locator("figure > img").all()]
    over = card.locator(".ul-over")
    clip = "e => getComputedStyle(e).clipPath"
    half = over.evaluate(clip)

    card.locator("input").press("End")

    assert opened.page.locator(".ul-card").count() == 2
    assert pictures[0] != pictures[1]
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    assert (half, over.evaluate(clip)) == (
        "inset(0px 0px 0px 50%)",
        "inset(0px 0px 0px 100%)",
    )


def test_the_concept_graph_is_drawn(opened):
    opened.tab("Concepts")
    opened.page.click("#ul-draw")
    opened.shown(".ul-graph img")

    wide = opened.page.locator(".ul-graph img").evaluate("e => e.naturalWidth")
    assert wide > 300


def test_a_dry_run_counts_and_writes_no_entry(opened, folder):
    before = recorded(folder)
    opened.tab("Erase")
    opened.fill("ul-name", "Warhol")
    opened.page.click("#ul-dry")

    text = opened.shown("#ul-forecast section")

    assert "Erasing Warhol would take" in text
    assert "pictures, about" in text
    assert "nothing was written" in text
    assert recorded(folder) == before


def test_an_erasure_is_refused_until_the_name_is_typed_again(opened, folder):
    before = recorded(folder)
    opened.tab("Erase")
    opened.fill("ul-name", "Warhol")
    opened.fill("ul-again", "warhol")
    opened.page.click("#ul-erase")

    text = opened.shown("#ul-erased [role=alert]")

    assert "nothing was written" in text
    assert recorded(folder) == before


HARM: Final = "<img src=x onerror=alert(1)>{{ 7 * 7 }}${6 * 7}"


def test_a_hostile_name_is_shown_as_it_was_typed(opened):
    opened.tab("Erase")
    opened.fill("ul-name", HARM)
    opened.fill("ul-again", "x")
    opened.page.click("#ul-erase")

    assert HARM in opened.shown("#ul-erased [role=alert]")


def test_the_report_is_read_in_a_frame_without_an_origin(opened):
    opened.tab("Report")
    opened.page.click("#ul-read")
    opened.shown(".ul-report")
    frame = opened.page.frame_locator(".ul-report")
    frame.locator("h1").wait_for(timeout=PATIENCE)

    assert opened.page.locator(".ul-report").get_attribute("sandbox") == "allow-scripts"
    assert frame.locator("body").evaluate("() => self.origin") == "null"


def test_on_another_address_the_browser_must_type_the_token(browser, folder):
    with served(folder, "--host", "0.0.0.0") as address:
        url = address["url"].replace("0.0.0.0", "127.0.0.1")
        found = opened_at(browser, url)
        assert found.page.locator("#ul-state").count() == 0
        found.page.fill("input[name=token]", "wrong")
        found.page.click("button")
        assert "That is not the token" in found.page.inner_text("body")
        found.page.fill("input[name=token]", address["token"])
        found.page.click("button")

        assert "4 concepts" in found.shown("#ul-state h2")
        assert "token" not in found.page.url
        assert found.hosts() == {urlsplit(url).netloc}
        found.page.context.close()
