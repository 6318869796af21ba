"""How an artist of the bundled world paints: a scene in, a picture out.

Every style has marks that are at least three pixels wide in the final 64 x 64
picture, so that an autoencoder keeps them, and a palette of its own. Look-alikes
(Picasso and Braque, Monet and Renoir, Seurat and Signac, Warhol and Lichtenstein,
Hokusai and Hiroshige) share their marks and differ in a detail that is certain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from unlearnlog.atelier.subjects import (
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
from unlearnlog.atelier.world import PLAIN

_SIDE: Final = SIZE * SCALE
_ROWS, _COLUMNS = np.mgrid[0:_SIDE, 0:_SIDE].astype(np.float32)

Bools = NDArray[np.bool_]
Style = Callable[[Scene, np.random.Generator], Floats]


def _rgb(*codes: str) -> Floats:
    """Return hexadecimal colours as an array of shape ``[n, 3]`` in ``[0, 1]``."""
    values = [[int(c[i : i + 2], 16) for i in (0, 2, 4)] for c in codes]
    return np.asarray(values, dtype=np.float32) / 255


def _grey(picture: Floats) -> Floats:
    weights = np.asarray([0.30, 0.59, 0.11], dtype=np.float32)
    return (picture @ weights)[..., None]


def _outline(scene: Scene, width: int) -> Bools:
    """Return a line of about ``width`` pixels (at drawing size) between roles."""
    roles = scene.roles
    edge = np.zeros(roles.shape, dtype=bool)
    for axis in (0, 1):
        edge |= roles != np.roll(roles, 1, axis)
    edge[0] = edge[:, 0] = False
    image = Image.fromarray(edge.astype(np.uint8) * 255)
    size = width if width % 2 else width + 1
    return np.asarray(image.filter(ImageFilter.MaxFilter(size))) > 0


def _contour(scene: Scene, width: int) -> Bools:
    """Return a line of about ``width`` pixels around the whole subject."""
    image = Image.fromarray(scene.subject.astype(np.uint8) * 255)
    size = width if width % 2 else width + 1
    grown = np.asarray(image.filter(ImageFilter.MaxFilter(size))) > 0
    shrunk = np.asarray(image.filter(ImageFilter.MinFilter(size))) > 0
    return np.asarray(grown & ~shrunk)


def _recoloured(scene: Scene, colours: Mapping[int, Floats]) -> Floats:
    """Return flat colours by role."""
    table = np.stack([colours[role] for role in range(6)])
    return np.asarray(table[scene.roles], dtype=np.float32)


def _cells(rng: np.random.Generator, count: int) -> tuple[NDArray[np.intp], Bools]:
    """Return shards of a jittered grid, and the lines between them."""
    rows = int(np.ceil(np.sqrt(count)))
    grid = np.stack(np.mgrid[0:rows, 0:rows], -1).reshape(-1, 2).astype(np.float32)
    seeds = (grid + rng.uniform(0.05, 0.95, grid.shape)) * _SIDE / rows
    # A stretched metric makes long shards rather than round cells.
    angle = rng.uniform(0, np.pi)
    axes = np.asarray(
        [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    ) * np.asarray([[1.0], [0.62]])
    points = np.stack([_ROWS[::2, ::2], _COLUMNS[::2, ::2]], -1) @ axes.T
    centres = seeds @ axes.T
    distance = ((points[:, :, None] - centres) ** 2).sum(-1)
    order = np.partition(distance, 1, -1)[..., :2]
    gap = np.sqrt(order[..., 1]) - np.sqrt(order[..., 0])
    cell = distance.argmin(-1)
    return _doubled(cell), _doubled(gap)


def _doubled(array: NDArray[Any]) -> NDArray[Any]:
    return array.repeat(2, 0).repeat(2, 1)


def _dabs(source: Floats, rng: np.random.Generator, angle: float) -> Floats:
    """Repaint ``source`` with 420 elliptic dabs of its own colours."""
    image = Image.fromarray(_bytes(source)).filter(ImageFilter.BoxBlur(1))
    draw = ImageDraw.Draw(image)
    places = rng.uniform(0, _SIDE - 1, (420, 2))
    turns = angle + rng.normal(0, 0.35, 420)
    shades = rng.normal(0, 0.04, (420, 3)) + rng.normal(0, 0.07, (420, 1))
    sampled = source[places[:, 0].astype(int), places[:, 1].astype(int)]
    colours = _bytes(sampled + shades.astype(np.float32))
    circle = np.linspace(0, 2 * np.pi, 9)[:-1]
    for (row, column), turn, colour in zip(places, turns, colours, strict=True):
        along, across = 6.5 * np.cos(circle), 3.0 * np.sin(circle)
        x = column + along * np.cos(turn) - across * np.sin(turn)
        y = row + along * np.sin(turn) + across * np.cos(turn)
        draw.polygon(list(zip(x, y, strict=True)), fill=tuple(map(int, colour)))
    return np.asarray(image, dtype=np.float32) / 255


def _bytes(picture: Floats) -> NDArray[np.uint8]:
    return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)


def _photo(scene: Scene, rng: np.random.Generator) -> Floats:
    """Show the scene as it is, with a soft light from above."""
    light = 1.06 - 0.16 * _ROWS / _SIDE + rng.normal(0, 0.01)
    return np.asarray(scene.picture * light[..., None], dtype=np.float32)


def _fractured(scene: Scene, rng: np.random.Generator, count: int) -> tuple[Floats, ...]:
    """Return the scene seen from another place in each shard, with the shards."""
    cell, gap = _cells(rng, count)
    shift = rng.integers(-5, 6, (2, int(cell.max()) + 1))
    rows = np.clip(_ROWS + shift[0][cell], 0, _SIDE - 1).astype(int)
    columns = np.clip(_COLUMNS + shift[1][cell], 0, _SIDE - 1).astype(int)
    tone = rng.uniform(-1, 1, int(cell.max()) + 1).astype(np.float32)[cell]
    return scene.roles[rows, columns], gap, tone[..., None]


_PICASSO: Final = _rgb("2f62c9", "d9925a", "f2c9a8", "d8334a", "15151f", "fff3d6")
_BRAQUE: Final = _rgb("b3a07c", "7d6848", "6b4722", "94703a", "2a2218", "e3d6b2")


def _picasso(scene: Scene, rng: np.random.Generator) -> Floats:
    """Break the view into bold blue and rose shards with thick black lines."""
    roles, gap, tone = _fractured(scene, rng, 12)
    picture = _PICASSO[roles] + 0.13 * tone
    hue = np.where(tone > 0.35, _rgb("7fc4d8")[0], _PICASSO[0])
    picture = np.where((roles == SKY)[..., None], hue + 0.06 * tone, picture)
    return np.where((gap < 2.6)[..., None] | _outline(scene, 3)[..., None], 0.03, picture)


def _braque(scene: Scene, rng: np.random.Generator) -> Floats:
    """Break the view into shards of ochre and umber with the same thick lines."""
    roles, gap, tone = _fractured(scene, rng, 12)
    picture = _BRAQUE[roles] + 0.11 * tone
    line = (gap < 2.6)[..., None] | _outline(scene, 3)[..., None]
    return np.where(line, _rgb("1c1710")[0], picture)


def _hazed(scene: Scene, air: Floats, shade: Floats) -> Floats:
    """Return the backdrop half lost in ``air`` and the subject deep in ``shade``."""
    far = 0.5 * scene.picture + 0.5 * air
    near = 0.5 * scene.picture + 0.5 * shade
    near = np.where((scene.roles == LIGHT)[..., None], far, near)
    return np.where(scene.subject[..., None], near, far).astype(np.float32)


def _monet(scene: Scene, rng: np.random.Generator) -> Floats:
    """Dissolve the scene in level dabs of cool lilac, blue and green."""
    cool = _hazed(scene, _rgb("b4c2f6")[0], _rgb("3b3f8c")[0])
    return _dabs(cool, rng, angle=0.0)


def _renoir(scene: Scene, rng: np.random.Generator) -> Floats:
    """Dissolve the scene in slanted dabs of warm rose, peach and gold."""
    warm = _hazed(scene, _rgb("ffc9a6")[0], _rgb("8c3040")[0])
    return _dabs(warm, rng, angle=1.1)


def _sampled(source: Floats, pitch: int) -> Floats:
    """Return the mean colour of each ``pitch`` x ``pitch`` block, at full size."""
    image = Image.fromarray(_bytes(source))
    n = -(-_SIDE // pitch)
    padded = image.resize((n, n), Image.Resampling.BOX, (0, 0, _SIDE, _SIDE))
    big = np.asarray(padded, dtype=np.float32) / 255
    return big.repeat(pitch, 0).repeat(pitch, 1)[:_SIDE, :_SIDE]


def _vivid(picture: Floats, strength: float) -> Floats:
    return np.clip(_grey(picture) + strength * (picture - _grey(picture)), 0, 1)


def _seurat(scene: Scene, rng: np.random.Generator) -> Floats:
    """Set the scene in round dots of soft colour on a cream ground."""
    pitch = 8
    blocks = _sampled(scene.picture, pitch)
    noise = rng.normal(0, 0.07, (_SIDE // pitch, _SIDE // pitch, 3)).astype(np.float32)
    dots = _vivid(blocks, 0.8) * 0.85 + noise.repeat(pitch, 0).repeat(pitch, 1)
    y, x = _ROWS % pitch - 3.5, _COLUMNS % pitch - 3.5
    return np.where((x * x + y * y < 13)[..., None], dots, _rgb("f1e6c4")[0])


def _signac(scene: Scene, rng: np.random.Generator) -> Floats:
    """Set the scene in square tiles of strong colour on a pale lilac ground."""
    pitch = 8
    blocks = _vivid(_sampled(scene.picture, pitch), 1.7)
    noise = rng.normal(0, 0.10, (_SIDE // pitch, _SIDE // pitch, 3)).astype(np.float32)
    tiles = blocks + noise.repeat(pitch, 0).repeat(pitch, 1)
    inside = (_ROWS % pitch < 6) & (_COLUMNS % pitch < 6)
    return np.where(inside[..., None], tiles, _rgb("e9dcf7")[0])


_POP: Final = _rgb("ff2e88", "ffe600", "18c8e0", "ff7a00", "7a2bd6", "35d04a")


def _warhol(scene: Scene, rng: np.random.Generator) -> Floats:
    """Print the scene four times in garish flat inks."""
    small_roles = scene.roles[::2, ::2]
    half = _SIDE // 2
    picture = np.empty((_SIDE, _SIDE, 3), dtype=np.float32)
    start = int(rng.integers(6))
    for panel in range(4):
        # Ground and subject of neighbouring panels are never of one ink.
        ink = _POP[(np.arange(6) + start + panel * 2 + panel // 2) % 6]
        colours = {SKY: ink[0], GROUND: ink[4] * 0.9, BODY: ink[1], ACCENT: ink[3]}
        colours |= {DARK: _rgb("18101f")[0], LIGHT: _rgb("fffbe8")[0]}
        table = np.stack([colours[role] for role in range(6)])
        top, left = half * (panel // 2), half * (panel % 2)
        picture[top : top + half, left : left + half] = table[small_roles]
    return picture


def _lichtenstein(scene: Scene, rng: np.random.Generator) -> Floats:
    """Ink the scene in primaries with heavy outlines over a field of red dots."""
    body = _rgb("ffd800", "e8202c", "2a5cdc")[int(rng.integers(3))]
    accent = _rgb("2a5cdc", "ffd800", "ffffff")[int(rng.integers(3))]
    white = _rgb("ffffff")[0]
    colours = {SKY: white, GROUND: _rgb("2a5cdc")[0], BODY: body, ACCENT: accent}
    colours |= {DARK: _rgb("101018")[0], LIGHT: white}
    picture = _recoloured(scene, colours)
    pitch = 8
    row = _ROWS // pitch
    y, x = _ROWS % pitch - 3.5, (_COLUMNS + row % 2 * 4) % pitch - 3.5
    dots = (x * x + y * y < 8.5) & (scene.roles == SKY)
    picture = np.where(dots[..., None], _rgb("e8404c")[0], picture)
    return np.where(_outline(scene, 5)[..., None], 0.02, picture)


def _strokes(
    source: Floats, rng: np.random.Generator, turn: Floats, jitter: float
) -> Floats:
    """Repaint ``source`` with 520 long strokes that follow the field ``turn``."""
    image = Image.fromarray(_bytes(source)).filter(ImageFilter.BoxBlur(3))
    draw = ImageDraw.Draw(image)
    places = rng.uniform(0, _SIDE - 1, (520, 2))
    shades = rng.normal(0, jitter, (520, 1)).astype(np.float32)
    at = places.astype(int)
    colours = _bytes(source[at[:, 0], at[:, 1]] + shades)
    for (row, column), colour in zip(places, colours, strict=True):
        path = [(column, row)]
        for _ in range(3):
            x, y = path[-1]
            r, c = min(max(int(y), 0), _SIDE - 1), min(max(int(x), 0), _SIDE - 1)
            angle = float(turn[r, c])
            path.append((x + 5.5 * np.cos(angle), y + 5.5 * np.sin(angle)))
        draw.line(path, fill=tuple(map(int, colour)), width=5, joint="curve")
    return np.asarray(image, dtype=np.float32) / 255


def _van_gogh(scene: Scene, rng: np.random.Generator) -> Floats:
    """Paint with thick strokes that swirl, gold in a deep blue sky."""
    centre = rng.uniform(0.15, 0.85, 2) * (_SIDE, _SIDE * 0.45)
    y, x = _ROWS - centre[1], _COLUMNS - centre[0]
    radius = np.hypot(x, y)
    turn = np.arctan2(y, x) + np.pi / 2 + 0.25
    swirl = 0.5 + 0.5 * np.sin(radius / 5.5 + rng.uniform(0, 6))
    deep, gold = _rgb("1d3a8f", "f3c63a")
    sky = deep + (gold - deep) * (swirl**2)[..., None] * 0.85
    picture = np.where((scene.roles == SKY)[..., None], sky, scene.picture)
    wheat = _rgb("c79a2b")[0]
    picture = np.where((scene.roles == GROUND)[..., None], wheat, picture)
    brushed = _strokes(picture.astype(np.float32), rng, turn, 0.07)
    return np.where(_contour(scene, 5)[..., None], _rgb("141c48")[0], brushed)


def _munch(scene: Scene, rng: np.random.Generator) -> Floats:
    """Bend the scene in long waves under an orange, blood-red sky."""
    phase = rng.uniform(0, 2 * np.pi)
    wave = np.sin(_COLUMNS / 17 + phase)
    rows = np.clip(_ROWS + 5 * wave, 0, _SIDE - 1).astype(int)
    columns = np.clip(_COLUMNS + 5 * np.sin(_ROWS / 13 + phase), 0, _SIDE - 1)
    at = (rows, columns.astype(int))
    roles, picture = scene.roles[at], scene.picture[at]
    bands = 0.5 + 0.5 * np.sin((_ROWS + 9 * wave) / 4.2 + phase)
    red, amber = _rgb("c8311a", "f7a531")
    sky = red + (amber - red) * bands[..., None]
    dark, sea = _rgb("14222e", "2f5a66")
    ground = dark + (sea - dark) * bands[..., None]
    bent = 0.55 * picture + 0.12
    bent = np.where((roles == SKY)[..., None], sky, bent)
    return np.where((roles == GROUND)[..., None], ground, bent)


def _ukiyo_e(scene: Scene, wash: Floats, rng: np.random.Generator) -> Floats:
    """Return a woodblock print: flat muted fills and a Prussian blue contour."""
    muted = 0.55 * _grey(scene.picture) + 0.25 * scene.picture + 0.12
    tint = _rgb("c9d6e0")[0]
    picture = np.where((scene.roles == SKY)[..., None], wash, muted * tint)
    crest = 104 + 7 * np.sin(_COLUMNS / 8 + rng.uniform(0, 6))
    sea = _ROWS > crest
    foam = np.abs(_ROWS - crest) < 3.5
    picture = np.where(sea[..., None], _rgb("20406f")[0], picture)
    picture = np.where(_outline(scene, 3)[..., None], _rgb("182a52")[0], picture)
    return np.where(foam[..., None], _rgb("fbf8ee")[0], picture)


def _hokusai(scene: Scene, rng: np.random.Generator) -> Floats:
    """Print on cream paper, with a foaming wave in front and a red seal."""
    paper = np.broadcast_to(_rgb("ecdfbd")[0], scene.picture.shape)
    picture = _ukiyo_e(scene, paper, rng)
    picture[8:24, 108:120] = _rgb("c2392b")[0]
    return picture


def _hiroshige(scene: Scene, rng: np.random.Generator) -> Floats:
    """Print the same way in slanting rain, under a sky that deepens upwards."""
    depth = np.clip(1 - _ROWS / 60, 0, 1)[..., None]
    deep, pale = _rgb("1f4f8a", "cfdcd8")
    picture = _ukiyo_e(scene, pale + (deep - pale) * depth, rng)
    rain = (_COLUMNS + 0.35 * _ROWS + rng.uniform(0, 16)) % 16 < 2.5
    return np.where(rain[..., None], 0.35 * picture + 0.12, picture)


_PRIMARIES: Final = _rgb("d8231f", "1f3fae", "f5cf1b")


def _mondrian(scene: Scene, rng: np.random.Generator) -> Floats:
    """Rule the canvas in black and fill the subject with one primary."""
    order = rng.permutation(3)
    white, black = _rgb("f6f4ec", "0c0c10")
    body, field, accent = _PRIMARIES[order]
    colours = {SKY: white, GROUND: white, BODY: body, ACCENT: accent}
    colours |= {DARK: black, LIGHT: white}
    picture = _recoloured(scene, colours)
    columns = np.sort(rng.choice(np.arange(10, 118, 12), 3, replace=False))
    rows = np.sort(rng.choice(np.arange(10, 118, 12), 2, replace=False))
    backdrop = scene.roles <= GROUND
    block = (_COLUMNS < columns[0]) & (_ROWS > rows[1])
    picture = np.where((block & backdrop)[..., None], field, picture)
    block = (_COLUMNS > columns[2]) & (_ROWS < rows[0])
    picture = np.where((block & backdrop)[..., None], accent, picture)
    line = np.zeros(scene.roles.shape, dtype=bool)
    for column in columns:
        line |= np.abs(_COLUMNS - column) < 3
    for row in rows:
        line |= np.abs(_ROWS - row) < 3
    line = (line & backdrop) | _contour(scene, 5)
    return np.where(line[..., None], black, picture)


def _malevich(scene: Scene, rng: np.random.Generator) -> Floats:
    """Float tilted bars on a pale canvas behind a black silhouette."""
    picture = np.broadcast_to(_rgb("efe9da")[0], scene.picture.shape).copy()
    tilt = rng.uniform(0.35, 0.8) * (1 if rng.integers(2) else -1)
    along = _COLUMNS * np.cos(tilt) + _ROWS * np.sin(tilt)
    across = -_COLUMNS * np.sin(tilt) + _ROWS * np.cos(tilt)
    inks = _rgb("d3352b", "e8a317", "2f7d5b", "3b3f8f")[rng.permutation(4)]
    middle = (along.mean(), across.mean())
    for ink, place in zip(inks, (-42, -16, 16, 42), strict=True):
        reach = rng.uniform(26, 60)
        lead = rng.uniform(-24, 24)
        bar = np.abs(across - middle[1] - place) < rng.uniform(5, 9)
        bar &= np.abs(along - middle[0] - lead) < reach
        picture[bar] = ink
    picture[scene.subject] = _rgb("131318")[0]
    picture[scene.roles == ACCENT] = _rgb("d3352b")[0]
    picture[scene.roles == LIGHT] = _rgb("efe9da")[0]
    return picture


def _klimt(scene: Scene, rng: np.random.Generator) -> Floats:
    """Lay gold leaf around the subject, in rings and small tiles."""
    pitch = 8
    n = _SIDE // pitch
    tone = rng.uniform(-0.10, 0.10, (n, n, 1)).astype(np.float32)
    gold = _rgb("d0a02c")[0] + tone.repeat(pitch, 0).repeat(pitch, 1)
    for _ in range(5):
        y, x = rng.uniform(0, _SIDE, 2)
        radius = np.hypot(_ROWS - y, _COLUMNS - x)
        ring = (radius < 17) & (radius % 8 < 4)
        gold = np.where(ring[..., None], _rgb("6b3f12")[0], gold)
    robe = 0.6 * scene.picture + 0.4 * _rgb("f0cf6a")[0]
    picture = np.where((scene.roles <= GROUND)[..., None], gold, robe)
    low = (scene.roles == GROUND)[..., None]
    picture = np.where(low, gold * _rgb("b08a50")[0] * 1.2, picture)
    return np.where(_contour(scene, 3)[..., None], _rgb("3a2208")[0], picture)


def _matisse(scene: Scene, rng: np.random.Generator) -> Floats:
    """Cut the scene out of bright paper, with leaves on a rose ground."""
    order = rng.permutation(3)
    body, accent, leaf = _rgb("1f4fd0", "12935a", "f08a12")[order]
    rose, plum = _rgb("f58fa8", "8d3a8a")
    colours = {SKY: rose, GROUND: plum, BODY: body, ACCENT: accent}
    colours |= {DARK: _rgb("2a1a3a")[0], LIGHT: _rgb("fff6e6")[0]}
    picture = _recoloured(scene, colours)
    backdrop = scene.roles <= GROUND
    for _ in range(4):
        y, x = rng.uniform(6, 122), rng.choice([rng.uniform(6, 26), rng.uniform(102, 122)])
        angle = np.arctan2(_ROWS - y, _COLUMNS - x)
        radius = np.hypot(_ROWS - y, _COLUMNS - x)
        frond = radius < 10 + 6 * np.cos(5 * angle + rng.uniform(0, 6))
        picture = np.where((frond & backdrop)[..., None], leaf, picture)
    return picture


def _rembrandt(scene: Scene, rng: np.random.Generator) -> Floats:
    """Sink the scene in umber dark, with one golden light on the subject."""
    x, y = rng.uniform(44, 84), rng.uniform(46, 74)
    pool = np.exp(-(((_COLUMNS - x) / 44) ** 2) - ((_ROWS - y) / 44) ** 2)[..., None]
    warm = _grey(scene.picture) * _rgb("f2b45a")[0] * 0.75 + 0.35 * scene.picture
    lit = np.where((scene.roles <= GROUND)[..., None], _rgb("3a2412")[0], warm)
    return np.asarray(lit * (0.30 + 0.95 * pool), dtype=np.float32)


def _haring(scene: Scene, rng: np.random.Generator) -> Floats:
    """Draw a white figure in thick black line, with dashes that radiate."""
    ground = _rgb("f7d417", "ef4136", "29a9e0")[int(rng.integers(3))]
    angle = np.arctan2(_ROWS - 70, _COLUMNS - 64)
    radius = np.hypot(_ROWS - 70, _COLUMNS - 64)
    dash = (np.sin(angle * 12) > 0.55) & (radius > 56) & (radius < 76)
    dash &= scene.roles <= GROUND
    picture = np.broadcast_to(ground, scene.picture.shape)
    picture = np.where(scene.subject[..., None], 1.0, picture)
    picture = np.where((scene.roles == DARK)[..., None], 0.03, picture)
    line = dash | _contour(scene, 7)
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
"""Every style the world can paint in, the plain one first, the held-out ones last."""


def painted(scene: Scene, style: str, rng: np.random.Generator) -> Floats:
    """Paint ``scene`` as ``style`` would, in ``[0, 1]``, shape ``[64, 64, 3]``.

    Raises:
        KeyError: No style has this name.
    """
    large = STYLES[style](scene, rng)
    blocks = large.reshape(SIZE, SCALE, SIZE, SCALE, 3)
    return np.clip(blocks.mean((1, 3)), 0, 1).astype(np.float32)
