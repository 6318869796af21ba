"""Edges by information of a real base: measured once, and what the probes say."""

from __future__ import annotations

import json

import pytest

from unlearnlog.commands.graph import graph
from unlearnlog.commands.measured_edges import (
    STEPS,
    EdgesRequest,
    chosen,
    measured_edges,
)
from unlearnlog.commands.session_opening import init, open_session
from unlearnlog.core.probe_case import ProbeCase
from unlearnlog.errors import ConceptError, UsageError
from unlearnlog.models.interface import Sampling
from unlearnlog.probes.information import PromptedPictures
from unlearnlog.probes.information_decomposition import edge

NAMES = ("Picasso", "Braque", "cat")


class Heard:
    """A watch that remembers which stages there were."""

    def __init__(self):
        self.stages: list[tuple[str, int]] = []

    def stage(self, name, total):
        self.stages.append((name, total))

    def advance(self, units, numbers):
        """Remember nothing of it."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("informed")
    init(folder, "atelier")
    return folder


@pytest.fixture(scope="module")
def at(folder):
    return open_session(folder)


@pytest.fixture(scope="module")
def measured(at):
    heard = Heard()
    return measured_edges(at, EdgesRequest(NAMES, 2, heard)), heard.stages


def test_two_of_a_kind_get_an_edge_and_a_style_with_a_subject_its_parts(measured):
    found, stages = measured

    assert [(t.type, t.one, t.other) for t in found] == [
        ("information", "Picasso", "Braque"),
        ("decomposition", "Picasso", "cat"),
        ("decomposition", "Braque", "cat"),
    ]
    near, one, _ = found
    assert near.numbers["weight_low"] <= near.numbers["weight"] <= 1
    assert near.numbers["n"] == 4
    assert one.numbers["n"] == 2
    assert 0 in (one.numbers["style"], one.numbers["subject"])
    assert ("painting without guidance", 4) in stages


def test_what_was_measured_is_not_measured_again(folder, measured):
    """A new place reads the ledger's shelf: nothing is painted, nothing is asked."""
    heard = Heard()

    again = measured_edges(open_session(folder), EdgesRequest(NAMES, 2, heard))

    assert heard.stages == []
    assert again == measured[0]


def test_an_edge_is_the_probes_own(at, measured):
    cells = {
        name: at.book().erased(at.world.concepts[name], 1)[:2] for name in NAMES[:2]
    }

    def painted(of: tuple[ProbeCase, ...]) -> PromptedPictures:
        texts, seeds = [c.prompt for c in of], [c.seed for c in of]
        made = at.model.paint(texts, seeds, sampling=Sampling(STEPS, 1.0))
        return PromptedPictures(of, made.latents)

    one, other = (painted(cells[name]) for name in NAMES[:2])
    truth = edge(
        at.model,
        (one, [c.prompt for c in other.cells]),
        (other, [c.prompt for c in one.cells]),
    )

    assert measured[0][0].numbers["weight"] == pytest.approx(truth.value, abs=1e-9)
    assert measured[0][0].numbers["weight_high"] == pytest.approx(truth.high, abs=1e-9)


@pytest.mark.usefixtures("measured")
def test_the_graph_holds_an_edge_both_ways_round_and_draws_it_once(at):
    found = graph(at, "HEAD", informed=EdgesRequest(NAMES, 2))

    there = found.network.edges["Picasso", "Braque", "information"]
    assert there == found.network.edges["Braque", "Picasso", "information"]
    assert {"weight", "weight_low", "apart", "n"} <= there.keys()
    drawn = [e for e in found.drawing.edges if e.type == "information"]
    assert [(e.one, e.other, e.weight) for e in drawn] == [
        ("Picasso", "Braque", there["weight"])
    ]


@pytest.mark.usefixtures("measured")
def test_the_terminal_and_the_file_say_the_same(typed, folder):
    asked = ["graph", "--informed", "--pictures", "2", "--ledger", str(folder)]
    asked += [word for name in NAMES for word in ("--concept", name)]

    shown = " ".join(typed(*asked).out.replace("│", " ").split())
    data = json.loads(typed(*asked, "--json").out)

    (found,) = [
        e
        for e in data["edges"]
        if e["type"] == "information" and e["source"] == "Picasso"
    ]
    assert f"near Braque: {found['weight']:.3f}" in shown
    assert "with cat, in nats: redundant" in shown


def test_a_family_is_its_members_and_one_concept_whoever_is_near(at):
    assert chosen(at.world, ["cubism"]) == ("Picasso", "Braque")
    assert {*chosen(at.world, ["Picasso"])} == {"Picasso", *at.world.near("Picasso")}


@pytest.mark.parametrize(
    ("names", "kind", "said"),
    [
        (("Hokusai",), UsageError, "Hokusai"),
        (("Nobody",), ConceptError, "Nobody"),
        ((), UsageError, "nothing is erased"),
    ],
)
def test_what_has_no_edge_is_refused_by_name(at, names, kind, said):
    with pytest.raises(kind, match=said):
        graph(at, "HEAD", informed=EdgesRequest(names, 2))


def test_whom_to_ask_about_is_of_no_use_without_asking(typed, folder):
    done = typed("graph", "--concept", "Picasso", "--ledger", str(folder))

    assert done.code == 2
    assert "--informed" in done.err
