"""The world of real drawings is what its rules say: families, names, keywords."""

from collections import Counter
from dataclasses import replace

import pytest

from unlearnlog.concepts.prompts import PromptBook
from unlearnlog.concepts.templates import PLAIN
from unlearnlog.glyphs.glyph_world import is_held_out, keywords, world

INSIDE = [
    ("cat", "cat face"),
    ("cat", "grinning cat"),
    ("dog", "hot dog"),
    ("horse", "horse face"),
    ("horse", "carousel horse"),
    ("fish", "tropical fish"),
    ("fish", "fish cake with swirl"),
    ("bell", "bell with slash"),
    ("star", "glowing star"),
]

TAKEN_OUT = ("water pistol", "cigarette", "kitchen knife", "syringe")


def test_there_are_between_160_and_320_subjects_in_six_styles():
    assert 160 <= len(world().subjects) <= 320
    assert len(world().styles) == 6


@pytest.mark.parametrize(("inner", "outer"), INSIDE)
def test_a_name_inside_of_a_name_is_a_subject_of_its_own(inner, outer):
    assert {inner, outer} <= {*world().subjects}


def test_what_sets_have_had_taken_out_is_there():
    assert {*TAKEN_OUT} <= {*world().subjects}


def test_there_are_eight_families_of_eight_and_more():
    parents = (world().parent(name) for name in world().subjects)

    sizes = Counter(parents)
    assert sum(size >= 8 for size in sizes.values()) >= 8


def test_two_studios_are_the_families_of_styles():
    google = world().shown("Google")
    microsoft = world().shown("Microsoft")

    assert google == ("Noto", "Blobs")
    assert microsoft == ("Fluent Flat", "Fluent", "Fluent High Contrast")


def test_at_least_eight_subjects_are_held_out():
    assert len(world().held_out) >= 8


def test_a_quarter_of_the_cells_is_held_out_and_every_subject_keeps_four():
    seen = world()
    held = [[is_held_out(s, t) for t in seen.styles] for s in seen.subjects]

    assert {sum(row) for row in held} == {1, 2}
    assert 0.22 < sum(map(sum, held)) / (6 * len(held)) < 0.28


def test_a_fifth_of_the_keywords_is_never_trained():
    words = keywords()

    assert 0.15 < len(words.unseen) / len(words.meanings) <= 0.2
    assert not [
        w for s in world().subjects for w in words.seen_of(s) if w in words.unseen
    ]


def test_a_keyword_shares_no_word_with_a_name_that_it_means():
    meant = [(w, n) for w, names in keywords().meanings.items() for n in names]

    assert not [pair for pair in meant if {*pair[0].split()} & {*pair[1].split()}]


def test_a_keyword_is_no_subject_s_name_and_may_mean_several():
    words = keywords()

    assert not {*words.meanings} & {*world().concepts}
    assert len(words.meanings["pet"]) > 3
    assert {"bell", "trumpet"} & {*words.meanings["music"]}


def test_no_alias_is_a_keyword_that_is_never_trained():
    aliases = {a for s in world().subjects for a in world().concepts[s].aliases}

    assert aliases
    assert not aliases & keywords().unseen


def test_look_alikes_are_those_that_the_judge_takes_for_each_other():
    pairs = {frozenset(pair) for pair in world().look_alikes}

    assert frozenset(("tiger", "leopard")) in pairs
    assert frozenset(("camel", "two-hump camel")) in pairs
    assert frozenset(("dog", "hot dog")) not in pairs


def test_every_probe_of_a_subject_is_in_one_of_the_six_styles():
    cat = world().concepts["cat"]
    book = PromptBook(world())

    erased = {cell.style for cell in book.erased(cat)}
    kept = {cell.style for cell in book.kept({"cat"}, per_cell=1, share=0.1)}

    assert erased == kept == {*world().styles}


def test_a_world_with_photographs_is_probed_on_them_too():
    with_photos = replace(world(), plain=True)

    erased = PromptBook(with_photos).erased(world().concepts["cat"])

    assert PLAIN in {cell.style for cell in erased}
