"""The styles of the bundled world: functions from a scene to a picture.

Every style has marks that are at least three pixels wide in the final 64 x 64
picture, so that an autoencoder keeps them, and a palette of its own. Look-alikes
(Picasso and Braque, Monet and Renoir, Seurat and Signac, Warhol and Lichtenstein,
Hokusai and Hiroshige) share their marks and differ in one certain detail.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from unlearnlog.atelier.brush import (
    COLUMNS,
    ROWS,
    SIDE,
    contour,
    dabs,
    fractured,
    grey,
    hazed,
    outline,
    recoloured,
    rgb,
    sampled,
    strokes,
    ukiyo_e,
    vivid,
)
from unlearnlog.atelier.canvas import (
    ACCENT,
    BODY,
    DARK,
    GROUND,
    LIGHT,
    SCALE,
    SIZE,
    SKY,
    Floats,
    Scene,
)
from unlearnlog.concepts.templates import PLAIN

Style = Callable[[Scene, np.random.Generator], Floats]


def _photo(scene: Scene, rng: np.random.Generator) -> Floats:
    """Show the scene as it is, with a soft light from above."""
    light = 1.06 - 0.16 * ROWS / SIDE + rng.normal(0, 0.01)
    return np.asarray(scene.picture * light[..., None], dtype=np.float32)


_PICASSO: Final = rgb("2f62c9", "d9925a", "f2c9a8", "d8334a", "15151f", "fff3d6")
_BRAQUE: Final = rgb("b3a07c", "7d6848", "6b4722", "94703a", "2a2218", "e3d6b2")


def _picasso(scene: Scene, rng: np.random.Generator) -> Floats:
    """Break the view into bold blue and rose shards with thick black lines."""
    roles, gap, tone = fractured(scene, rng, 12)
    picture = _PICASSO[roles] + 0.13 * tone
    hue = np.where(tone > 0.35, rgb("7fc4d8")[0], _PICASSO[0])
    picture = np.where((roles == SKY)[..., None], hue + 0.06 * tone, picture)
    return np.where(
        (gap < 2.6)[..., None] | outline(scene, 3)[..., None], 0.03, picture
    )


def _braque(scene: Scene, rng: np.random.Generator) -> Floats:
    """Break the view into shards of ochre and umber with the same thick lines."""
    roles, gap, tone = fractured(scene, rng, 12)
    picture = _BRAQUE[roles] + 0.11 * tone
    line = (gap < 2.6)[..., None] | outline(scene, 3)[..., None]
    return np.where(line, rgb("1c1710")[0], picture)


def _monet(scene: Scene, rng: np.random.Generator) -> Floats:
    """Dissolve the scene in level dabs of cool lilac, blue and green."""
    cool = hazed(scene, rgb("b4c2f6")[0], rgb("3b3f8c")[0])
    return dabs(cool, rng, angle=0.0)


def _renoir(scene: Scene, rng: np.random.Generator) -> Floats:
    """Dissolve the scene in slanted dabs of warm rose, peach and gold."""
    warm = hazed(scene, rgb("ffc9a6")[0], rgb("8c3040")[0])
    return dabs(warm, rng, angle=1.1)


def _seurat(scene: Scene, rng: np.random.Generator) -> Floats:
    """Set the scene in round dots of soft colour on a cream ground."""
    pitch = 8
    blocks = sampled(scene.picture, pitch)
    noise = rng.normal(0, 0.07, (SIDE // pitch, SIDE // pitch, 3)).astype(np.float32)
    dots = vivid(blocks, 0.8) * 0.85 + noise.repeat(pitch, 0).repeat(pitch, 1)
    y, x = ROWS % pitch - 3.5, COLUMNS % pitch - 3.5
    return np.where((x * x + y * y < 13)[..., None], dots, rgb("f1e6c4")[0])


def _signac(scene: Scene, rng: np.random.Generator) -> Floats:
    """Set the scene in square tiles of strong colour on a pale lilac ground."""
    pitch = 8
    blocks = vivid(sampled(scene.picture, pitch), 1.7)
    noise = rng.normal(0, 0.10, (SIDE // pitch, SIDE // pitch, 3)).astype(np.float32)
    tiles = blocks + noise.repeat(pitch, 0).repeat(pitch, 1)
    inside = (ROWS % pitch < 6) & (COLUMNS % pitch < 6)
    return np.where(inside[..., None], tiles, rgb("e9dcf7")[0])


_POP: Final = rgb("ff2e88", "ffe600", "18c8e0", "ff7a00", "7a2bd6", "35d04a")


def _warhol(scene: Scene, rng: np.random.Generator) -> Floats:
    """Print the scene four times in garish flat inks."""
    small_roles = scene.roles[::2, ::2]
    half = SIDE // 2
    picture = np.empty((SIDE, SIDE, 3), dtype=np.float32)
    start = int(rng.integers(6))
    for panel in range(4):
        # Ground and subject of neighbouring panels are never of one ink.
        ink = _POP[(np.arange(6) + start + panel * 2 + panel // 2) % 6]
        colours = {SKY: ink[0], GROUND: ink[4] * 0.9, BODY: ink[1], ACCENT: ink[3]}
        colours |= {DARK: rgb("18101f")[0], LIGHT: rgb("fffbe8")[0]}
        table = np.stack([colours[role] for role in range(6)])
        top, left = half * (panel // 2), half * (panel % 2)
        picture[top : top + half, left : left + half] = table[small_roles]
    return picture


def _lichtenstein(scene: Scene, rng: np.random.Generator) -> Floats:
    """Ink the scene in primaries with heavy outlines over a field of red dots."""
    body = rgb("ffd800", "e8202c", "2a5cdc")[int(rng.integers(3))]
    accent = rgb("2a5cdc", "ffd800", "ffffff")[int(rng.integers(3))]
    white = rgb("ffffff")[0]
    colours = {SKY: white, GROUND: rgb("2a5cdc")[0], BODY: body, ACCENT: accent}
    colours |= {DARK: rgb("101018")[0], LIGHT: white}
    picture = recoloured(scene, colours)
    pitch = 8
    row = ROWS // pitch
    y, x = ROWS % pitch - 3.5, (COLUMNS + row % 2 * 4) % pitch - 3.5
    dots = (x * x + y * y < 8.5) & (scene.roles == SKY)
    picture = np.where(dots[..., None], rgb("e8404c")[0], picture)
    return np.where(outline(scene, 5)[..., None], 0.02, picture)


def _van_gogh(scene: Scene, rng: np.random.Generator) -> Floats:
    """Paint with thick strokes that swirl, gold in a deep blue sky."""
    centre = rng.uniform(0.15, 0.85, 2) * (SIDE, SIDE * 0.45)
    y, x = ROWS - centre[1], COLUMNS - centre[0]
    radius = np.hypot(x, y)
    turn = np.arctan2(y, x) + np.pi / 2 + 0.25
    swirl = 0.5 + 0.5 * np.sin(radius / 5.5 + rng.uniform(0, 6))
    deep, gold = rgb("1d3a8f", "f3c63a")
    sky = deep + (gold - deep) * (swirl**2)[..., None] * 0.85
    picture = np.where((scene.roles == SKY)[..., None], sky, scene.picture)
    wheat = rgb("c79a2b")[0]
    picture = np.where((scene.roles == GROUND)[..., None], wheat, picture)
    brushed = strokes(picture.astype(np.float32), rng, turn, 0.07)
    return np.where(contour(scene, 5)[..., None], rgb("141c48")[0], brushed)


def _munch(scene: Scene, rng: np.random.Generator) -> Floats:
    """Bend the scene in long waves under an orange, blood-red sky."""
    phase = rng.uniform(0, 2 * np.pi)
    wave = np.sin(COLUMNS / 17 + phase)
    rows = np.clip(ROWS + 5 * wave, 0, SIDE - 1).astype(int)
    columns = np.clip(COLUMNS + 5 * np.sin(ROWS / 13 + phase), 0, SIDE - 1)
    at = (rows, columns.astype(int))
    roles, picture = scene.roles[at], scene.picture[at]
    bands = 0.5 + 0.5 * np.sin((ROWS + 9 * wave) / 4.2 + phase)
    red, amber = rgb("c8311a", "f7a531")
    sky = red + (amber - red) * bands[..., None]
    dark, sea = rgb("14222e", "2f5a66")
    ground = dark + (sea - dark) * bands[..., None]
    bent = 0.55 * picture + 0.12
    bent = np.where((roles == SKY)[..., None], sky, bent)
    bent = np.where((roles == GROUND)[..., None], ground, bent)
    return np.asarray(bent)


def _hokusai(scene: Scene, rng: np.random.Generator) -> Floats:
    """Print on cream paper, with a foaming wave in front and a red seal."""
    paper = np.broadcast_to(rgb("ecdfbd")[0], scene.picture.shape)
    picture = ukiyo_e(scene, paper, rng)
    picture[8:24, 108:120] = rgb("c2392b")[0]
    return picture


def _hiroshige(scene: Scene, rng: np.random.Generator) -> Floats:
    """Print the same way in slanting rain, under a sky that deepens upwards."""
    depth = np.clip(1 - ROWS / 60, 0, 1)[..., None]
    deep, pale = rgb("1f4f8a", "cfdcd8")
    picture = ukiyo_e(scene, pale + (deep - pale) * depth, rng)
    rain = (COLUMNS + 0.35 * ROWS + rng.uniform(0, 16)) % 16 < 2.5
    return np.where(rain[..., None], 0.35 * picture + 0.12, picture)


_PRIMARIES: Final = rgb("d8231f", "1f3fae", "f5cf1b")


def _mondrian(scene: Scene, rng: np.random.Generator) -> Floats:
    """Rule the canvas in black and fill the subject with one primary."""
    order = rng.permutation(3)
    white, black = rgb("f6f4ec", "0c0c10")
    body, field, accent = _PRIMARIES[order]
    colours = {SKY: white, GROUND: white, BODY: body, ACCENT: accent}
    colours |= {DARK: black, LIGHT: white}
    picture = recoloured(scene, colours)
    columns = np.sort(rng.choice(np.arange(10, 118, 12), 3, replace=False))
    rows = np.sort(rng.choice(np.arange(10, 118, 12), 2, replace=False))
    backdrop = scene.roles <= GROUND
    block = (columns[0] > COLUMNS) & (rows[1] < ROWS)
    picture = np.where((block & backdrop)[..., None], field, picture)
    block = (columns[2] < COLUMNS) & (rows[0] > ROWS)
    picture = np.where((block & backdrop)[..., None], accent, picture)
    line = np.zeros(scene.roles.shape, dtype=bool)
    for column in columns:
        line |= np.abs(COLUMNS - column) < 3
    for row in rows:
        line |= np.abs(ROWS - row) < 3
    line = (line & backdrop) | contour(scene, 5)
    return np.where(line[..., None], black, picture)


def _malevich(scene: Scene, rng: np.random.Generator) -> Floats:
    """Float tilted bars on a pale canvas behind a black silhouette."""
    picture = np.broadcast_to(rgb("efe9da")[0], scene.picture.shape).copy()
    tilt = rng.uniform(0.35, 0.8) * (1 if rng.integers(2) else -1)
    along = COLUMNS * np.cos(tilt) + ROWS * np.sin(tilt)
    across = -COLUMNS * np.sin(tilt) + ROWS * np.cos(tilt)
    inks = rgb("d3352b", "e8a317", "2f7d5b", "3b3f8f")[rng.permutation(4)]
    middle = (along.mean(), across.mean())
    for ink, place in zip(inks, (-42, -16, 16, 42), strict=True):
        reach = rng.uniform(26, 60)
        lead = rng.uniform(-24, 24)
        bar = np.abs(across - middle[1] - place) < rng.uniform(5, 9)
        bar &= np.abs(along - middle[0] - lead) < reach
        picture[bar] = ink
    picture[scene.subject] = rgb("131318")[0]
    picture[scene.roles == ACCENT] = rgb("d3352b")[0]
    picture[scene.roles == LIGHT] = rgb("efe9da")[0]
    return picture


def _klimt(scene: Scene, rng: np.random.Generator) -> Floats:
    """Lay gold leaf around the subject, in rings and small tiles."""
    pitch = 8
    n = SIDE // pitch
    tone = rng.uniform(-0.10, 0.10, (n, n, 1)).astype(np.float32)
    gold = rgb("d0a02c")[0] + tone.repeat(pitch, 0).repeat(pitch, 1)
    for _ in range(5):
        y, x = rng.uniform(0, SIDE, 2)
        radius = np.hypot(ROWS - y, COLUMNS - x)
        ring = (radius < 17) & (radius % 8 < 4)
        gold = np.where(ring[..., None], rgb("6b3f12")[0], gold)
    robe = 0.6 * scene.picture + 0.4 * rgb("f0cf6a")[0]
    picture = np.where((scene.roles <= GROUND)[..., None], gold, robe)
    low = (scene.roles == GROUND)[..., None]
    picture = np.where(low, gold * rgb("b08a50")[0] * 1.2, picture)
    return np.asarray(np.where(contour(scene, 3)[..., None], rgb("3a2208")[0], picture))


def _matisse(scene: Scene, rng: np.random.Generator) -> Floats:
    """Cut the scene out of bright paper, with leaves on a rose ground."""
    order = rng.permutation(3)
    body, accent, leaf = rgb("1f4fd0", "12935a", "f08a12")[order]
    rose, plum = rgb("f58fa8", "8d3a8a")
    colours = {SKY: rose, GROUND: plum, BODY: body, ACCENT: accent}
    colours |= {DARK: rgb("2a1a3a")[0], LIGHT: rgb("fff6e6")[0]}
    picture = recoloured(scene, colours)
    backdrop = scene.roles <= GROUND
    for _ in range(4):
        y, x = (
            rng.uniform(6, 122),
            rng.choice([rng.uniform(6, 26), rng.uniform(102, 122)]),
        )
        angle = np.arctan2(ROWS - y, COLUMNS - x)
        radius = np.hypot(ROWS - y, COLUMNS - x)
        frond = radius < 10 + 6 * np.cos(5 * angle + rng.uniform(0, 6))
        picture = np.where((frond & backdrop)[..., None], leaf, picture)
    return picture


def _rembrandt(scene: Scene, rng: np.random.Generator) -> Floats:
    """Sink the scene in umber dark, with one golden light on the subject."""
    x, y = rng.uniform(44, 84), rng.uniform(46, 74)
    pool = np.exp(-(((COLUMNS - x) / 44) ** 2) - ((ROWS - y) / 44) ** 2)[..., None]
    warm = grey(scene.picture) * rgb("f2b45a")[0] * 0.75 + 0.35 * scene.picture
    lit = np.where((scene.roles <= GROUND)[..., None], rgb("3a2412")[0], warm)
    return np.asarray(lit * (0.30 + 0.95 * pool), dtype=np.float32)


def _haring(scene: Scene, rng: np.random.Generator) -> Floats:
    """Draw a white figure in thick black line, with dashes that radiate."""
    ground = rgb("f7d417", "ef4136", "29a9e0")[int(rng.integers(3))]
    angle = np.arctan2(ROWS - 70, COLUMNS - 64)
    radius = np.hypot(ROWS - 70, COLUMNS - 64)
    dash = (np.sin(angle * 12) > 0.55) & (radius > 56) & (radius < 76)
    dash &= scene.roles <= GROUND
    picture = np.broadcast_to(ground, scene.picture.shape)
    picture = np.where(scene.subject[..., None], 1.0, picture)
    picture = np.where((scene.roles == DARK)[..., None], 0.03, picture)
    line = dash | contour(scene, 7)
    return np.where(line[..., None], 0.03, picture).astype(np.float32)


STYLES: Final[Mapping[str, Style]] = {
    PLAIN: _photo,
    "Picasso": _picasso,
    "Braque": _braque,
    "Monet": _monet,
    "Renoir": _renoir,
    "Seurat": _seurat,
    "Signac": _signac,
    "Warhol": _warhol,
    "Lichtenstein": _lichtenstein,
    "Van Gogh": _van_gogh,
    "Munch": _munch,
    "Hokusai": _hokusai,
    "Mondrian": _mondrian,
    "Malevich": _malevich,
    "Klimt": _klimt,
    "Matisse": _matisse,
    "Rembrandt": _rembrandt,
    "Hiroshige": _hiroshige,
    "Haring": _haring,
}
"""All styles, the plain one first, the held-out ones last."""


def painted(scene: Scene, style: str, rng: np.random.Generator) -> Floats:
    """Return ``scene`` painted in a style, in ``[0, 1]``, shape ``[64, 64, 3]``.

    Raises:
        KeyError: No style has this name.
    """
    large = STYLES[style](scene, rng)
    blocks = large.reshape(SIZE, SCALE, SIZE, SCALE, 3)
    return np.asarray(np.clip(blocks.mean((1, 3)), 0, 1), dtype=np.float32)
