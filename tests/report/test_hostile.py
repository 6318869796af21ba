"""Texts that were written to do harm, in every form that is written: texts, no more.

Names, policies, reasons and verdicts are somebody's words. Each is pushed through each
form, and what comes out holds no tag, no token and no escape that a text brought.
"""

from __future__ import annotations

import io
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
import torch
from markdown_it import MarkdownIt
from matplotlib.text import Text as Drawn
from PIL import Image

from tests.histories import pair, shown, some_findings, step
from tests.hostile_texts import CONTROLS, HALVES, HOSTILE, NAMES
from tests.report.test_finetuning import course, curve, finetuned
from unlearnlog.core.eraser_record import EraserRecord
from unlearnlog.core.note import Author, Note
from unlearnlog.core.verdict_record import VerdictRecord
from unlearnlog.core.visible import is_seen, json_line, visible
from unlearnlog.findings.as_json import as_data
from unlearnlog.findings.markdown_text import in_markdown
from unlearnlog.report.entry_tables import (
    ProgressBars,
    fact_table,
    log_table,
    notes_table,
    readings_table,
)
from unlearnlog.report.finetune_views import curves_figure, curves_png
from unlearnlog.report.fonts import matplotlib_fonts
from unlearnlog.report.graph_drawing import graph_figure, graph_picture
from unlearnlog.report.graph_views import concept_tree, graph_file
from unlearnlog.report.html_page import html
from unlearnlog.report.image_grid import image_grid
from unlearnlog.report.log_graph import graph_lines
from unlearnlog.report.markdown_page import markdown
from unlearnlog.report.plain_console import PlainConsole
from unlearnlog.report.progress_lines import ProgressLines

FEW = (*NAMES[::13], *CONTROLS[::11], *HALVES[:2])
"""A sample of every kind."""

UNKNOWN = "ignore:no font on this machine:UserWarning"
SVG = "{http://www.w3.org/2000/svg}"


def findings_of(texts):
    """Return findings whose every free text is one of these.

    Names of concepts are those that can name one; an entry of an older ledger may
    hold any other text.
    """
    names = [text for text in texts if text in NAMES] or ["Picasso"]
    others = [text for text in texts if text not in HALVES]
    readings = [shown(text, 1, erased=text in names) for text in others]
    steps = []
    for i, text in enumerate(others):
        note = Note.model_construct(
            message=text, ref=text, author=Author.model_construct(name=text, email=text)
        )
        made = {"created": text, "unlearnlog": text}
        verdict = VerdictRecord(passed=False, failures=(text,), undecided=(text,))
        each = step(
            i + 1,
            [names[i % len(names)]],
            names[: i + 1],
            readings[i : i + 4],
            verdict,
            policy=text,
            eraser=EraserRecord(name=text, settings={"x": text}),
            made_with=made,
        )
        entry = each.entry.model_copy(update={"note": note})
        steps.append(type(each)(each.number, entry, each.live, each.names, each.doubts))
    return some_findings(steps, [pair(text, text, text) for text in texts])


def all_seen(text, *, lines=True):
    return all(is_seen(c) or (lines and c == "\n") for c in text)


class Tags(HTMLParser):
    """The elements of a page with the names of their attributes, and what it says."""

    def __init__(self):
        super().__init__()
        self.found, self.said = [], []

    def handle_starttag(self, tag, attributes):
        names = tuple(name for name, _ in attributes)
        self.found.append((tag, names))

    def handle_data(self, data):
        self.said.append(data)


def tags_of(page):
    parser = Tags()
    parser.feed(page)
    return parser


OURS = frozenset(tag for tag, _ in tags_of(html(some_findings())).found)
"""Elements that a page of harmless names has."""


