"""A unit has a name by its content, and fixes what is computed together."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.probes.mixture import NearestMean, mixture
from tests.probes.test_panel import cells
from unlearnlog.core.digest import Digest
from unlearnlog.models.interface import Sampling
from unlearnlog.probes.probe_units import AnswersUnit, LatentsUnit, batches
from unlearnlog.workers.agreement_check import disagreement
from unlearnlog.workers.recently_used import RecentlyUsed
from unlearnlog.workers.work_unit import BenchDigests, Workbench, is_checked, name_of

SAMPLING = Sampling(steps=1, guidance=1.0, batch=4)
ON = BenchDigests(Digest("a" * 64), "judge", "cpu torch.float32")
UNIT = LatentsUnit((("a cat", 0), ("a dog", 1)), SAMPLING, None)


def test_a_units_name_is_its_content():
    same = LatentsUnit((("a cat", 0), ("a dog", 1)), Sampling(1, 1.0, 4), None)

    assert name_of(same, ON) == name_of(UNIT, ON)


@pytest.mark.parametrize(
    ("unit", "on"),
    [
        (replace(UNIT, pictures=(("a cat", 0), ("a dog", 2))), ON),
        (replace(UNIT, pictures=UNIT.pictures[::-1]), ON),
        (replace(UNIT, sampling=replace(SAMPLING, steps=2)), ON),
        (AnswersUnit(UNIT.pictures, SAMPLING, None), ON),
        (UNIT, replace(ON, state=Digest("b" * 64))),
        (UNIT, replace(ON, judge="another")),
        (UNIT, replace(ON, computed="cpu torch.bfloat16")),
    ],
)
def test_whatever_decides_a_result_decides_the_name(unit, on):
    assert name_of(unit, on) != name_of(UNIT, ON)


def test_a_hundredth_of_all_units_is_checked():
    names = (
        name_of(replace(UNIT, pictures=(("a cat", seed),)), ON) for seed in range(2000)
    )

    assert 5 <= sum(map(is_checked, names)) <= 45


def test_cells_become_batches_in_their_order():
    units = batches(LatentsUnit, cells("left", 9), SAMPLING, None)

    assert [unit.size for unit in units] == [4, 4, 1]
    assert [seed for unit in units for _, seed in unit.pictures] == [*range(9)]


def test_a_single_picture_is_painted_as_one_of_two():
    model = mixture({"left": -2.0, "right": 2.0})
    told: list[int] = []
    sizes: list[int] = []
    paint = model.paint

    def measured(prompts, seeds, **options):
        sizes.append(len(prompts))
        return paint(prompts, seeds, **options)

    model.paint = measured
    bench = Workbench(model, NearestMean(model))
    (unit,) = batches(AnswersUnit, cells("left", 1), SAMPLING, None)
    answers = unit.computed(bench, told.append)
    latents = LatentsUnit(unit.pictures, SAMPLING, None).computed(bench, told.append)

    assert sizes == [2, 2]
    assert len(answers) == len(latents) == 1
    assert max(told) == 1


def test_results_of_one_kind_of_worker_must_be_equal_to_the_bit():
    one, other = torch.ones(3), torch.tensor([1.0, 1.0, 1.0 + 1e-6])

    assert not disagreement(one, one.clone(), alike=True)
    assert disagreement(one, other, alike=True) == "1 of 3 values differ"
    assert not disagreement(one, other, alike=False)
    assert disagreement(one, one + 0.2, alike=False).startswith("numbers differ by")
    assert disagreement(one, one[:2], alike=False).endswith("different shapes")


def test_answers_of_two_kinds_of_worker_may_differ_in_a_tenth():
    one = ["cat"] * 20

    assert not disagreement(one, ["dog", *one[1:]], alike=False)
    assert disagreement(one, ["dog"] * 3 + one[3:], alike=False) == (
        "3 of 20 answers differ"
    )


def test_what_was_used_longest_ago_goes_first():
    kept = RecentlyUsed[int](2)

    kept.put("a", 1)
    kept.put("b", 2)
    kept.used("a")
    kept.put("c", 3)

    assert ("a" in kept, "b" in kept, "c" in kept) == (True, False, True)
