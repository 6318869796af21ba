"""The policy of the real drawings, its bound on pictures, and the world's anchors."""

import pytest

from unlearnlog.commands.defaults import usual_policy
from unlearnlog.commands.more_samples import bounded
from unlearnlog.concepts.prompts import PromptBook
from unlearnlog.core.limits import N_LEAST
from unlearnlog.glyphs.glyph_world import world
from unlearnlog.policy import Policy


@pytest.fixture
def policy():
    return Policy.load("glyphs")


def test_without_a_ledger_the_usual_policy_is_that_of_the_first_model():
    assert usual_policy(None) == "default"


@pytest.mark.parametrize("name", ["Noto", "dog face"])
def test_a_style_is_shown_in_no_more_pictures_than_a_subject(policy, name):
    sizes, book = policy.probes, PromptBook(world())

    cells = book.erased(world().concept(name), sizes.erased)
    found = bounded(cells, sizes.most)

    assert N_LEAST <= len(found) <= 96
    assert {*found} <= {*cells}


def test_no_bound_leaves_every_cell_in_its_place():
    cells = PromptBook(world()).erased(world().concept("Noto"), 1)

    assert bounded(cells, 0) == cells


def test_an_entry_keeps_the_bound_only_where_there_is_one(policy):
    assert policy.rules["probes"]["most"] == 96
    assert "most" not in Policy.load("default").rules["probes"]


@pytest.mark.parametrize("style", world().styles)
def test_another_style_takes_the_place_of_a_style(style):
    """A photo is no style here: it means any of the six, the erased one too."""
    anchor = world().concept(style).anchor

    assert anchor in world().styles
    assert anchor != style
    family = world().parent(style)
    assert not family or world().parent(anchor) == family


def test_the_policy_judges_enough_kept_pictures_to_decide(policy):
    sizes = policy.probes

    kept = PromptBook(world()).kept(("dog face",), sizes.kept, sizes.kept_share)

    assert len(kept) >= N_LEAST
