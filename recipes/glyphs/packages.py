"""The packages of the npm registry that the drawings and their names come from.

They are fetched by name when the recipe runs, with the npm and the registry that the
machine is set up for, and at no other time. What ships is weights.
"""

from __future__ import annotations

import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any, Final

STYLE_PACKAGES: Final = {
    "Noto": "@iconify-json/noto",
    "Blobs": "@iconify-json/noto-v1",
    "Twemoji": "@iconify-json/twemoji",
    "Fluent Flat": "@iconify-json/fluent-emoji-flat",
    "Fluent": "@iconify-json/fluent-emoji",
    "Fluent High Contrast": "@iconify-json/fluent-emoji-high-contrast",
}
"""The package that each style is drawn in."""

NAMES_PACKAGE: Final = "emojibase-data"
"""The package of Unicode's names, keywords and groups."""


def fetched(work: Path, package: str) -> Path:
    """Return the folder of a package's files, fetched once.

    Raises:
        SystemExit: npm cannot be run, or cannot find the package.
    """
    folder = work / "npm" / package.replace("/", "+")
    if not (folder / "package").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(folder / _packed(folder, package)) as archive:
            archive.extractall(folder, filter="data")
    return folder / "package"


def _packed(folder: Path, package: str) -> str:
    command = ["npm", "pack", "--silent", package]
    try:
        done = subprocess.run(
            command, cwd=folder, check=True, capture_output=True, text=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        detail = getattr(error, "stderr", "") or error
        raise SystemExit(
            f"the drawings of '{package}' cannot be had: {detail}\n"
            f"`{' '.join(command)}` must work here; the recipe reads them from npm"
        ) from error
    return done.stdout.split()[-1]


def read_table(work: Path, package: str, name: str) -> dict[str, Any]:
    """Return one JSON file of a package that holds an object."""
    return dict(json.loads((fetched(work, package) / name).read_text("utf-8")))


def read_rows(work: Path, package: str, name: str) -> list[dict[str, Any]]:
    """Return one JSON file of a package that holds a list of objects."""
    return list(json.loads((fetched(work, package) / name).read_text("utf-8")))
