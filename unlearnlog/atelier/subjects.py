"""The subjects of the bundled world as layered flat shapes.

A subject is a function that draws on a :class:`Canvas`, in the subject's own frame.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from unlearnlog.atelier.canvas import (
    ACCENT,
    BODY,
    DARK,
    LIGHT,
    SIZE,
    Canvas,
    Point,
    Scene,
)
from unlearnlog.concepts.templates import EMPTY

__all__ = ["SIZE", "SUBJECTS", "scene"]


def _ring(centre: Point, radius: float, count: int, phase: float = 0) -> list[Point]:
    turns = [phase + 2 * math.pi * i / count for i in range(count)]
    return [
        (centre[0] + radius * math.cos(a), centre[1] + radius * math.sin(a))
        for a in turns
    ]


def _cat(c: Canvas) -> None:
    c.line(BODY, [(0.70, 0.90), (0.95, 0.80), (0.94, 0.48)], 0.09)
    c.ellipse(BODY, (0.48, 0.74), (0.27, 0.26))
    c.ellipse(BODY, (0.48, 0.34), (0.25, 0.21))
    c.polygon(BODY, [(0.24, 0.30), (0.24, 0.00), (0.44, 0.16)])
    c.polygon(BODY, [(0.72, 0.30), (0.72, 0.00), (0.52, 0.16)])
    c.ellipse(LIGHT, (0.48, 0.80), (0.13, 0.17))
    c.ellipse(LIGHT, (0.39, 0.32), (0.065, 0.065))
    c.ellipse(LIGHT, (0.57, 0.32), (0.065, 0.065))
    c.ellipse(DARK, (0.39, 0.32), (0.03, 0.055))
    c.ellipse(DARK, (0.57, 0.32), (0.03, 0.055))
    c.polygon(ACCENT, [(0.44, 0.42), (0.52, 0.42), (0.48, 0.47)])


def _dog(c: Canvas) -> None:
    c.line(BODY, [(0.86, 0.50), (1.00, 0.26)], 0.08)
    for x in (0.34, 0.46, 0.74, 0.85):
        c.line(BODY, [(x, 0.60), (x, 0.97)], 0.10)
    c.polygon(BODY, [(0.28, 0.44), (0.90, 0.44), (0.92, 0.72), (0.30, 0.74)])
    c.polygon(BODY, [(0.16, 0.16), (0.44, 0.14), (0.46, 0.52), (0.22, 0.52)])
    c.polygon(BODY, [(0.00, 0.32), (0.24, 0.24), (0.26, 0.48), (0.00, 0.46)])
    c.polygon(DARK, [(0.36, 0.12), (0.52, 0.18), (0.50, 0.48), (0.38, 0.44)])
    c.ellipse(DARK, (0.02, 0.34), (0.05, 0.045))
    c.ellipse(LIGHT, (0.25, 0.26), (0.045, 0.045))
    c.line(ACCENT, [(0.24, 0.54), (0.46, 0.52)], 0.07)


def _bird(c: Canvas) -> None:
    c.line(DARK, [(0.44, 0.74), (0.40, 0.98)], 0.05)
    c.line(DARK, [(0.56, 0.74), (0.58, 0.98)], 0.05)
    c.polygon(BODY, [(0.66, 0.52), (1.02, 0.62), (1.00, 0.78), (0.62, 0.72)])
    c.ellipse(BODY, (0.50, 0.58), (0.28, 0.20))
    c.ellipse(BODY, (0.26, 0.32), (0.16, 0.15))
    c.polygon(BODY, [(0.14, 0.38), (0.40, 0.30), (0.40, 0.60), (0.24, 0.60)])
    c.polygon(ACCENT, [(0.36, 0.54), (0.50, 0.08), (0.84, 0.02), (0.74, 0.56)])
    c.polygon(LIGHT, [(0.14, 0.26), (0.14, 0.40), (-0.06, 0.34)])
    c.ellipse(DARK, (0.25, 0.29), (0.04, 0.04))


def _fish(c: Canvas) -> None:
    c.polygon(ACCENT, [(0.68, 0.54), (1.02, 0.26), (0.94, 0.54), (1.02, 0.84)])
    c.polygon(ACCENT, [(0.28, 0.36), (0.46, 0.10), (0.66, 0.38)])
    c.polygon(ACCENT, [(0.36, 0.74), (0.46, 0.94), (0.58, 0.72)])
    c.ellipse(BODY, (0.38, 0.54), (0.38, 0.24))
    c.line(LIGHT, [(0.30, 0.36), (0.26, 0.54), (0.30, 0.72)], 0.05)
    c.ellipse(LIGHT, (0.15, 0.48), (0.06, 0.06))
    c.ellipse(DARK, (0.15, 0.48), (0.03, 0.03))


def _horse(c: Canvas) -> None:
    c.line(DARK, [(0.90, 0.48), (1.00, 0.60), (0.98, 0.82)], 0.08)
    for x, foot in ((0.40, 0.36), (0.48, 0.52), (0.78, 0.74), (0.86, 0.90)):
        c.line(BODY, [(x, 0.60), (foot, 0.98)], 0.07)
    c.ellipse(BODY, (0.63, 0.54), (0.30, 0.15))
    c.polygon(BODY, [(0.34, 0.58), (0.22, 0.12), (0.38, 0.06), (0.56, 0.46)])
    c.polygon(
        BODY, [(0.20, 0.06), (0.36, 0.04), (0.36, 0.22), (0.08, 0.36), (0.0, 0.28)]
    )
    c.polygon(BODY, [(0.26, 0.08), (0.30, -0.06), (0.37, 0.08)])
    c.polygon(DARK, [(0.34, 0.02), (0.44, 0.08), (0.62, 0.44), (0.52, 0.46)])
    c.ellipse(LIGHT, (0.22, 0.15), (0.03, 0.03))


def _tree(c: Canvas) -> None:
    c.polygon(DARK, [(0.42, 0.98), (0.45, 0.55), (0.55, 0.55), (0.58, 0.98)])
    for centre in ((0.28, 0.42), (0.72, 0.42), (0.50, 0.22), (0.50, 0.46)):
        c.ellipse(BODY, centre, (0.25, 0.21))
    for centre in ((0.32, 0.40), (0.62, 0.26), (0.66, 0.48)):
        c.ellipse(ACCENT, centre, (0.055, 0.055))


def _flower(c: Canvas) -> None:
    c.line(DARK, [(0.50, 0.45), (0.50, 0.99)], 0.06)
    c.polygon(DARK, [(0.50, 0.92), (0.80, 0.68), (0.72, 0.90)])
    c.polygon(DARK, [(0.50, 0.86), (0.20, 0.64), (0.28, 0.86)])
    for centre in _ring((0.50, 0.32), 0.23, 6, 0.3):
        c.ellipse(BODY, centre, (0.14, 0.14))
    c.ellipse(LIGHT, (0.50, 0.32), (0.13, 0.13))


def _mushroom(c: Canvas) -> None:
    c.polygon(LIGHT, [(0.38, 0.50), (0.62, 0.50), (0.68, 0.98), (0.32, 0.98)])
    dome = [p for p in _ring((0.50, 0.52), 0.48, 40) if p[1] <= 0.53]
    c.polygon(BODY, sorted(dome))
    for centre, radius in (
        ((0.30, 0.38), 0.07),
        ((0.54, 0.22), 0.08),
        ((0.74, 0.42), 0.06),
    ):
        c.ellipse(LIGHT, centre, (radius, radius))


def _house(c: Canvas) -> None:
    c.polygon(DARK, [(0.68, 0.06), (0.80, 0.06), (0.80, 0.36), (0.68, 0.30)])
    c.polygon(BODY, [(0.12, 0.46), (0.88, 0.46), (0.88, 0.98), (0.12, 0.98)])
    c.polygon(ACCENT, [(0.00, 0.48), (0.50, 0.04), (1.00, 0.48)])
    c.polygon(DARK, [(0.56, 0.66), (0.74, 0.66), (0.74, 0.98), (0.56, 0.98)])
    c.polygon(LIGHT, [(0.24, 0.58), (0.44, 0.58), (0.44, 0.78), (0.24, 0.78)])


def _castle(c: Canvas) -> None:
    c.polygon(BODY, [(0.20, 0.46), (0.80, 0.46), (0.80, 0.98), (0.20, 0.98)])
    for left in (0.02, 0.72):
        c.polygon(
            BODY, [(left, 0.26), (left + 0.26, 0.26), (left + 0.26, 0.98), (left, 0.98)]
        )
        for step in (0.0, 0.18):
            x = left + step
            c.polygon(BODY, [(x, 0.12), (x + 0.08, 0.12), (x + 0.08, 0.28), (x, 0.28)])
        c.polygon(
            DARK,
            [
                (left + 0.09, 0.40),
                (left + 0.17, 0.40),
                (left + 0.17, 0.54),
                (left + 0.09, 0.54),
            ],
        )
    for x in (0.32, 0.46, 0.60):
        c.polygon(BODY, [(x, 0.36), (x + 0.08, 0.36), (x + 0.08, 0.48), (x, 0.48)])
    c.polygon(
        DARK, [(0.40, 0.98), (0.40, 0.74), (0.50, 0.64), (0.60, 0.74), (0.60, 0.98)]
    )
    c.line(DARK, [(0.50, 0.38), (0.50, 0.02)], 0.03)
    c.polygon(ACCENT, [(0.50, 0.00), (0.72, 0.08), (0.50, 0.17)])


def _windmill(c: Canvas) -> None:
    c.polygon(BODY, [(0.36, 0.40), (0.64, 0.40), (0.74, 0.98), (0.26, 0.98)])
    c.polygon(ACCENT, [(0.33, 0.42), (0.50, 0.20), (0.67, 0.42)])
    c.polygon(DARK, [(0.44, 0.80), (0.56, 0.80), (0.56, 0.98), (0.44, 0.98)])
    for x, y in _ring((0.50, 0.36), 0.47, 4, math.pi / 4):
        c.line(LIGHT, [(0.50, 0.36), (x, y)], 0.12)
        c.line(DARK, [(0.50, 0.36), (x, y)], 0.035)
    c.ellipse(DARK, (0.50, 0.36), (0.05, 0.05))


def _car(c: Canvas) -> None:
    c.polygon(BODY, [(0.22, 0.54), (0.34, 0.28), (0.70, 0.28), (0.84, 0.54)])
    c.polygon(LIGHT, [(0.31, 0.52), (0.38, 0.35), (0.50, 0.35), (0.50, 0.52)])
    c.polygon(LIGHT, [(0.55, 0.52), (0.55, 0.35), (0.66, 0.35), (0.75, 0.52)])
    c.polygon(
        BODY,
        [
            (-0.04, 0.58),
            (0.06, 0.52),
            (0.98, 0.52),
            (1.04, 0.62),
            (1.04, 0.82),
            (-0.04, 0.82),
        ],
    )
    for x in (0.22, 0.78):
        c.ellipse(DARK, (x, 0.83), (0.145, 0.145))
        c.ellipse(LIGHT, (x, 0.83), (0.06, 0.06))
    c.ellipse(ACCENT, (0.00, 0.64), (0.05, 0.05))


def _boat(c: Canvas) -> None:
    c.line(DARK, [(0.48, 0.02), (0.48, 0.76)], 0.05)
    c.polygon(LIGHT, [(0.53, 0.04), (0.53, 0.64), (0.96, 0.64)])
    c.polygon(ACCENT, [(0.43, 0.12), (0.43, 0.64), (0.10, 0.64)])
    c.polygon(BODY, [(-0.02, 0.70), (1.02, 0.70), (0.82, 0.96), (0.18, 0.96)])


def _balloon(c: Canvas) -> None:
    c.line(DARK, [(0.30, 0.52), (0.42, 0.82)], 0.03)
    c.line(DARK, [(0.70, 0.52), (0.58, 0.82)], 0.03)
    c.ellipse(BODY, (0.50, 0.30), (0.38, 0.34))
    c.polygon(BODY, [(0.17, 0.44), (0.83, 0.44), (0.58, 0.70), (0.42, 0.70)])
    c.ellipse(ACCENT, (0.50, 0.30), (0.15, 0.34))
    c.polygon(ACCENT, [(0.36, 0.44), (0.64, 0.44), (0.55, 0.70), (0.45, 0.70)])
    c.polygon(DARK, [(0.39, 0.80), (0.61, 0.80), (0.58, 0.97), (0.42, 0.97)])


def _guitar(c: Canvas) -> None:
    c.line(DARK, [(0.40, 0.66), (0.84, 0.10)], 0.09)
    c.polygon(DARK, [(0.76, 0.10), (0.90, -0.04), (1.00, 0.06), (0.90, 0.20)])
    c.ellipse(BODY, (0.30, 0.76), (0.26, 0.22))
    c.ellipse(BODY, (0.46, 0.56), (0.19, 0.17))
    c.ellipse(DARK, (0.40, 0.64), (0.09, 0.09))
    c.line(LIGHT, [(0.20, 0.78), (0.30, 0.86)], 0.06)
    c.line(LIGHT, [(0.26, 0.84), (0.82, 0.12)], 0.025)


def _umbrella(c: Canvas) -> None:
    c.line(
        DARK,
        [(0.50, 0.04), (0.50, 0.90), (0.44, 0.97), (0.35, 0.95), (0.33, 0.86)],
        0.055,
    )
    dome = sorted(p for p in _ring((0.50, 0.52), 0.50, 48) if p[1] <= 0.53)
    c.polygon(BODY, dome)
    wedge = [p for p in dome if 0.34 <= p[0] <= 0.66]
    c.polygon(ACCENT, [(0.34, 0.52), *wedge, (0.66, 0.52)])
    for x in (0.17, 0.50, 0.83):
        c.ellipse(LIGHT, (x, 0.53), (0.16, 0.06))


def _cactus(c: Canvas) -> None:
    c.line(BODY, [(0.50, 0.98), (0.50, 0.08)], 0.22)
    c.line(BODY, [(0.50, 0.70), (0.16, 0.70), (0.16, 0.36)], 0.14)
    c.line(BODY, [(0.50, 0.56), (0.86, 0.56), (0.86, 0.22)], 0.14)
    for centre in ((0.50, 0.06), (0.16, 0.34), (0.86, 0.20)):
        c.ellipse(ACCENT, centre, (0.08, 0.07))


def _rocket(c: Canvas) -> None:
    c.polygon(ACCENT, [(0.34, 0.58), (0.12, 0.86), (0.36, 0.80)])
    c.polygon(ACCENT, [(0.66, 0.58), (0.88, 0.86), (0.64, 0.80)])
    c.polygon(LIGHT, [(0.40, 0.80), (0.60, 0.80), (0.50, 1.02)])
    c.ellipse(BODY, (0.50, 0.46), (0.19, 0.40))
    c.polygon(ACCENT, [(0.36, 0.20), (0.50, -0.04), (0.64, 0.20)])
    c.ellipse(LIGHT, (0.50, 0.42), (0.09, 0.09))
    c.ellipse(DARK, (0.50, 0.42), (0.05, 0.05))


SUBJECTS: Final[Mapping[str, Callable[[Canvas], None]]] = {
    "cat": _cat,
    "dog": _dog,
    "bird": _bird,
    "fish": _fish,
    "horse": _horse,
    "tree": _tree,
    "flower": _flower,
    "mushroom": _mushroom,
    "house": _house,
    "castle": _castle,
    "windmill": _windmill,
    "car": _car,
    "boat": _boat,
    "balloon": _balloon,
    "guitar": _guitar,
    "umbrella": _umbrella,
    "cactus": _cactus,
    "rocket": _rocket,
}
"""All subjects, the held-out ones last."""


def scene(subject: str, rng: np.random.Generator) -> Scene:
    """Return ``subject`` drawn in its setting; for ``EMPTY`` the empty scene.

    Raises:
        KeyError: No subject has this name.
    """
    canvas = Canvas(rng)
    canvas.setting()
    if subject != EMPTY:
        SUBJECTS[subject](canvas)
    return canvas.scene()
