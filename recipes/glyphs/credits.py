"""The notice that names who drew and who named what the model learned from."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from recipes.glyphs.packages import (
    NAMES_PACKAGE,
    STYLE_PACKAGES,
    fetched,
    read_table,
)

_HEAD: Final = """The world "glyphs": whose work is in it

No drawing is part of this package. The weights of the model, where a build holds them,
were trained on the drawings below, moved, scaled, mirrored and put on colours; names,
groups and keywords in concepts.toml and keywords.json are Unicode's, as the data below
gives them.
"""


def write_notice(work: Path, path: Path) -> None:
    """Write the notice from what the packages say of themselves."""
    parts = [_HEAD]
    for style, package in STYLE_PACKAGES.items():
        info = read_table(work, package, "info.json")
        author, licence = info["author"], info["license"]
        parts.append(
            f"{style}: {info['name']}, package {package}\n"
            f"  by {author['name']}, {author['url']}\n"
            f"  {licence['title']} ({licence['spdx']}), {licence['url']}\n"
        )
    data = read_table(work, NAMES_PACKAGE, "package.json")
    folder = fetched(work, NAMES_PACKAGE)
    parts.append(
        f"Names, groups and keywords: package {NAMES_PACKAGE} {data['version']}\n"
        f"  by {data['author']}, {data['license']}; from Unicode's data files\n"
    )
    licence_text = (folder / "LICENSE").read_text(encoding="utf-8").strip()
    parts.append(f"The licence of {NAMES_PACKAGE}:\n\n{licence_text}\n")
    path.write_text("\n".join(parts), encoding="utf-8")
