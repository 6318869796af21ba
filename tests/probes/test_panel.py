from dataclasses import replace

import pytest
import torch

from tests.probes.evidences import by_name
from tests.probes.mixture import SHARE, NearestMean, mixture
from unlearnlog.atelier.bundled_concepts import book
from unlearnlog.core.concept import Concept
from unlearnlog.core.probe_case import Answer, ProbeCase
from unlearnlog.core.progress import NoProgress
from unlearnlog.core.prompt import Prompt
from unlearnlog.models.interface import Sampling
from unlearnlog.probes.runner import (
    ConceptCases,
    ProbePlan,
    ProbeRunner,
    scattered,
)
from unlearnlog.probes.unlearning import UnlearningAccuracy

LEFT = Concept("left", "style")
DEAF = {SHARE: torch.zeros(())}


class Diary(NoProgress):
    """Writes down the stages and how many units each has."""

    def __init__(self):
        self.stages = []

    def stage(self, name, total):
        self.stages.append((name, total))


def cells(style, n):
    return tuple(
        ProbeCase(f"cat {i % 3} by {style}", i, "cat", style) for i in range(n)
    )


class NoAlbum:
    """Keeps nothing."""

    keeps = False

    def answers(self, cells, sampling, weights):  # noqa: ARG002
        return [None] * len(cells)

    def keep_answers(self, cells, answers, sampling, weights):
        """Keep nothing."""

    def scores(self, cells, sampling, weights):  # noqa: ARG002
        return [None] * len(cells)

    def keep_scores(self, cells, scores, sampling, weights):
        """Keep nothing."""

    def latents(self, cells, sampling, weights):
        """Find nothing."""

    def keep_latents(self, cells, latents, sampling, weights):
        """Keep nothing."""


class Table(NoAlbum):
    """Knows some answers of the base; writes down the rest."""

    keeps = True

    def __init__(self, known=None):
        self.known, self.kept, self.put = known or {}, {}, {}

    def answers(self, cells, sampling, weights):
        if weights is None:
            return [self.known.get(cell) for cell in cells]
        return [self.kept.get((id(weights), sampling, cell)) for cell in cells]

    def keep_answers(self, cells, answers, sampling, weights):
        for cell, answer in zip(cells, answers, strict=True):
            self.kept[id(weights), sampling, cell] = answer

    def latents(self, cells, sampling, weights):
        return self.put.get((id(weights), tuple(cells), sampling))

    def keep_latents(self, cells, latents, sampling, weights):
        self.put[id(weights), tuple(cells), sampling] = latents


@pytest.fixture
def model():
    return mixture({"left": -2.0, "middle": 0.0, "right": 2.0}, sd=0.3)


def panel(model, album=None):
    sampling = Sampling(steps=1, guidance=1.0)
    return ProbeRunner(model, NearestMean(model), album or NoAlbum(), sampling, Diary())


def questions(n=12):
    return ConceptCases(
        LEFT,
        erased=cells("left", n),
        information=tuple(Prompt(c.prompt, "cat", "") for c in cells("left", 5)),
        target=tuple(ProbeCase("cat", i, "cat", "") for i in range(n)),
        renamed=cells("left", 3),
        family=tuple(ProbeCase("cat", 100 + i, "cat", "") for i in range(2)),
        near=frozenset({"middle"}),
    )


def asked_about(n=12):
    return ProbePlan(
        (questions(n),),
        kept=cells("right", n),
        earlier={"middle": cells("middle", 4)},
    )


def test_each_cell_meets_its_own_answers(model):
    asked = asked_about()

    evidence = panel(model).looked(asked, model.base)

    (look,) = evidence.looked
    groups = {"left": look.erased, "right": evidence.kept, **evidence.earlier}
    for style, group in groups.items():
        assert {seen.now for seen in group} == {Answer("cat", style)}
        assert {seen.base for seen in group} == {Answer("cat", style)}
    assert [seen.cell for seen in look.erased] == list(asked.about[0].erased)
    assert [seen.cell for seen in look.renamed] == list(asked.about[0].renamed)
    assert [seen.cell for seen in look.family] == list(asked.about[0].family)
    assert {seen.now.style for seen in look.renamed} == {"left"}
    assert look.near == {"middle"}
    assert {answer.style for answer in look.target} == set(model.names)


