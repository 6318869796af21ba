"""The picture of the graph: what was not read does not look like what is well."""

from dataclasses import replace
from itertools import combinations

import pytest

from tests.histories import shown, some_findings
from unlearnlog.findings.report_parts import ConceptDamage, Edge
from unlearnlog.report.formatting import STEPS
from unlearnlog.report.graph_drawing import (
    NEAREST,
    SHADES,
    bow,
    caption,
    graph_picture,
    nearest_edges,
)


def harm(status, damage=None, *, hits=0):
    return ConceptDamage(
        "dog", status, damage, sure=False, presence=shown("dog", hits, 100)
    )


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (harm("kept", 0.0), ""),
        (harm("kept", 0.25), "lost 0.25"),
        (harm("kept", -0.02), "gained 0.02"),
        (harm("unread"), "not read"),
        (harm("erased"), "erased"),
        (harm("erased", hits=28), "erased, shows 0.28"),
        (None, ""),
    ],
)
def test_what_a_colour_says_is_said_in_words(found, words):
    assert caption(found) == words


def test_there_is_a_shade_for_nothing_for_each_step_and_for_more():
    assert len(SHADES) == len(STEPS) + 2


def test_only_the_nearest_of_each_are_drawn_and_none_that_would_read_as_nothing():
    graph = some_findings().graph
    names = ["Picasso", "Braque", "Monet", "Renoir"]
    weights = (0.5, 0.4, 0.3, 0.2, 0.1, 0.0)
    pairs = zip(combinations(names, 2), weights, strict=True)
    edges = tuple(Edge(*pair, "information", weight) for pair, weight in pairs)

    found = nearest_edges(replace(graph, edges=(*graph.edges, *edges)))

    assert [e.weight for e in found] == [0.5, 0.4, 0.3, 0.2, 0.1]
    assert NEAREST == 2
    left_out = (Edge("Picasso", "gone", "information", 0.9),)
    assert nearest_edges(replace(graph, edges=left_out)) == []


def test_a_bow_begins_and_ends_at_the_marks_and_leaves_the_row():
    xs, ys = bow((100.0, 50.0), (300.0, 50.0))

    assert (xs[0], ys[0], xs[-1], ys[-1]) == (100.0, 50.0, 300.0, 50.0)
    assert min(ys) < 50.0 - 10


def test_unread_concepts_and_erased_ones_that_show_are_written_into_the_picture():
    text = graph_picture(some_findings().graph, "svg").decode()

    for words in ("not read", "erased, shows 0.25", "lost 0.75", "points lost"):
        assert words in text
