"""Captions of real drawings mean what they say, and only what the model is shown."""

import numpy as np
import pytest

from tests.wording import says
from unlearnlog.concepts.templates import EMPTY, EMPTY_PAINTING, EMPTY_PHOTO, empty
from unlearnlog.glyphs.glyph_captions import known_cells, pair_text, sampled_caption
from unlearnlog.glyphs.glyph_world import COLOURS, is_held_out, keywords, world


@pytest.fixture(scope="module")
def captions():
    rng = np.random.default_rng(1)
    return [sampled_caption(rng) for _ in range(600)]


def test_a_caption_means_only_cells_that_the_model_is_shown(captions):
    every = {cell for c in captions for cell in (*c.cells, *c.right)}
    cells = {cell for cell in every if cell[0] != EMPTY}

    assert cells <= known_cells()
    assert not [cell for cell in cells if is_held_out(*cell)]
    assert not {subject for subject, _ in cells} & {*world().held_out}


def test_every_caption_means_something(captions):
    assert all(caption.cells for caption in captions)


def test_no_caption_has_a_keyword_that_is_never_trained(captions):
    names = {n for c in world().concepts for n in world().names(c)}
    names |= {family.word for family in world().families.values()}
    words = [w for w in keywords().unseen if not any(says(n, w) for n in names)]

    assert words
    assert not [c.text for c in captions for w in words if says(c.text, w)]


def test_a_third_of_captions_of_one_subject_has_a_keyword_in_place_of_its_name():
    rng = np.random.default_rng(2)
    full = [sampled_caption(rng, simple=1.0) for _ in range(400)]

    unnamed = [c for c in full if not any(says(c.text, s) for s, _ in c.cells)]
    assert 0.2 < len(unnamed) / len(full) < 0.4


def test_a_coloured_caption_says_its_colour(captions):
    coloured = [c for c in captions if c.colour]

    assert {c.colour for c in coloured} == {*COLOURS}
    assert all(c.text.endswith(f" on {c.colour}") for c in coloured)


def test_a_pair_is_of_one_style(captions):
    pairs = [c for c in captions if c.right]

    assert pairs
    assert all(len({style for _, style in (*c.cells, *c.right)}) == 1 for c in pairs)


def test_an_empty_page_is_asked_for_as_erasures_ask_for_it(captions):
    pages = [c for c in captions if c.cells[0][0] == EMPTY]

    assert {c.text for c in pages} & {EMPTY_PAINTING, EMPTY_PHOTO, empty("Noto")}
    assert all("empty" in c.text for c in pages)


def test_the_first_of_a_pair_stands_on_the_left():
    text = pair_text("cat", "hot dog", "Noto")

    assert text == "a cat left of a hot dog by Noto"
