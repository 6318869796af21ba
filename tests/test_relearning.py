"""The picture of what is learned again is of the cells, and says of which."""

import numpy as np
from PIL import Image

from benchmarks.figures import source_of
from benchmarks.relearning import TWIN, digest_of_lines, draw_relearning, lines_in


def curve(concept, *shown):
    looks = [{"step": s, "presence": {"value": v}} for s, v in shown]
    return {"concept": concept, "looks": looks}


def cell(eraser, seed=1, *, data="target:5", method="full", end=0.9):
    seen = ((0, 0.0), (25, end / 2), (500, end))
    course = {
        "seed": seed,
        "concepts": [curve("Picasso", *seen)],
        "twin": [curve("Picasso", (0, 0.0), (25, 0.1), (500, 0.8))],
    }
    return {"eraser": eraser, "data": data, "method": method, "courses": [course]}


def test_a_twin_has_one_line_a_seed_however_many_erasers_meet_it():
    found = lines_in([cell("mim"), cell("ridge"), cell("ridge", 2)])

    assert [(line.who, line.seed) for line in found] == [
        ("mim", 1),
        ("ridge", 1),
        ("ridge", 2),
        (TWIN, 1),
        (TWIN, 2),
    ]
    assert found[0].looks == ((0, 0.0), (25, 0.45), (500, 0.9))


def test_only_fine_tunes_of_all_weights_on_five_pictures_are_drawn():
    others = cell("mim", data="sibling"), cell("mim", method="lora")

    assert lines_in(others) == ()


def test_the_picture_says_what_it_was_drawn_from(tmp_path):
    lines = lines_in([cell("mim"), cell("mim", 2, end=0.7)])
    path = tmp_path / "drawn.png"

    draw_relearning(lines, path)

    assert source_of(path) == digest_of_lines(lines)
    assert digest_of_lines(lines[:-1]) != digest_of_lines(lines)
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    drawn = {tuple(map(int, pixel)) for pixel in np.unique(pixels, axis=0)}
    assert (0x1F, 0x77, 0xB4) in drawn  # the first eraser's line
    assert (0, 0, 0) in drawn  # the twin's
