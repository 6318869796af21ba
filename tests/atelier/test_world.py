import re

import pytest

from unlearnlog.atelier.bundled_concepts import world
from unlearnlog.atelier.styles import STYLES
from unlearnlog.atelier.subjects import SUBJECTS
from unlearnlog.concepts.templates import PLAIN

WORLD = world()
TRAINED = (*WORLD.styles, *WORLD.subjects)


def words(text):
    return set(re.findall(r"[\w-]+", text.casefold()))


def test_there_are_at_least_sixteen_of_each_kind_and_two_of_each_held_out():
    held = set(WORLD.held_out)

    assert len(WORLD.styles) >= 16
    assert len(WORLD.subjects) >= 16
    assert len(held & set(STYLES)) >= 2
    assert len(held & set(SUBJECTS)) >= 2
    assert not held & set(TRAINED)


def test_the_renderer_draws_what_the_graph_names_and_nothing_else():
    styles = {a for members in WORLD.families_of("style").values() for a in members}
    subjects = {s for members in WORLD.families_of("subject").values() for s in members}

    assert set(STYLES) == {PLAIN, *styles}
    assert set(SUBJECTS) == subjects


@pytest.mark.parametrize("concept", TRAINED)
def test_a_concept_has_one_parent_and_synonyms_of_its_own(concept):
    parents = [f.name for f in WORLD.families.values() if concept in f.members]
    others = {n.casefold() for c in TRAINED if c != concept for n in WORLD.names(c)}

    synonyms = WORLD.concepts[concept].aliases

    assert [WORLD.parent(concept)] == parents
    assert len(synonyms) >= 2
    assert not others & {name.casefold() for name in synonyms}
    assert not words(synonyms[-1]) & words(concept)


def test_what_is_in_no_family_has_no_parent():
    assert WORLD.parent(PLAIN) is None


def test_only_known_concepts_have_synonyms():
    known = {name for name, concept in WORLD.concepts.items() if concept.aliases}

    assert known == set(TRAINED)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Picasso", "Braque"),
        ("Monet", "Renoir"),
        ("Seurat", "Signac"),
        ("Warhol", "Lichtenstein"),
        ("cat", "dog"),
        ("house", "castle"),
    ],
)
def test_look_alikes_know_each_other_and_are_of_one_family(one, other):
    assert WORLD.look_alike(one) == other
    assert WORLD.look_alike(other) == one
    assert WORLD.parent(one) == WORLD.parent(other)


def test_one_held_out_concept_is_the_look_alike_of_a_known_one():
    pairs = [
        (WORLD.look_alike(name), name)
        for name in WORLD.held_out
        if WORLD.look_alike(name) in TRAINED
    ]

    assert pairs == [("Hokusai", "Hiroshige")]


def test_most_concepts_have_no_look_alike():
    assert WORLD.look_alike("Klimt") is None


def test_captions_speak_of_a_movement_only_when_two_known_artists_share_it():
    spoken = {m: WORLD.shown(m) for m in WORLD.spoken_movements}

    assert spoken["cubism"] == ("Picasso", "Braque")
    assert spoken["pop art"] == ("Warhol", "Lichtenstein")
    assert "ukiyo-e" not in spoken
