"""What there is in the bundled world, read once from ``concepts.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

PLAIN: Final = "photo"
"""The plain style: what remains when no artist is named."""

EMPTY: Final = ""
"""The empty scene: what remains when no subject is named."""


@dataclass(frozen=True)
class World:
    """The names of the bundled world and what ties them together.

    Attributes:
        styles: The artists the model was trained on.
        subjects: The subjects the model was trained on.
        held_out: Styles and subjects that only the renderer and the judge know.
        movements: Movement to its artists, the held-out ones included.
        adjectives: Movement to the word a caption uses for it.
        categories: Category to its subjects.
        look_alikes: Pairs whose difference is small but certain.
        synonyms: Concept to its other names; the last one shares no token with it.
    """

    styles: tuple[str, ...]
    subjects: tuple[str, ...]
    held_out: tuple[str, ...]
    movements: dict[str, tuple[str, ...]]
    adjectives: dict[str, str]
    categories: dict[str, tuple[str, ...]]
    look_alikes: tuple[tuple[str, str], ...]
    synonyms: dict[str, tuple[str, ...]]

    def trained_artists(self, movement: str) -> tuple[str, ...]:
        """Return the artists of ``movement`` that the model knows."""
        return tuple(a for a in self.movements[movement] if a in self.styles)

    @property
    def spoken_movements(self) -> tuple[str, ...]:
        """Movements with at least two known artists: the ones captions speak of."""
        return tuple(m for m in self.movements if len(self.trained_artists(m)) > 1)

    def look_alike(self, name: str) -> str | None:
        """Return the look-alike of ``name``, or None."""
        for one, other in self.look_alikes:
            if name in (one, other):
                return other if name == one else one
        return None

    def parent(self, name: str) -> str | None:
        """Return the movement of a style or the category of a subject."""
        for family in (self.movements, self.categories):
            for parent, members in family.items():
                if name in members:
                    return parent
        return None


@cache
def world() -> World:
    """Return the bundled world."""
    text = files("unlearnlog.atelier").joinpath("concepts.toml").read_text("utf-8")
    data: dict[str, Any] = tomllib.loads(text)
    held = data["held_out"]
    movements = {m: tuple(v["artists"]) for m, v in data["movements"].items()}
    categories = {c: tuple(v) for c, v in data["categories"].items()}
    styles = tuple(a for v in movements.values() for a in v if a not in held["styles"])
    subjects = tuple(
        s for v in categories.values() for s in v if s not in held["subjects"]
    )
    alike = data["look_alikes"]
    return World(
        styles=styles,
        subjects=subjects,
        held_out=(*held["styles"], *held["subjects"]),
        movements=movements,
        adjectives={m: v["adjective"] for m, v in data["movements"].items()},
        categories=categories,
        look_alikes=tuple((a, b) for a, b in (*alike["styles"], *alike["subjects"])),
        synonyms={name: tuple(v) for name, v in data["synonyms"].items()},
    )
