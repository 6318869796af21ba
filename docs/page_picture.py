"""Open the page of `serve` in a headless browser, paint, and keep a picture of it.

``python docs/page_picture.py http://127.0.0.1:7860/ PICTURE.png "PROMPT"``
"""

from __future__ import annotations

import io
import os
import shutil
import sys
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import sync_playwright

WIDTH: Final = 1200
HEIGHT: Final = 1290
SCALE: Final = 0.75
COLOURS: Final = 256


def main(url: str, picture: Path, prompt: str) -> None:
    """Write the picture."""
    chromium = os.environ.get("UNLEARNLOG_CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        sys.exit("no chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto(url)
        page.locator("#ul-state h2").wait_for()
        page.get_by_role("tab", name="Paint").click()
        page.locator("#ul-prompt textarea, #ul-prompt input").first.fill(prompt)
        page.click("#ul-paint")
        page.locator(".ul-card").first.wait_for(timeout=120_000)
        page.mouse.move(0, 0)
        page.wait_for_timeout(1000)
        seen = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        browser.close()
    size = round(WIDTH * SCALE), round(HEIGHT * SCALE)
    small = seen.resize(size, Image.Resampling.LANCZOS)
    small.quantize(COLOURS, dither=Image.Dither.NONE).save(picture, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