def test_what_is_seen_now_is_painted_with_the_new_weights(model):
    evidence = panel(model).looked(asked_about(60), DEAF)

    ua = by_name(UnlearningAccuracy().readings(evidence))["ua", "left"]

    assert ua.base == 0.0
    assert ua.value == pytest.approx(2 / 3, abs=0.2)


def test_only_what_is_not_known_of_the_base_is_painted(model):
    asked = cells("left", 6)
    strange = Answer("cat", "known before")
    table = {asked[1]: strange, asked[4]: strange}
    looking = panel(model, Table(table))

    answers = looking.base_answers(asked)

    left = Answer("cat", "left")
    assert answers == [left, strange, left, left, strange, left]
    assert looking.watch.stages == [("painting with the base", 4)]


def test_what_is_known_is_not_painted_again(model):
    asked = cells("left", 3)
    looking = panel(model, Table(dict.fromkeys(asked, Answer("cat", "left"))))

    looking.base_answers(asked)

    assert looking.watch.stages == []
    assert looking.judge.n_judged == 0


def test_what_was_seen_of_a_state_is_not_painted_again(model):
    looking = panel(model, Table())
    asked, weights = cells("left", 6), model.base

    first = looking.judged(asked[:4], weights, "looking")
    again = looking.judged(asked, weights, "looking")

    assert again[:4] == first
    assert looking.judge.n_judged == 6
    assert looking.watch.stages == [("looking", 4), ("looking", 2)]


def test_a_look_that_was_stopped_goes_on_from_where_it_was(model):
    looking = panel(model, Table())
    batch = looking.sampling.batch
    asked, judge = cells("left", batch + 10), looking.judge

    def tired(painted):
        if judge.n_judged:
            raise KeyboardInterrupt
        return NearestMean.judged(judge, painted)

    judge.judged = tired
    with pytest.raises(KeyboardInterrupt):
        looking.judged(asked, model.base, "looking")
    del judge.judged
    looking.judged(asked, model.base, "looking")

    assert looking.watch.stages == [("looking", batch + 10), ("looking", 10)]


def test_the_nats_of_a_state_are_read_twice_on_the_same_pictures(model):
    looking, asked = panel(model, Table()), asked_about()

    first = looking.information(asked, model.base)
    n_stages = len(looking.watch.stages)
    again = looking.information(asked, model.base)

    assert again == first
    assert len(looking.watch.stages) == n_stages


def test_the_nats_are_read_on_the_first_pictures_of_the_concept(model):
    looking, asked = panel(model), asked_about()
    found = by_name(looking.information(asked, DEAF))

    assert set(found) == {
        ("self-mi", "left"),
        ("self-mi.two-loss", "left"),
        ("self-mi.gap", "left"),
        ("gain", "left"),
        ("shift", "left"),
        ("bound-mi", "left"),
        ("drift", "(kept)"),
        ("drift", "(empty prompt)"),
    }
    assert {reading.n for reading in found.values()} == {5}
    assert found["self-mi", "left"].value == pytest.approx(0, abs=1e-6)
    assert found["self-mi", "left"].base > 0.5


def test_nats_of_cells_that_are_not_looked_at_are_left_out(model):
    """Cells of an earlier erasure are dropped; their prompts once stayed behind."""
    looking, asked = panel(model), questions()
    others = tuple(Prompt(f"dog {i} by left", "dog", "") for i in range(3))
    mixed = replace(asked, information=(*others, *asked.information[:2]))
    found = by_name(
        looking.information(ProbePlan((mixed,), kept=cells("right", 12)), model.base)
    )

    assert found["self-mi", "left"].n == 5
    assert found["self-mi", "left"].value == pytest.approx(
        found["self-mi", "left"].base
    )


def test_a_few_kept_cells_show_more_than_a_few_subjects():
    """Every eighth cell of rows of sixteen once showed two subjects only."""
    few = scattered(book().kept({"Picasso"}, 1), 32)

    assert len(set(few)) == 32
    assert len({cell.subject for cell in few}) >= 10
    assert len({cell.style for cell in few}) >= 10


def test_the_cells_that_stay_are_the_same_whatever_was_erased_before():
    before = scattered(book().kept({"Picasso"}, 1), 32)

    after = scattered(book().kept({"Picasso", "Klimt"}, 1), 32)

    left = [cell for cell in before if cell.style != "Klimt"]
    assert set(left) <= set(after)
