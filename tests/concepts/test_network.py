"""The concept graph: what a file says, what is measured, how far apart two are."""

from __future__ import annotations

import pytest

from unlearnlog.atelier.bundled_concepts import world
from unlearnlog.concepts.concept_graph import (
    UNRELATED,
    add_measured,
    add_similar,
    hops,
    network,
    relations,
)
from unlearnlog.concepts.concept_set import ConceptSet
from unlearnlog.errors import ConceptError

FILE = {
    "families": {
        "painting": {"kind": "style", "word": "painted"},
        "cubism": {"kind": "style", "word": "cubist", "family": "painting"},
    },
    "concepts": {
        "Picasso": {"family": "cubism"},
        "Braque": {"family": "cubism", "look_alikes": ["Picasso"]},
        "Gris": {"family": "cubism"},
        "Banksy": {"kind": "style"},
        "cat": {"kind": "subject"},
        "tabby": {"kind": "subject"},
    },
    "relations": [
        {"one": "tabby", "other": "cat", "type": "parent"},
        {"one": "Banksy", "other": "Picasso", "type": "sibling"},
    ],
}


def made(**changes):
    return ConceptSet.of({**FILE, **changes}, "here.toml")


def test_every_concept_hangs_below_its_family_and_every_family_below_a_root():
    graph = network(made())

    assert graph.nodes["cubism"]["kind"] == "family"
    assert graph.has_edge("Picasso", "cubism", key="parent")
    assert graph.has_edge("cubism", "painting", key="parent")
    assert graph.has_edge("painting", "styles", key="parent")
    assert graph.has_edge("Banksy", "styles", key="parent")
    assert graph.has_edge("cat", "subjects", key="parent")


def test_what_a_file_relates_is_related_both_ways_round():
    graph = network(made())

    assert graph.has_edge("tabby", "cat", key="parent")
    assert graph.has_edge("cat", "tabby", key="child")
    for one, other in (("Picasso", "Braque"), ("Braque", "Picasso")):
        assert graph.has_edge(one, other, key="look-alike")
        assert graph.has_edge(one, other, key="sibling")


def test_a_relation_comes_before_a_look_alike_and_that_before_a_sibling():
    found = relations(made(), "Picasso")

    assert found == {"Braque": "look-alike", "Gris": "sibling", "Banksy": "sibling"}
    assert relations(made(), "cat") == {"tabby": "child"}
    assert relations(made(), "Gris")["Banksy"] == UNRELATED


def test_who_is_nearer_in_the_file_is_fewer_hops_away():
    found = hops(made(), "Picasso")

    assert found == {"Braque": 1, "Gris": 1, "Banksy": 1}
    assert hops(made(relations=[]), "Picasso")["Banksy"] == 4
    assert hops(made(), "tabby") == {"cat": 1}


def test_a_declared_relation_makes_a_neighbour():
    assert made().near("Banksy") == {"Picasso"}
    assert made(relations=[]).near("Banksy") == frozenset()


def test_the_bundled_world_has_each_concept_as_a_node():
    graph = network(world())

    assert set(world().concepts) <= set(graph)
    assert hops(world(), "Picasso")["Braque"] < hops(world(), "Picasso")["Monet"]


def test_text_edges_lead_to_the_nearest():
    graph = network(made())
    cosines = {("Picasso", "Banksy"): 0.9, ("Picasso", "Gris"): 0.2}
    cosines |= {("Banksy", "Gris"): 0.5}

    add_similar(graph, cosines, nearest=1)

    edges = {(a, b): d["weight"] for a, b, d in graph.edges(data=True) if "weight" in d}
    assert edges == {
        ("Picasso", "Banksy"): 0.9,
        ("Banksy", "Picasso"): 0.9,
        ("Gris", "Banksy"): 0.5,
    }


def test_measured_edges_have_a_direction_and_a_weight():
    graph = network(made())

    add_measured(graph, "damage", [("Picasso", "Braque", 0.3)])

    assert graph.edges["Picasso", "Braque", "damage"]["weight"] == 0.3
    assert not graph.has_edge("Braque", "Picasso", key="damage")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"relations": [{"one": "Picaso", "other": "cat", "type": "sibling"}]},
            "no concept 'Picaso'",
        ),
        (
            {"relations": [{"one": "cat", "other": "cat", "type": "sibling"}]},
            "contradicts itself",
        ),
        (
            {
                "relations": [
                    {"one": "cat", "other": "tabby", "type": "sibling"},
                    {"one": "tabby", "other": "cat", "type": "parent"},
                ]
            },
            "contradicts itself",
        ),
        (
            {
                "relations": [
                    {"one": "cat", "other": "tabby", "type": "parent"},
                    {"one": "tabby", "other": "Gris", "type": "parent"},
                    {"one": "Gris", "other": "cat", "type": "parent"},
                ]
            },
            "its own ancestor",
        ),
        ({"relations": [{"one": "cat", "other": "Gris", "type": "rival"}]}, "type"),
        (
            {
                "families": {
                    "painting": {"kind": "style", "word": "x", "family": "cubism"},
                    "cubism": {"kind": "style", "word": "y", "family": "painting"},
                }
            },
            "inside of itself",
        ),
        (
            {"families": {"cubism": {"kind": "style", "word": "y", "family": "art"}}},
            "does not describe",
        ),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_with_what_is_wrong(changes, words):
    with pytest.raises(ConceptError, match=words) as caught:
        made(**changes)

    assert "here.toml" in caught.value.message
    assert caught.value.fix


def test_a_misspelt_concept_gets_a_hint():
    with pytest.raises(ConceptError) as caught:
        made(relations=[{"one": "Picaso", "other": "cat", "type": "sibling"}])

    assert "did you mean 'Picasso'?" in caught.value.fix
