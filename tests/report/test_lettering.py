"""Names in any script in every picture: with their glyphs or spelt, never as boxes."""

from __future__ import annotations

import warnings
from dataclasses import replace
from io import BytesIO
from itertools import combinations, pairwise

import numpy as np
import pytest
import torch
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib.font_manager import fontManager
from PIL import Image

from tests.histories import shown, some_findings
from tests.report.test_finetuning import course, curve, finetuned
from unlearnlog.findings.report_parts import ConceptDamage, Edge, Node, Status
from unlearnlog.report.charts import LETTERS, LONGEST, chart
from unlearnlog.report.finetune_views import curves_figure, curves_png
from unlearnlog.report.fonts import fonts_for, matplotlib_fonts
from unlearnlog.report.graph_drawing import (
    FreePlaces,
    bow,
    graph_figure,
    graph_picture,
    nearest_edges,
)
from unlearnlog.report.graph_layout import layout
from unlearnlog.report.image_grid import image_grid
from unlearnlog.report.picture_text import PictureText

HOKUSAI = "\ue000\ue001"
"""Two letters that no font of anybody's has: those of a private use area."""


@pytest.fixture
def font(tmp_path):
    """A font of the system that has them, each a black square."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for point in ((0, 800), (800, 800), (800, 0)):
        pen.lineTo(point)
    pen.closePath()
    square = pen.glyph()
    made = FontBuilder(1000, isTTF=True)
    made.setupGlyphOrder([".notdef", "one", "two"])
    made.setupCharacterMap({0xE000: "one", 0xE001: "two"})
    made.setupGlyf({".notdef": square, "one": square, "two": square})
    made.setupHorizontalMetrics(dict.fromkeys((".notdef", "one", "two"), (900, 50)))
    made.setupHorizontalHeader(ascent=800, descent=-200)
    made.setupNameTable({"familyName": "Two Letters", "styleName": "Regular"})
    made.setupOS2()
    made.setupPost()
    path = tmp_path / "two.ttf"
    made.save(path)
    fontManager.addfont(path)
    yield path
    fontManager.ttflist[:] = [e for e in fontManager.ttflist if e.fname != str(path)]


def test_what_the_plain_font_has_is_written_as_it_is():
    text = "Café Ελλάς Казимир نجيب محفوظ"

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = fonts_for([text])

    assert found.spelt(text) == text
    assert len(found.fonts) == 1


def test_a_font_of_the_system_is_found_by_its_glyphs(font):
    found = fonts_for([f"Hokusai {HOKUSAI}"])

    assert [each.family for each in found.fonts] == ["DejaVu Sans", "Two Letters"]
    assert found.font_of(HOKUSAI[0]).path == str(font)
    assert found.font_of("H").family == "DejaVu Sans"
    assert found.spelt(HOKUSAI) == HOKUSAI


def test_what_no_font_has_is_spelt_and_warned_of_once():
    """Eight warnings of matplotlib's, each with a line of its source, and boxes."""
    with pytest.warns(UserWarning, match="no font on this machine has") as said:
        found = fonts_for([f"Hokusai {HOKUSAI}", HOKUSAI])

    assert len(said) == 1
    assert found.spelt(f"Hokusai {HOKUSAI}") == r"Hokusai \ue000\ue001"


def test_what_is_never_seen_is_not_spelt():
    joined = "a\u200db\ufe0f"

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = fonts_for([joined])

    assert "\\u" not in found.spelt(joined)


def pixels(png):
    with Image.open(BytesIO(png)) as opened:
        return np.asarray(opened.convert("L"))


def named(name):
    graph = some_findings().graph
    return replace(graph, nodes=(Node(name, "style", name),), edges=(), harm=())


@pytest.mark.usefixtures("font")
def test_the_graph_has_the_glyphs_of_its_names():
    text = graph_picture(named(HOKUSAI), "svg").decode()

    assert HOKUSAI in text
    assert (pixels(graph_picture(named(HOKUSAI), "png")) < 60).sum() > 200


def test_without_a_font_the_graph_spells_them():
    with pytest.warns(UserWarning, match="no font"):
        text = graph_picture(named(HOKUSAI), "svg").decode()

    assert r"\ue000\ue001" in text


def with_all_kinds_of_marks():
    """A graph with every mark, and with measured edges, so that the legend has all."""
    graph = some_findings().graph
    names = [node.name for node in graph.nodes]
    status: tuple[Status, ...] = ("erased", "doubtful", "unread", "kept")
    harm = [
        ConceptDamage(n, status[i % 4], 0.25, sure=True, presence=shown(n, 24))
        for i, n in enumerate(names)
    ]
    near = (Edge(names[0], names[1], "information", 0.5),)
    return replace(graph, edges=(*graph.edges, *near), harm=(tuple(harm),))


def test_no_word_of_the_graph_lies_on_another_or_beyond_the_edge():
    """One more mark in its legend pushed the last sentence out of the picture."""
    graph = with_all_kinds_of_marks()
    with matplotlib_fonts(["x"]) as letters:
        figure = graph_figure(graph, letters)
        figure.draw_without_rendering()

    texts = [each for each in figure.axes[0].texts if len(each.get_text()) > 1]
    boxes = [text.get_window_extent() for text in texts]
    assert any("near to the model" in text.get_text() for text in texts)
    assert any("in doubt, shows" in text.get_text() for text in texts)
    assert overlapping(texts) == []
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.x1 for box in boxes)
    assert all(box.y0 >= 0 and box.y1 <= figure.bbox.y1 for box in boxes)


