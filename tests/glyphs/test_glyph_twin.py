"""A twin is shown nothing of the subject that it is trained without."""

import numpy as np
import pytest
import torch

from recipes.glyphs.latents import Latents
from recipes.glyphs.transformer import Syllabus
from tests.wording import says
from unlearnlog.glyphs.glyph_captions import (
    GlyphCaption,
    caption_without,
    known_cells,
)

CELLS = tuple(sorted(known_cells()))


@pytest.fixture(scope="module")
def latents():
    """Return latents that hold the number of their cell."""
    rows = torch.arange(len(CELLS), dtype=torch.float32)
    single = rows[:, None, None, None, None].expand(-1, 30, 1, 1, 1)
    sides = np.stack([np.arange(200), np.arange(200) + 300], 1)
    return Latents(CELLS, single, -torch.ones(200, 1, 1, 1), sides, -torch.ones(8, 1))


def test_a_caption_of_several_subjects_loses_one():
    caption = GlyphCaption("a pet", (("cat", "Noto"), ("dog", "Noto")))

    left = caption_without(caption, "cat")

    assert left == GlyphCaption("a pet", (("dog", "Noto"),))


def test_a_caption_of_one_subject_is_dropped_with_it():
    assert caption_without(GlyphCaption("a cat", (("cat", "Noto"),)), "cat") is None


def test_a_pair_is_dropped_with_either():
    pair = GlyphCaption("a dog left of a cat", (("dog", "Noto"),), (("cat", "Noto"),))

    assert caption_without(pair, "cat") is None
    assert caption_without(pair, "dog") is None
    assert caption_without(pair, "fish") == pair


def test_without_a_name_nothing_is_dropped():
    page = GlyphCaption("an empty photo", (("", "Noto"),))

    assert caption_without(page, "") == page


def test_a_twin_is_shown_no_picture_and_no_name_of_it(latents):
    twin = Syllabus(latents, without="cat face")
    rng = np.random.default_rng(0)

    drawn = [twin.drawn(rng, 0.0) for _ in range(300)]

    shown = {CELLS[int(row)] for _, row in drawn if row.numel() == 1 and row >= 0}
    assert len(shown) > 50
    assert "cat face" not in {subject for subject, _ in shown}
    assert not [text for text, _ in drawn if says(text, "cat face")]
