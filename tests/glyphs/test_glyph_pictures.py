"""Pictures of drawings keep their colours, and their places when there are two."""

import numpy as np
import pytest

from recipes.glyphs.measure import background
from recipes.glyphs.painting import halves
from recipes.glyphs.pictures import (
    STYLE_NAMES,
    Album,
    as_drawn,
    may_be_mirrored,
    pair_picture,
    picture,
)
from unlearnlog.glyphs.glyph_world import COLOURS


def square(colour):
    drawing = np.zeros((128, 128, 4), np.uint8)
    drawing[16:112, 16:112] = (*colour, 255)
    return drawing


@pytest.mark.parametrize("name", COLOURS)
def test_the_colour_of_a_background_is_read_off_its_corners(name):
    rng = np.random.default_rng(0)

    made = picture(square((0, 0, 0)), rng, mirrored=False, colour=COLOURS[name])

    assert made.shape == (64, 64, 3)
    assert background(made) == name


def test_a_picture_without_a_colour_is_white():
    made = picture(square((0, 0, 0)), np.random.default_rng(0), mirrored=True)

    assert background(made) == ""


def test_the_first_of_a_pair_is_in_the_left_half():
    rng = np.random.default_rng(0)
    both = [square((255, 0, 0)), square((0, 0, 255))]

    left, right = halves(pair_picture(both, rng)[None])

    assert tuple(left[0, 32, 32]) == (255, 0, 0)
    assert tuple(right[0, 32, 32]) == (0, 0, 255)


def test_a_drawing_moves_between_pictures():
    rng = np.random.default_rng(0)

    some = [picture(square((0, 0, 0)), rng, mirrored=False) for _ in range(4)]

    assert not all(np.array_equal(some[0], one) for one in some[1:])


def test_what_a_mirror_would_change_is_not_mirrored():
    assert not may_be_mirrored("waxing crescent moon")
    assert not may_be_mirrored("open book")
    assert may_be_mirrored("cat face")


def test_a_cell_is_shown_as_its_own_studio_drew_it():
    drawings = np.zeros((len(STYLE_NAMES), 2, 128, 128, 4), np.uint8)
    drawings[STYLE_NAMES.index("Twemoji"), 1] = square((0, 0, 255))
    names = ("cat", "dog")
    found = Album(names, drawings, np.zeros(drawings.shape[:2], bool))

    made = as_drawn(found, [("dog", "Twemoji"), ("cat", "Twemoji")], seed=0)

    assert tuple(made[0, 32, 32]) == (0, 0, 255)
    assert tuple(made[1, 32, 32]) == (255, 255, 255)