def test_two_dollar_signs_are_no_mathematics():
    """The concept "Ca$h of A$AP" was drawn as "Cahof AAP", in italics."""
    text = graph_picture(named("Ca$h of A$AP"), "svg").decode()

    assert "Ca$h of A$AP" in text


def grey(n):
    return torch.full((n, 64, 64, 3), 120, dtype=torch.uint8)


def test_a_caption_is_broken_where_the_sheet_ends():
    """It ran over the edge, and é was a box."""
    short = image_grid([grey(2)], ["base"], "a café")
    long = image_grid([grey(2)], ["base"], "a painting of a café " * 6)

    assert short.size == (2 * 192 + 3 * 8, 22 + 8 + 192 + 22 + 8)
    assert long.size[0] == short.size[0]
    assert long.size[1] > short.size[1]
    margin = np.asarray(long)[: long.size[1] - 192 - 8, -4:]
    assert margin.min() == 255


def test_a_word_wider_than_the_sheet_is_broken():
    pen = PictureText.of(["x"])

    lines = pen.lines("x" * 200, 300)

    assert "".join(lines).replace(" ", "") == "x" * 200
    assert len(lines) > 2


@pytest.mark.usefixtures("font")
def test_the_montage_has_the_glyphs_of_its_labels():
    plain = np.asarray(image_grid([grey(1)], ["base"], "a"))
    sheet = np.asarray(image_grid([grey(1)], ["base"], HOKUSAI))

    assert (sheet[:22] < 60).sum() > 3 * (plain[:22] < 60).sum()


STEPS = (0, 1, 2, 5, 10, 20, 50, 100, 150, 200, 250, 300, 400, 450, 500)


def tuned(*names, data="target:5"):
    made = [curve(name, *((step, min(96, step)) for step in STEPS)) for name in names]
    return replace(finetuned(course(0, *made), course(1, *made)), data=data)


def overlapping(texts):
    boxes = [text.get_window_extent() for text in texts if text.get_text()]
    return [pair for pair in combinations(boxes, 2) if pair[0].overlaps(pair[1])]


def test_no_label_of_a_step_lies_on_another():
    """With looks at 100, 150 and so on to 500 the labels were one black bar."""
    found = tuned("Picasso", "cat")
    with matplotlib_fonts(found.base) as letters:
        figure = curves_figure(found, letters)
        figure.draw_without_rendering()

    for axes in figure.axes:
        labels = axes.get_xticklabels()
        shown = [label.get_text() for label in labels if label.get_text()]
        assert overlapping(labels) == []
        assert (shown[0], shown[-1]) == ("0", "500")
        assert len(axes.get_xticks()) == len(STEPS)


def test_titles_stay_above_their_own_panels():
    names = [f"Vincent van Gogh, the painter of sunflowers {i}" for i in range(6)]
    found = tuned(*names, data="/a/folder/of/somebody's/with a long name/" * 3)
    with matplotlib_fonts(found.base) as letters:
        figure = curves_figure(found, letters)
        figure.draw_without_rendering()

    titles = [axes.title for axes in figure.axes if axes.title.get_text()]
    assert len(titles) == 6
    assert overlapping(titles) == []
    assert len({round(axes.get_position().y0, 2) for axes in figure.axes}) == 2


def test_curves_of_a_name_without_glyphs_warn_once():
    with pytest.warns(UserWarning, match="no font") as said:
        png = curves_png(tuned(HOKUSAI))

    assert len(said) == 1
    assert png.startswith(b"\x89PNG")


def test_numbers_of_edges_lie_neither_on_each_other_nor_on_a_title():
    """The number between Braque and Renoir stood on the word "impressionism"."""
    graph = some_findings().graph
    placed, names = layout(graph), ["Picasso", "Braque", "Monet", "Renoir"]
    pairs = zip(combinations(names, 2), (0.5, 0.4, 0.3, 0.2, 0.1, 0.05), strict=True)
    edges = tuple(Edge(*pair, "information", weight) for pair, weight in pairs)
    free = FreePlaces.of(placed)
    before = len(free.used)

    for edge in nearest_edges(replace(graph, edges=edges)):
        xs, ys = bow(placed.places[edge.one], placed.places[edge.other])
        free.taken(zip(xs, ys, strict=True))

    for i, (x, y, wide, high) in enumerate(free.used[before:], start=before):
        for left, top, half, tall in free.used[:i]:
            assert abs(x - left) >= wide + half or abs(y - top) >= high + tall


def test_names_at_the_ends_of_lines_do_not_lie_on_each_other():
    findings = some_findings()
    series = next(s for s in findings.nats if len(s.points) > 1)
    many = [replace(series, concept=f"concept {i}") for i in range(8)]

    found = chart(series.measure, many, findings.steps)

    ends = sorted(line.end for line in found.lines)
    assert all(b - a >= LETTERS for a, b in pairwise(ends))


def test_a_long_name_below_a_chart_ends_inside_of_it():
    findings = some_findings()
    steps = [replace(step, number=i) for i, step in enumerate(findings.steps)]
    long = [replace(step, names="Vincent van Gogh, and others") for step in steps]
    series = findings.nats[0]

    found = chart(series.measure, findings.nats, long)

    assert max(len(tick.text) for tick in found.across) <= LONGEST
