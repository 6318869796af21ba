"""The canvas that subjects are drawn on, with the role of every pixel.

A :class:`Canvas` has a unit square, the subject's own frame: x to the right, y
downwards, feet near ``y = 1``. Beside its colours a scene has the *role* of every pixel
(sky, ground, body, ...), from which styles recolour a picture.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

SIZE: Final = 64
SCALE: Final = 2
"""Scenes are drawn at twice the final size and averaged down."""

SKY, GROUND, BODY, ACCENT, DARK, LIGHT = range(6)
"""The role of a pixel: the part of the scene that it belongs to."""

Floats = NDArray[np.floating[Any]]
Point = tuple[float, float]
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Scene:
    """One subject in its setting, before any style is applied.

    Attributes:
        picture: Colours in ``[0, 1]``, shape ``[128, 128, 3]``.
        roles: Role of each pixel, shape ``[128, 128]``, values ``SKY`` .. ``LIGHT``.
    """

    picture: Floats
    roles: NDArray[np.uint8]

    @property
    def subject(self) -> NDArray[np.bool_]:
        """Mask of the subject, shape ``[128, 128]``."""
        return self.roles >= BODY


class Canvas:
    """Two aligned drawings, one of colours and one of roles."""

    def __init__(self, rng: np.random.Generator) -> None:
        """Start with an empty setting; ``rng`` gives place, size and colours."""
        side = SIZE * SCALE
        self._rng = rng
        self._colour_image = Image.new("RGB", (side, side))
        self._role_image = Image.new("L", (side, side), SKY)
        self._colours = ImageDraw.Draw(self._colour_image)
        self._roles = ImageDraw.Draw(self._role_image)
        self._side = side
        self._flip = bool(rng.integers(2))
        self._size = float(rng.uniform(0.66, 0.80)) * side
        self._left = (side - self._size) / 2 + float(rng.uniform(-0.07, 0.07)) * side
        self._top = side * float(rng.uniform(0.90, 0.96)) - self._size
        self.palette = _palette(rng)

    def setting(self) -> None:
        """Paint sky and ground."""
        side, rng = self._side, self._rng
        horizon = int(side * rng.uniform(0.66, 0.78))
        top, low = self.palette[SKY], _mixed(self.palette[SKY], (255, 255, 255), 0.45)
        for row in range(0, horizon, 4):
            shade = _mixed(top, low, row / horizon)
            self._colours.rectangle((0, row, side, row + 4), fill=shade)
        self._colours.rectangle((0, horizon, side, side), fill=self.palette[GROUND])
        self._roles.rectangle((0, horizon, side, side), fill=GROUND)

    def polygon(self, role: int, points: Sequence[Point]) -> None:
        """Fill a polygon given in the subject's frame."""
        placed = [self._placed(point) for point in points]
        self._colours.polygon(placed, fill=self.palette[role])
        self._roles.polygon(placed, fill=role)

    def ellipse(self, role: int, centre: Point, radii: Point) -> None:
        """Fill an axis-parallel ellipse given in the subject's frame."""
        x, y = self._placed(centre)
        rx, ry = radii[0] * self._size, radii[1] * self._size
        box = (x - rx, y - ry, x + rx, y + ry)
        self._colours.ellipse(box, fill=self.palette[role])
        self._roles.ellipse(box, fill=role)

    def line(self, role: int, points: Sequence[Point], width: float) -> None:
        """Draw a thick line with round joints, ``width`` in the subject's frame."""
        placed = [self._placed(point) for point in points]
        pixels = max(2, round(width * self._size))
        for image in (self._colours, self._roles):
            fill = self.palette[role] if image is self._colours else role
            image.line(placed, fill=fill, width=pixels, joint="curve")

    def scene(self) -> Scene:
        """Return the drawn scene."""
        picture = np.asarray(self._colour_image, dtype=np.float32) / 255
        return Scene(picture, np.asarray(self._role_image, dtype=np.uint8))

    def _placed(self, point: Point) -> Point:
        x = 1 - point[0] if self._flip else point[0]
        return self._left + x * self._size, self._top + point[1] * self._size


def _palette(rng: np.random.Generator) -> dict[int, Colour]:
    """Return a colour per role: any hue for the body, a tame sky and ground."""
    hue = float(rng.uniform())
    accent = (hue + float(rng.uniform(0.25, 0.75))) % 1
    return {
        SKY: _hsv(rng.uniform(0.52, 0.62), rng.uniform(0.35, 0.55), 0.92),
        GROUND: _hsv(rng.uniform(0.24, 0.36), rng.uniform(0.35, 0.55), 0.62),
        BODY: _hsv(hue, rng.uniform(0.55, 0.85), rng.uniform(0.55, 0.85)),
        ACCENT: _hsv(accent, rng.uniform(0.6, 0.9), rng.uniform(0.6, 0.95)),
        DARK: _hsv(hue, 0.4, 0.16),
        LIGHT: _hsv(0.13, 0.12, 0.97),
    }


def _hsv(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(float(hue), float(saturation), value)
    return round(red * 255), round(green * 255), round(blue * 255)


def _mixed(one: Colour, other: Colour, share: float) -> Colour:
    mix = [round(a + (b - a) * share) for a, b in zip(one, other, strict=True)]
    return mix[0], mix[1], mix[2]
