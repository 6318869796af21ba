"""The drawing of the graph: everything has a place, and no label is on another."""

from dataclasses import replace
from itertools import combinations

import pytest

from tests.histories import some_findings
from unlearnlog.findings.report_parts import Edge, Node
from unlearnlog.report.graph_layout import WIDTH, label_width, layout

LONG = "Bartholomeus van der Helst"


def graph_of(*families, edges=()):
    nodes = tuple(
        Node(f"{name} {i}" if i else name, kind, family)
        for kind, family, name, n in families
        for i in range(n)
    )
    return replace(some_findings().graph, nodes=nodes, edges=tuple(edges))


GRAPHS = [
    some_findings().graph,
    graph_of(("style", "one", LONG, 1)),
    graph_of(("style", "big", "Rembrandt", 40), ("subject", "", "cat", 1)),
    graph_of(
        *(("style", f"family {i}", f"{LONG} {i}", i % 5 + 1) for i in range(12)),
        *(("subject", f"sort {i}", f"thing {i}", i % 3 + 1) for i in range(9)),
        edges=[Edge("thing 1", f"{LONG} 3", "look-alike")],
    ),
]


def labels(graph):
    """Left, top, right, bottom of each label with what stands above the mark."""
    return [
        (x - label_width(name) / 2, y - 24, x + label_width(name) / 2, y + 26)
        for name, (x, y) in layout(graph).places.items()
    ]


@pytest.mark.parametrize("graph", GRAPHS)
def test_no_label_is_drawn_on_another(graph):
    found = labels(graph)

    overlapping = [
        (a, b)
        for a, b in combinations(found, 2)
        if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
    ]
    assert len(found) == len(graph.nodes)
    assert overlapping == []


@pytest.mark.parametrize("graph", GRAPHS)
def test_everything_is_inside_the_drawing(graph):
    found = layout(graph)

    assert all(box.x >= 0 and box.y >= 0 for box in found.boxes)
    assert all(box.x + box.width <= found.width + 0.01 for box in found.boxes)
    assert all(box.y + box.height <= found.height + 0.01 for box in found.boxes)


def test_a_usual_drawing_is_as_wide_as_the_page():
    assert layout(GRAPHS[0]).width == WIDTH


def test_the_same_graph_gets_the_same_places():
    assert layout(GRAPHS[3]).places == layout(GRAPHS[3]).places


def test_families_with_a_tie_stand_side_by_side():
    families = [("subject", f"sort {i}", f"thing {i}", 1) for i in range(6)]
    tied = graph_of(*families, edges=[Edge("thing 0", "thing 5", "look-alike")])

    order = [box.name for box in layout(tied).boxes]

    assert abs(order.index("sort 0") - order.index("sort 5")) == 1


def test_no_concepts_need_no_room():
    assert layout(graph_of()).height == 0
