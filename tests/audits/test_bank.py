"""A fine-tune is followed on the same pictures; an undecided end on more of them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from unlearnlog.atelier.bundled_concepts import book, world
from unlearnlog.audits.finetune_training import TrainingStage
from unlearnlog.audits.probe_set import ProbeSet, followed
from unlearnlog.audits.verdict import VerdictRules
from unlearnlog.core.probe_case import Answer

PICASSO = world().concept("Picasso")
RULES = VerdictRules(margin=0.05, false_alarms=0.05, base_presence=0.5)
ERASED, LEARNED = torch.zeros(1), torch.ones(1)


class Panel:
    """Sees Picasso in the first few cells of what was learned, and notes who asked."""

    def __init__(self, hits: int) -> None:
        self.hits, self.asked = hits, list[tuple[float, int]]()

    def judged(self, cells, weights, about):  # noqa: ARG002
        learned = float(weights["w"])
        self.asked.append((learned, len(cells)))
        n = self.hits if learned else 0
        styles = ["Picasso"] * n + ["photo"] * (len(cells) - n)
        return [Answer("cat", style) for style in styles]


@pytest.fixture(scope="module")
def bank():
    return ProbeSet.of(book(), [PICASSO], sizes=(6, 2, 24), kept=())


def follow(bank, hits, rules: VerdictRules | None = RULES):
    stages = (
        TrainingStage(0, {}, None, is_end=True),
        TrainingStage(10, {"w": ERASED}, 0.1),
        TrainingStage(50, {"w": LEARNED}, 0.1, is_end=True),
    )
    panel: Any = Panel(hits)
    (curve,) = followed(stages, bank, panel, {"w": ERASED}, rules=rules).curves
    return curve, panel.asked


def test_a_closer_look_begins_with_the_pictures_of_the_usual_one(bank):
    usual, more = bank.erased["Picasso"], bank.closer["Picasso"]

    assert (len(usual), len(usual) + len(more)) == (96, 384)
    assert len({*usual, *more}) == 384
    assert {*usual, *more} == {*book().erased(PICASSO, 24)}


def test_what_is_decided_is_not_looked_at_again(bank):
    for hits in (0, 40):
        curve, asked = follow(bank, hits)

        assert [len(look.shown) for look in curve.looks] == [96, 32, 96]
        assert asked == [(0, 96), (0, 32), (1, 96)]


def test_one_picture_of_a_hundred_is_looked_at_in_four_times_as_many(bank):
    curve, asked = follow(bank, 1)

    assert curve.change(curve.last).high <= RULES.margin
    assert [len(look.shown) for look in curve.looks] == [384, 32, 384]
    assert [sum(look.shown) for look in curve.looks] == [0, 0, 1]
    assert asked[3:] == [(0, 384), (1, 384)]


def test_where_nobody_decides_nobody_looks_closer(bank):
    curve, asked = follow(bank, 1, rules=None)

    assert len(asked) == 3
    assert len(curve.last.shown) == 96
