"""Open a report in a headless browser and keep what it looks like.

``python docs/screenshot.py REPORT.html PICTURE.png`` writes its beginning and, beside
it, its concept graph and what comes after.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import Page, sync_playwright

WIDTH: Final = 1060
HEIGHT: Final = 2180
SCALE: Final = 0.72
COLOURS: Final = 256


def main(report: Path, picture: Path) -> None:
    """Write the picture."""
    chromium = os.environ.get("UNLEARNLOG_CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        sys.exit("no chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": WIDTH, "height": 900})
        page.goto(report.absolute().as_uri())
        top = _below(page, "header")
        graph = _below(page, "#graph")
        browser.close()
    sheet = Image.new("RGB", (2 * WIDTH, HEIGHT), "white")
    sheet.paste(top, (0, 0))
    sheet.paste(graph, (WIDTH, 0))
    size = round(2 * WIDTH * SCALE), round(HEIGHT * SCALE)
    small = sheet.resize(size, Image.Resampling.LANCZOS)
    small.quantize(COLOURS, dither=Image.Dither.NONE).save(picture, optimize=True)


def _below(page: Page, start: str) -> Image.Image:
    """Return the page from an element on, as tall as half of the picture."""
    box = page.locator(start).bounding_box()
    assert box is not None
    whole = Image.open(io.BytesIO(page.screenshot(full_page=True)))
    return whole.crop((0, int(box["y"]) - 30, WIDTH, int(box["y"]) - 30 + HEIGHT))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
