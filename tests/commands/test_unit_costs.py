"""Which kinds of work a dry run times: those that it counted, and no others."""

from __future__ import annotations

from typing import Any

import pytest

from tests.commands.test_estimate import Blind, Counting, Speaking
from unlearnlog.commands import unit_costs
from unlearnlog.commands.counting import WorkCount
from unlearnlog.commands.unit_costs import Bench
from unlearnlog.core.progress import NoProgress
from unlearnlog.models.interface import Sampling


@pytest.fixture
def done():
    return WorkCount()


@pytest.fixture
def bench(done):
    model: Any = Counting(Speaking(), done)
    return Bench(model, Blind(done), Sampling(2, 1.0, batch=4), NoProgress())


def test_no_work_costs_nothing_and_nothing_is_timed(bench, done):
    costs = bench.costs(WorkCount())

    assert done == WorkCount()
    assert (costs.picture, costs.judgement, costs.prediction) == (0, 0, 0)


def test_predictions_are_timed_without_a_picture(bench, done):
    costs = bench.costs(WorkCount(predicted=5))

    assert done.painted == 0
    assert done.predicted > 0
    assert costs.prediction > 0


def test_one_picture_and_a_batch_are_timed(bench, done):
    costs = bench.costs(WorkCount(painted=9, judged=9))

    assert done.painted == 1 + 4
    assert costs.picture > 0
    assert costs.judgement > 0


def test_one_slow_picture_is_enough(bench, done, monkeypatch):
    monkeypatch.setattr(unit_costs, "_PATIENCE", 0.0)

    costs = bench.costs(WorkCount(painted=9))

    assert done.painted == 1
    assert costs.picture > 0
