"""The drawings: icons of the six sets under Unicode's names, as pictures."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from recipes.glyphs.packages import (
    NAMES_PACKAGE,
    STYLE_PACKAGES,
    read_rows,
    read_table,
)

OLDER_NAMES: Final = {"water pistol": "pistol"}
"""What a character was called when the oldest set was drawn."""

DRAWN: Final = 128
"""Side of a drawing, in pixels, before it is put into a picture."""


@dataclass(frozen=True)
class Character:
    """A character of Unicode that all six sets draw.

    Attributes:
        name: Its name.
        group: Its group, such as "animals & nature".
        subgroup: Its subgroup, such as "animal-mammal".
        keywords: Its keywords, without its name.
        icons: The icon's name in each set, by style.
    """

    name: str
    group: str
    subgroup: str
    keywords: tuple[str, ...]
    icons: Mapping[str, str]


def characters(work: Path) -> list[Character]:
    """Return the characters that every set draws, in Unicode's order."""
    rows = read_rows(work, NAMES_PACKAGE, "en/data.json")
    groups, subgroups = _group_names(work)
    sets = {s: _IconSet.read(work, p) for s, p in STYLE_PACKAGES.items()}
    found = []
    for row in sorted(rows, key=lambda r: r.get("order", 0)):
        if "order" not in row or row.get("subgroup") not in subgroups:
            continue
        icons = _icons(row, sets)
        if icons is not None:
            name = _plain(row["label"])
            words = tuple(t for t in map(_plain, row.get("tags", ())) if t != name)
            places = groups[row["group"]], subgroups[row["subgroup"]]
            found.append(Character(name, *places, words, icons))
    return found


def _plain(text: str) -> str:
    return text.replace("\u2019", "'")


def _group_names(work: Path) -> tuple[dict[int, str], dict[int, str]]:
    messages = read_table(work, NAMES_PACKAGE, "en/messages.json")
    groups = {g["order"]: g["message"] for g in messages["groups"]}
    return groups, {s["order"]: s["key"] for s in messages["subgroups"]}


def _icons(
    row: Mapping[str, Any], sets: Mapping[str, _IconSet]
) -> dict[str, str] | None:
    """Return the icon's name in every set; None where one lacks it."""
    code = row["hexcode"].lower()
    codes = (code, code.replace("-fe0f", ""))
    label = _plain(row["label"])
    names = [re.sub(r"[^a-z0-9]+", "-", label.lower().replace("'", ""))]
    names += [OLDER_NAMES[label]] if label in OLDER_NAMES else []
    names += [s.codes[c] for s in sets.values() for c in codes if c in s.codes]
    icons = {}
    for style, each in sets.items():
        mine = [each.codes[c] for c in codes if c in each.codes]
        known = [n for n in (*mine, *names) if each.icon(n)]
        if not known:
            return None
        icons[style] = known[0]
    return icons


@dataclass(frozen=True)
class _IconSet:
    table: Mapping[str, Any]
    codes: Mapping[str, str]

    @classmethod
    def read(cls, work: Path, package: str) -> _IconSet:
        codes = read_table(work, package, "chars.json")
        return cls(read_table(work, package, "icons.json"), codes)

    def icon(self, name: str) -> dict[str, Any] | None:
        """Return an icon with its box, through aliases; None if the set lacks it."""
        found = self.table["icons"].get(name)
        while found is None:
            alias = self.table.get("aliases", {}).get(name)
            if alias is None:
                return None
            name = alias["parent"]
            found = self.table["icons"].get(name)
        box = {k: self.table.get(k, 16) for k in ("width", "height")}
        return {"left": 0, "top": 0, **box, **found}


def drawn(work: Path, style: str, icons: list[str]) -> NDArray[np.uint8]:
    """Return drawings of one set, RGBA ``[n, 128, 128, 4]``."""
    icon_set = _IconSet.read(work, STYLE_PACKAGES[style])
    found = [icon_set.icon(name) for name in icons]
    return np.stack([_drawing(icon) for icon in found if icon])


def _drawing(icon: Mapping[str, Any]) -> NDArray[np.uint8]:
    import resvg_py

    box = " ".join(str(icon[k]) for k in ("left", "top", "width", "height"))
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" '
        'xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{box}" width="{DRAWN}" height="{DRAWN}" color="black">'
        f"{icon['body']}</svg>"
    )
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=DRAWN, height=DRAWN))
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))
