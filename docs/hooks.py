"""Pages of the site that stand at the root of the project, and links to them.

mkdocs reads one folder. What the project keeps at its root is added when the site is
built, so it is written once; links are turned to where the pages are in the site.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).parent.parent
AT_THE_ROOT: Final = ("ARCHITECTURE", "CHANGELOG", "CONTRIBUTING", "DECISIONS")
"""Documents that are pages of the site, though they stand above ``docs/``."""

_LINK: Final = re.compile(r"\]\((?P<to>[^)\s]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the documents at the root of the project."""
    for name in AT_THE_ROOT:
        path = ROOT / f"{name}.md"
        files.append(
            File.generated(config, path.name, content=path.read_text(encoding="utf-8"))
        )
    return files


def on_page_markdown(
    markdown: str,
    page: Page,  # noqa: ARG001 - mkdocs gives each of these by name
    config: MkDocsConfig,  # noqa: ARG001
    files: Files,  # noqa: ARG001
) -> str:
    """Return a page's text with links that lead within the site."""
    return _LINK.sub(lambda found: f"]({in_site(found['to'])})", markdown)


def in_site(link: str) -> str:
    """Return where a link of a document leads in the site.

    Example:
        >>> in_site("docs/AUDIT.md#attacks"), in_site("../DECISIONS.md")
        ('AUDIT.md#attacks', 'DECISIONS.md')
    """
    inside = link.removeprefix("docs/").removeprefix("../")
    return f"index.md{inside.removeprefix('README.md')}" if _is_home(inside) else inside


def _is_home(link: str) -> bool:
    return link.partition("#")[0] == "README.md"