@pytest.mark.parametrize(
    "texts", [FEW, pytest.param(HOSTILE, marks=pytest.mark.slow)], ids=["few", "all"]
)
def test_a_page_holds_no_element_that_a_name_brought(texts):
    found = findings_of(texts)

    page = html(found)

    page.encode("utf-8")
    tags = tags_of(page)
    assert all_seen(page)
    assert {tag for tag, _ in tags.found} <= OURS
    handlers = {n for _, names in tags.found for n in names if n.startswith("on")}
    assert not handlers
    assert sum(tag == "script" for tag, _ in tags.found) == 3
    text = "".join(tags.said)
    for each in found.steps:
        assert visible(each.entry.policy) in text
    states = re.search(r'id="states">(.*?)</script>', page, re.DOTALL)
    assert states
    assert len(json.loads(states[1])["steps"]) >= 1


@pytest.mark.parametrize(
    "texts", [FEW, pytest.param(HOSTILE, marks=pytest.mark.slow)], ids=["few", "all"]
)
def test_markdown_reads_every_text_as_a_text(texts):
    reader = MarkdownIt("gfm-like", {"linkify": False, "html": True})

    for text in texts:
        cell = in_markdown(text)
        tokens = reader.parse(f"| a |\n|---|\n| {cell} |\n\nx {cell}\n\n- x: {cell}\n")

        inline = [t for each in tokens for t in (each.children or ())]
        assert {t.type for t in inline} <= {"text", "text_special"}, text
        assert sum(t.type == "td_open" for t in tokens) == 1, text
        flat = " ".join(visible(" ".join(text.split())).split())
        said = "".join(t.content for t in inline if t.type.startswith("text"))
        assert "".join(said.split()).count("".join(flat.split())) >= (3 if flat else 0)
        assert all_seen(cell, lines=False)


@pytest.mark.parametrize(
    "texts", [FEW, pytest.param(HOSTILE, marks=pytest.mark.slow)], ids=["few", "all"]
)
def test_a_whole_report_can_be_written(texts):
    found = findings_of(texts)

    page, data = markdown(found), json_line(as_data(found))

    page.encode("utf-8")
    data.encode("utf-8")
    assert all_seen(page)
    assert all_seen(data, lines=False)
    assert [s["entry"]["policy"] for s in json.loads(data)["steps"]] == [
        step.entry.policy for step in found.steps
    ]


@pytest.mark.filterwarnings(UNKNOWN)
@pytest.mark.parametrize(
    "texts", [FEW, pytest.param(HOSTILE, marks=pytest.mark.slow)], ids=["few", "all"]
)
def test_a_drawing_writes_every_name_as_it_is(texts):
    """A$AP Ke$ha was taken for mathematics, in which Ke is no word."""
    drawing = findings_of(texts).graph

    svg, png = graph_picture(drawing, "svg"), graph_picture(drawing, "png")

    root = ET.fromstring(svg)
    assert {each.tag.removeprefix(SVG) for each in root.iter()} <= {
        *("svg", "metadata", "defs", "style", "g", "path", "use", "rect", "clipPath"),
        *(t.tag for t in root.iter() if not t.tag.startswith(SVG)),
    }
    assert not [each for each in root.iter() if each.tag.endswith(("script", "image"))]
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.format == "PNG"
    names = [node.name for node in drawing.nodes]
    with matplotlib_fonts(names) as letters:
        drawn_texts = graph_figure(drawing, letters).findobj(Drawn)
        assert not any(each.get_parse_math() for each in drawn_texts)
        assert {letters.spelt(name) for name in names} <= {
            each.get_text() for each in drawn_texts
        }


@pytest.mark.filterwarnings(UNKNOWN)
@pytest.mark.parametrize(
    "texts",
    [FEW[::3], pytest.param(HOSTILE, marks=pytest.mark.slow)],
    ids=["few", "all"],
)
def test_curves_and_rows_of_pictures_are_titled_with_any_name(texts):
    for i in range(0, len(texts), 8):
        some = texts[i : i + 8]
        found = finetuned(course(0, *(curve(text, (0, 0), (10, 5)) for text in some)))
        found = type(found)(**{**vars(found), "data": some[0]})

        with Image.open(io.BytesIO(curves_png(found))) as picture:
            assert picture.format == "PNG"
        with matplotlib_fonts((*some, found.data)) as letters:
            titles = curves_figure(found, letters).findobj(Drawn)
            assert not any(each.get_parse_math() for each in titles if each.get_text())
        image_grid(
            [torch.zeros(1, 8, 8, 3, dtype=torch.uint8)] * len(some), some, some[0]
        )


