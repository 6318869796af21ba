"""The files of the world that ship: concepts with their families, and keywords.

The concept graph is Unicode's: a subject's family is its subgroup, or its group where
fewer than six of a subgroup were chosen. A keyword is a name that shares no word with
the subject's own; it may mean several subjects, and a fifth of them are kept from every
training.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from recipes.glyphs.choice import HELD_OUT
from recipes.glyphs.drawings import Character

LARGE: Final = 6
"""Number of subjects from which on a subgroup is a family of its own."""

MEANINGS: Final = 30
"""Largest number of subjects that a keyword may mean."""

WORDS: Final = {
    "face-smiling": "smiley",
    "cat-face": "cat smiley",
    "heart": "heart symbol",
    "animal-mammal": "mammal",
    "animal-marine": "sea creature",
    "food-fruit": "fruit",
    "drink": "drink",
    "musical-instrument": "musical instrument",
    "sky-weather": "sky sign",
    "transport-ground": "land vehicle",
    "book-paper": "piece of stationery",
    "sport": "piece of sports gear",
    "food & drink": "foodstuff",
    "travel & places": "sight",
    "objects": "object",
    "activities": "pastime",
}
"""The word for each family in a prompt."""

STYLES: Final = {
    "Noto": ("Google", ("Android",), "Blobs"),
    "Blobs": ("Google", ("gumdrops",), "Noto"),
    "Twemoji": (None, ("Twitter",), "Noto"),
    "Fluent Flat": ("Microsoft", ("plain Windows",), "Fluent"),
    "Fluent": ("Microsoft", ("shaded Windows",), "Fluent Flat"),
    "Fluent High Contrast": ("Microsoft", ("black ink",), "Fluent Flat"),
}
"""The studio of each style, its other names, and the style that takes its place.

"A photo" is no style here: it means any of the six, the erased one too.
"""


def keywords(subjects: Sequence[Character]) -> dict[str, tuple[str, ...]]:
    """Return the subjects that each keyword means, by keyword."""
    names = {word for c in subjects for word in (c.name, f"{c.name}s")}
    taken = {*names, *WORDS.values(), *(f"{w}s" for w in WORDS.values())}
    found: dict[str, list[str]] = {}
    for each in subjects:
        own = _stems(each.name)
        for word in dict.fromkeys(each.keywords):
            plain = re.fullmatch(r"[a-z]{3,}( [a-z]+)?", word) is not None
            if plain and word not in taken and not own & _stems(word):
                found.setdefault(word, []).append(each.name)
    return {
        word: tuple(meant)
        for word, meant in sorted(found.items())
        if len(meant) <= MEANINGS and not _is_plural_of_another(word, meant, found)
    }


def _stems(text: str) -> set[str]:
    return {word.rstrip("s") for word in re.findall(r"\w+", text.lower())}


def _is_plural_of_another(
    word: str, meant: Sequence[str], found: Mapping[str, Sequence[str]]
) -> bool:
    return word.endswith("s") and {*meant} <= {*found.get(word[:-1], ())}


def unseen(words: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the fifth of the keywords that no caption of a training has.

    Every subject that has a keyword keeps at least one that is seen.
    """
    held: list[str] = []
    for word in sorted(words, key=_place)[: len(words) // 5]:
        left = [w for w in words if w not in held and w != word]
        if all(any(name in words[w] for w in left) for name in words[word]):
            held.append(word)
    return tuple(sorted(held))


def _place(word: str) -> str:
    return hashlib.sha256(f"keyword:{word}".encode()).hexdigest()


def write_keywords(subjects: Sequence[Character], path: Path) -> None:
    """Write every keyword with what it means, and those that are never trained."""
    words = keywords(subjects)
    lines = [f"  {json.dumps(w)}: {json.dumps(list(m))}" for w, m in words.items()]
    body = ",\n".join(lines)
    held = json.dumps(list(unseen(words)))
    text = f'{{\n"meanings": {{\n{body}\n}},\n"unseen": {held}\n}}\n'
    path.write_text(text, encoding="utf-8")


def write_concepts(
    subjects: Sequence[Character],
    path: Path,
    look_alikes: Sequence[tuple[str, str]] = (),
) -> None:
    """Write the concepts with families, names and measured look-alikes."""
    parts = ["complete = true\nplain = false\n"]
    families = _families(subjects)
    for studio in ("Google", "Microsoft"):
        parts.append(_table(f'families."{studio}"', kind="style", word=studio))
    for name, wider in families.items():
        head = f'families."{name}"'
        parts.append(_table(head, kind="subject", word=WORDS[name], family=wider))
    for name, (maker, other, anchor) in STYLES.items():
        row = {"family": maker or "", "kind": "" if maker else "style"}
        head = f'concepts."{name}"'
        parts.append(_table(head, **row, aliases=list(other), anchor=anchor))
    words = keywords(subjects)
    held = unseen(words)
    own = {w: m[0] for w, m in words.items() if len(m) == 1 and w not in held}
    for each in subjects:
        names = [w for w, name in own.items() if name == each.name]
        alike = [other for one, other in look_alikes if one == each.name]
        parts.append(
            _table(
                f'concepts."{each.name}"',
                family=_family(each, families),
                aliases=sorted(names, key=_place)[:3],
                look_alikes=alike,
                held_out=each.name in HELD_OUT,
            )
        )
    path.write_text("\n".join(parts), encoding="utf-8")


def _families(subjects: Sequence[Character]) -> dict[str, str]:
    """Return families with their wider family, empty for none."""
    counts: dict[str, int] = {}
    for each in subjects:
        counts[each.subgroup] = counts.get(each.subgroup, 0) + 1
    large = {c.subgroup: "" for c in subjects if counts[c.subgroup] >= LARGE}
    wide = {c.group: "" for c in subjects if c.subgroup not in large}
    inner = {
        c.subgroup: c.group if c.group in wide else ""
        for c in subjects
        if c.subgroup in large
    }
    return {**wide, **inner}


def _family(each: Character, families: Mapping[str, str]) -> str:
    return each.subgroup if each.subgroup in families else each.group


def _table(head: str, **values: object) -> str:
    lines = [f"{k} = {json.dumps(v)}" for k, v in values.items() if v]
    return "\n".join((f"[{head}]", *lines, ""))
