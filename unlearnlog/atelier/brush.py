"""Techniques that styles share: outlines, shards, dabs, dots and strokes.

All of them work at drawing size, ``[SIDE, SIDE]``, twice the size of a picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from unlearnlog.atelier.canvas import LIGHT, SCALE, SIZE, SKY, Floats, Scene

SIDE: Final = SIZE * SCALE
ROWS, COLUMNS = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)

Bools = NDArray[np.bool_]


def rgb(*codes: str) -> Floats:
    """Return hexadecimal colours as an array of shape ``[n, 3]`` in ``[0, 1]``."""
    values = [[int(c[i : i + 2], 16) for i in (0, 2, 4)] for c in codes]
    colours: Floats = np.asarray(values, dtype=np.float32) / 255
    return colours


def grey(picture: Floats) -> Floats:
    """Return the brightness of each pixel, shape ``[..., 1]``."""
    weights = np.asarray([0.30, 0.59, 0.11], dtype=np.float32)
    brightness: Floats = (picture @ weights)[..., None]
    return brightness


def outline(scene: Scene, width: int) -> Bools:
    """Return a line of about ``width`` pixels (at drawing size) between roles."""
    roles = scene.roles
    edge = np.zeros(roles.shape, dtype=bool)
    for axis in (0, 1):
        edge |= roles != np.roll(roles, 1, axis)
    edge[0] = edge[:, 0] = False
    image = Image.fromarray(edge.astype(np.uint8) * 255)
    size = width if width % 2 else width + 1
    return np.asarray(image.filter(ImageFilter.MaxFilter(size))) > 0


def contour(scene: Scene, width: int) -> Bools:
    """Return a line of about ``width`` pixels around the whole subject."""
    image = Image.fromarray(scene.subject.astype(np.uint8) * 255)
    size = width if width % 2 else width + 1
    grown = np.asarray(image.filter(ImageFilter.MaxFilter(size))) > 0
    shrunk = np.asarray(image.filter(ImageFilter.MinFilter(size))) > 0
    return np.asarray(grown & ~shrunk)


def recoloured(scene: Scene, colours: Mapping[int, Floats]) -> Floats:
    """Return flat colours by role."""
    table = np.asarray([colours[role] for role in range(6)])
    return np.asarray(table[scene.roles], dtype=np.float32)


def shards(rng: np.random.Generator, count: int) -> tuple[NDArray[np.intp], Floats]:
    """Return the shard of each pixel, and its distance from the next shard.

    Args:
        rng: Source of the shards' positions and direction.
        count: Approximate number of shards.
    """
    rows = int(np.ceil(np.sqrt(count)))
    grid = (
        np.moveaxis(np.mgrid[0:rows, 0:rows], 0, -1).reshape(-1, 2).astype(np.float32)
    )
    seeds = (grid + rng.uniform(0.05, 0.95, grid.shape)) * SIDE / rows
    # A stretched metric makes long shards rather than round cells.
    angle = rng.uniform(0, np.pi)
    axes = np.asarray(
        [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    ) * np.asarray([[1.0], [0.62]])
    points = np.stack([ROWS[::2, ::2], COLUMNS[::2, ::2]], -1) @ axes.T
    centres = seeds @ axes.T
    distance = ((points[:, :, None] - centres) ** 2).sum(-1)
    order = np.partition(distance, 1, -1)[..., :2]
    gap = np.sqrt(order[..., 1]) - np.sqrt(order[..., 0])
    cell = distance.argmin(-1)
    return _doubled(cell), _doubled(gap)


def _doubled(array: NDArray[Any]) -> NDArray[Any]:
    return array.repeat(2, 0).repeat(2, 1)


def dabs(source: Floats, rng: np.random.Generator, angle: float) -> Floats:
    """Return ``source`` repainted with 420 elliptic dabs of its own colours."""
    image = Image.fromarray(_bytes(source)).filter(ImageFilter.BoxBlur(1))
    draw = ImageDraw.Draw(image)
    places = rng.uniform(0, SIDE - 1, (420, 2))
    turns = angle + rng.normal(0, 0.35, 420)
    shades = rng.normal(0, 0.04, (420, 3)) + rng.normal(0, 0.07, (420, 1))
    at = places.astype(int)
    colours = _bytes(source[at[:, 0], at[:, 1]] + shades.astype(np.float32))
    circle = np.linspace(0, 2 * np.pi, 9)[:-1]
    for (row, column), turn, colour in zip(places, turns, colours, strict=True):
        along, across = 6.5 * np.cos(circle), 3.0 * np.sin(circle)
        x = column + along * np.cos(turn) - across * np.sin(turn)
        y = row + along * np.sin(turn) + across * np.cos(turn)
        draw.polygon(list(zip(x, y, strict=True)), fill=tuple(map(int, colour)))
    return np.asarray(image, dtype=np.float32) / 255


def _bytes(picture: Floats) -> NDArray[np.uint8]:
    return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)


def sampled(source: Floats, pitch: int) -> Floats:
    """Return the mean colour of each ``pitch`` x ``pitch`` block, at full size."""
    image = Image.fromarray(_bytes(source))
    n = -(-SIDE // pitch)
    padded = image.resize((n, n), Image.Resampling.BOX, (0, 0, SIDE, SIDE))
    big = np.asarray(padded, dtype=np.float32) / 255
    return big.repeat(pitch, 0).repeat(pitch, 1)[:SIDE, :SIDE]


def vivid(picture: Floats, strength: float) -> Floats:
    """Return the picture with its colours ``strength`` times as far from grey."""
    return np.clip(grey(picture) + strength * (picture - grey(picture)), 0, 1)


def strokes(
    source: Floats, rng: np.random.Generator, turn: Floats, jitter: float
) -> Floats:
    """Return ``source`` repainted with 520 long strokes along the field ``turn``."""
    image = Image.fromarray(_bytes(source)).filter(ImageFilter.BoxBlur(3))
    draw = ImageDraw.Draw(image)
    places = rng.uniform(0, SIDE - 1, (520, 2))
    shades = rng.normal(0, jitter, (520, 1)).astype(np.float32)
    at = places.astype(int)
    colours = _bytes(source[at[:, 0], at[:, 1]] + shades)
    for (row, column), colour in zip(places, colours, strict=True):
        path = [(column, row)]
        for _ in range(3):
            x, y = path[-1]
            r, c = min(max(int(y), 0), SIDE - 1), min(max(int(x), 0), SIDE - 1)
            angle = float(turn[r, c])
            path.append((x + 5.5 * np.cos(angle), y + 5.5 * np.sin(angle)))
        draw.line(path, fill=tuple(map(int, colour)), width=5, joint="curve")
    return np.asarray(image, dtype=np.float32) / 255


def fractured(
    scene: Scene, rng: np.random.Generator, count: int
) -> tuple[NDArray[np.uint8], Floats, Floats]:
    """Return the scene with a different shift in each shard.

    Returns:
        Roles ``[SIDE, SIDE]``; the distance to the next shard, same shape; and the
        tone of each shard, in [-1, 1], ``[SIDE, SIDE, 1]``.
    """
    cell, gap = shards(rng, count)
    shift = rng.integers(-5, 6, (2, int(cell.max()) + 1))
    rows = np.clip(ROWS + shift[0][cell], 0, SIDE - 1).astype(int)
    columns = np.clip(COLUMNS + shift[1][cell], 0, SIDE - 1).astype(int)
    tone = rng.uniform(-1, 1, int(cell.max()) + 1).astype(np.float32)[cell]
    return scene.roles[rows, columns], gap, tone[..., None]


def hazed(scene: Scene, air: Floats, shade: Floats) -> Floats:
    """Return the backdrop half mixed with ``air``, the subject with ``shade``."""
    far = 0.5 * scene.picture + 0.5 * air
    near = 0.5 * scene.picture + 0.5 * shade
    near = np.where((scene.roles == LIGHT)[..., None], far, near)
    return np.where(scene.subject[..., None], near, far).astype(np.float32)


def ukiyo_e(scene: Scene, wash: Floats, rng: np.random.Generator) -> Floats:
    """Return a woodblock print: flat muted fills and a Prussian blue contour."""
    muted = 0.55 * grey(scene.picture) + 0.25 * scene.picture + 0.12
    tint = rgb("c9d6e0")[0]
    picture = np.where((scene.roles == SKY)[..., None], wash, muted * tint)
    crest = 104 + 7 * np.sin(COLUMNS / 8 + rng.uniform(0, 6))
    sea = crest < ROWS
    foam = np.abs(ROWS - crest) < 3.5
    picture = np.where(sea[..., None], rgb("20406f")[0], picture)
    picture = np.where(outline(scene, 3)[..., None], rgb("182a52")[0], picture)
    return np.where(foam[..., None], rgb("fbf8ee")[0], picture)