@pytest.mark.parametrize(
    "texts", [FEW, pytest.param(HOSTILE, marks=pytest.mark.slow)], ids=["few", "all"]
)
def test_a_graph_as_a_file_is_well_formed(texts):
    import networkx as nx

    network = nx.MultiDiGraph()
    network.add_node("styles", kind="root")
    for text in texts:
        network.add_node(text, kind=text, status="kept", presence=0.5)
        network.add_edge(text, "styles", "parent", type=text)

    graphml = graph_file(network, some_findings().graph, "graphml")
    data = graph_file(network, some_findings().graph, "json")

    root = ET.fromstring(graphml)
    ids = {each.get("id") for each in root.iter() if each.tag.endswith("}node")}
    assert ids == {"styles", *map(visible, texts)}
    assert [node["id"] for node in json.loads(data)["nodes"]] == [
        "styles",
        *dict.fromkeys(texts),
    ]
    shown_tree = terminal(concept_tree(network))
    for text in texts:
        assert visible(text, lines=True).split("\n")[0].rstrip() in shown_tree


def terminal(*things, width=4000):
    """Return what a terminal gets, colours and all that moves taken out."""
    file = io.StringIO()
    console = PlainConsole(force_terminal=True)
    console.file = file
    console.width = width
    console.legacy_windows = False
    for each in things:
        console.print(each)
    return bare(file.getvalue())


def bare(text):
    """Take out the colours of ours; nothing else that is obeyed is there."""
    plain = re.sub(r"\x1b\[[\d;]*m", "", text)
    assert all_seen(plain), plain
    return plain


@pytest.mark.parametrize(
    "texts", [FEW, pytest.param(HOSTILE, marks=pytest.mark.slow)], ids=["few", "all"]
)
def test_a_terminal_is_told_nothing_by_a_name(texts):
    """`add "Ghost [/b]"` recorded, and then `log` and `status` crashed for ever."""
    found = findings_of(texts)
    history = [(each.entry.id, each.entry) for each in found.steps]
    readings = [r for _, entry in history for r in entry.readings]

    said = terminal(
        log_table(history, None),
        notes_table(history),
        readings_table(readings, lambda r: r.concept),
        fact_table({text: text for text in texts}),
        *texts,
        *graph_lines(dict(history[:1]), {f"heads/{texts[0]}": None}, "heads/x"),
    )

    for text in texts:
        for line in visible(text, lines=True).split("\n"):
            assert " ".join(line.split()) in " ".join(said.split())


def test_narrow_tables_lose_no_letter_of_what_is_spelt_out():
    name = "\x1b]0;a\x07" * 3

    said = terminal(readings_table([shown(name, 1, erased=True)]), width=30)

    assert f"of:{visible(name)}" in "".join(said.split())


@pytest.mark.parametrize("text", FEW)
def test_progress_is_told_with_any_name(text):
    """A bar took its label for markup."""
    file = io.StringIO()
    console = PlainConsole(force_terminal=True)
    console.file = file
    console.width = 500
    lines = list[str]()

    with ProgressBars(console) as bars:
        bars.stage(text, 2)
        bars.advance(1, {text: 0.5})
    quiet = ProgressLines(lines.append, least=0.0, every=1e9)
    quiet.stage(text, 1)
    quiet.advance(1, {})
    quiet.close()

    moved = re.sub(r"\x1b\[\?25[lh]|\x1b\[[\d;]*[AGK]|\r", "", file.getvalue())
    assert visible(text).strip() in bare(moved)
    assert lines


def test_markup_of_a_library_is_what_it_would_be_without_the_door():
    """The tests above would see markup: rich's own console obeys it."""
    from rich.console import Console

    file = io.StringIO()
    Console(file=file, force_terminal=True).print("[b]x[/b] :smile:")

    assert "[b]" not in file.getvalue()
