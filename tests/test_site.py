"""The documentation site, built as `make docs` builds it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urldefrag

import pytest
import yaml

from docs.hooks import AT_THE_ROOT, in_site
from tests.typed import blocks, ends_with

ROOT: Final = Path(__file__).parents[1]
DOCS: Final = ROOT / "docs"
SETTINGS: Final = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
TUTORIAL: Final = DOCS / "TUTORIAL.md"

FETCHED: Final = {
    "audio": "src",
    "embed": "src",
    "iframe": "src",
    "image": "href",
    "img": "src",
    "input": "src",
    "link": "href",
    "object": "data",
    "script": "src",
    "source": "src",
    "track": "src",
    "video": "src",
}
"""Attributes that make a browser ask for something when it shows a page."""

FROM_A_STYLE_SHEET: Final = re.compile(r"""(?:url\(|@import)\s*["']?([^"')\s]+)""")


@dataclass
class Page(HTMLParser):
    """What a page links to, fetches and can be linked to by."""

    path: Path
    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[key] for key in ("id", "name") if key in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if address := given.get(FETCHED.get(tag, "")):
            self.fetched.append(address)


def _is_foreign(address: str) -> bool:
    return "://" in address or address.startswith("//")


def _named(nav: list[dict[str, object]]) -> list[str]:
    """List the files that a navigation names, in order."""
    found: list[str] = []
    for entry in nav:
        for value in entry.values():
            found += _named(value) if isinstance(value, list) else [str(value)]
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site):
    return {path: Page(path) for path in sorted(site.rglob("*.html"))}


def test_the_navigation_names_every_page_once():
    pages = [path.name for path in DOCS.glob("*.md")]

    named = _named(SETTINGS["nav"])

    assert sorted(named) == sorted([*pages, *(f"{name}.md" for name in AT_THE_ROOT)])


def test_links_of_documents_at_the_root_and_below_lead_to_one_place():
    links = ("docs/AUDIT.md#attacks", "../DECISIONS.md", "AUDIT.md", "../README.md#a")

    found = [in_site(link) for link in links]

    assert found == ["AUDIT.md#attacks", "DECISIONS.md", "AUDIT.md", "index.md#a"]


def test_the_site_is_built_without_a_warning_and_has_every_page(site):
    expected = {
        Path(name).with_suffix(".html").name for name in _named(SETTINGS["nav"])
    }

    assert expected <= {path.name for path in site.glob("*.html")}
    assert not [*site.rglob("*.py*"), *site.rglob("results/**/*.json")]


def test_every_link_within_the_site_leads_to_a_page_and_a_place_on_it(pages):
    broken = []
    for page in pages.values():
        if page.path.name == "404.html":  # its links begin where a server's do
            continue
        for link in filter(lambda each: not _is_foreign(each), page.links):
            to, anchor = urldefrag(unquote(link))
            target = (page.path.parent / to).resolve() if to else page.path
            there = pages.get(target)
            if not target.is_file() or (
                anchor and there and anchor not in there.anchors
            ):
                broken.append(f"{page.path.name}: {link}")

    assert broken == []


def test_no_page_asks_another_host_for_anything(pages):
    asked = {
        f"{page.path.name}: {address}"
        for page in pages.values()
        for address in page.fetched
        if _is_foreign(address)
    }

    assert asked == set()


def test_no_style_sheet_asks_another_host_for_anything(site):
    asked = [
        found
        for path in site.rglob("*.css")
        for found in FROM_A_STYLE_SHEET.findall(path.read_text(encoding="utf-8"))
        if _is_foreign(found)
    ]

    assert asked == []


def test_every_picture_of_a_page_is_there(pages):
    missing = [
        f"{page.path.name}: {address}"
        for page in pages.values()
        for address in page.fetched
        if page.path.name != "404.html"
        and not _is_foreign(address)
        and not (page.path.parent / urldefrag(address).url).is_file()
    ]

    assert missing == []


def test_the_python_api_shows_every_method_that_is_a_command(pages):
    (page,) = (each for path, each in pages.items() if path.name == "API.html")

    shown = {anchor.rpartition(".Ledger.")[2] for anchor in page.anchors}

    assert {"add", "revert", "import_", "audit", "report", "apply", "open"} <= shown


@pytest.mark.slow
def test_every_command_of_the_tutorial_does_what_it_says(tmp_path):
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    folder = tmp_path / "forget"
    lines = [line for text in blocks(TUTORIAL, "bash") for line in text.splitlines()]
    assert lines[:2] == ["mkdir forget", "cd forget"]
    folder.mkdir()
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PWD": str(folder),
    }

    for line in lines[2:]:
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.returncode == ends_with(line), (line, done.stderr[-2000:])
    made = {"before-after.png", "look-alike.png", "exported", "report.html"}
    assert made <= {path.name for path in folder.iterdir()}
