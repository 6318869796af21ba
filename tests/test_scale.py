"""What `make scale` draws is what its profile promises, and its limits held."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
import torch

from benchmarks.generated import PROFILE, Generated, Profile
from benchmarks.literally import LITERALLY
from benchmarks.scale import CASES, MOST_LEFT, edited, held, quality
from benchmarks.suite import RESULTS
from unlearnlog.erasers.eraser_table import ERASERS, recorded
from unlearnlog.erasers.uce import Uce

RESULT = RESULTS / "scale.json"
SMALL = replace(Profile.read(), d_text=128, length=9, family_size=8)


@pytest.fixture(scope="module")
def some():
    return Generated(SMALL, n_concepts=40, n_kept=200)


def cosines(one, two):
    one, two = (rows / rows.norm(dim=1, keepdim=True) for rows in (one, two))
    return one @ two.T


def test_a_profile_with_other_figures_is_refused(tmp_path):
    other = tmp_path / "other.toml"
    other.write_text(PROFILE.read_text() + "\nnorms = 3\n")

    with pytest.raises(ValueError, match="other figures"):
        Profile.read(other)


def test_tokens_are_as_long_as_promised(some):
    lengths = torch.cat([some.erased, some.kept, some.goal]).norm(dim=1)

    assert float(lengths.mean()) == pytest.approx(SMALL.norm, rel=0.01)
    assert float(lengths.std() / SMALL.norm) == pytest.approx(0.03, rel=0.2)


def test_names_share_as_much_as_promised(some):
    families = torch.arange(40) // SMALL.family_size
    same = (families[:, None] == families) & ~torch.eye(40, dtype=torch.bool)
    found = cosines(some.erased, some.erased)

    of_one = SMALL.common + SMALL.family
    assert float(found[same].mean()) == pytest.approx(of_one, abs=0.03)
    assert float(found[families[:, None] != families].mean()) == pytest.approx(
        SMALL.common, abs=0.05
    )
    anchors = cosines(some.erased, some.goal).diagonal()
    assert float(anchors.mean()) == pytest.approx(of_one, abs=0.03)
    assert float(cosines(some.erased, some.kept).max()) < 0.95


def test_half_of_the_kept_names_are_in_families_of_erased_ones(some):
    nearest = cosines(some.kept, some.goal).amax(1)

    near = nearest > SMALL.common + 0.6 * SMALL.family
    assert float(near.double().mean()) == pytest.approx(0.5, abs=0.05)


def test_the_spectrum_decays_as_promised():
    """The own part of one family's names, by the slope of a log-log line."""
    many = Generated(
        replace(SMALL, family=0.0, noise=0.0, norm_spread=0.0),
        n_concepts=1,
        n_kept=4000,
    )
    centred = many.kept - many.kept.mean(0)
    energies = torch.linalg.svdvals(centred).square()[:64]
    order = torch.arange(1, 65).double() + 1  # the first direction is the common one
    line = torch.stack([order.log(), torch.ones(64).double()], 1)
    slope = torch.linalg.lstsq(line, energies.log()[:, None]).solution[0]

    assert float(slope) == pytest.approx(-SMALL.decay, abs=0.1)


def test_the_same_profile_gives_the_same_problem(some):
    again = Generated(SMALL, n_concepts=40, n_kept=200)
    fewer = Generated(SMALL, n_concepts=8, n_kept=50)

    assert torch.equal(again.erased, some.erased)
    assert torch.equal(again.kept, some.kept)
    assert torch.equal(fewer.erased, some.erased[:8])


def test_weights_have_the_shapes_of_stable_diffusion():
    both = Generated(SMALL, 1, 1).weights(("to_k.weight", "to_v.weight"))
    values = Generated(SMALL, 1, 1).weights(("to_v.weight",))

    assert len(both) == 32
    assert len(values) == 16
    widths = [tensor.shape[0] for tensor in values.values()]
    assert {w: widths.count(w) for w in widths} == {320: 5, 640: 5, 1280: 6}
    assert sum(tensor.shape[0] for tensor in both.values()) == 24_960
    assert all(torch.equal(both[name], values[name]) for name in values)
    assert float(values[next(iter(values))].std()) == pytest.approx(0.03, rel=0.02)


def test_the_slow_way_is_the_same_edit(some):
    """Loops in float32 beside one solve in float64."""
    problem = some.problem(
        ("down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_v.weight",)
    )
    eraser = Uce(erase_scale=1.0, keep_scale=0.1)

    fast = edited(eraser, problem)
    slow = LITERALLY["uce"](
        problem, {k: v for k, v in eraser.settings.items() if isinstance(v, float)}
    )

    for name, old in problem.old.items():
        moved = fast[name] - old
        assert float((slow[name] - fast[name]).norm()) < 1e-3 * float(moved.norm())
    one, two = quality(problem, fast), quality(problem, slow)
    assert one == pytest.approx(two, rel=1e-3)


def test_quality_is_one_of_nothing_done_and_none_of_all(some):
    problem = some.problem(
        ("mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight",)
    )
    done = {
        name: old
        @ torch.linalg.lstsq(problem.pairs.erased, problem.pairs.goal).solution.T
        for name, old in problem.old.items()
    }

    nothing, everything = quality(problem, problem.old), quality(problem, done)

    assert nothing == pytest.approx({"gap": 1.0, "own": 1.0, "drift": 0.0})
    assert everything["gap"] == pytest.approx(0, abs=1e-9)
    assert everything["own"] == pytest.approx(0, abs=1e-9)
    assert everything["drift"] > 0.1


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("over", ["", "seconds", "work", "drift"])
def test_a_limit_holds_up_to_its_last_value_and_no_further(case, over):
    over = case.work if over == "work" else over
    slow = {"seconds": 100.0, "drift": 0.5}
    fast = {"seconds": case.most_seconds, case.work: MOST_LEFT, "drift": 0.5}
    fast |= {over: 1.01 * fast[over]} if over else {}

    found = held(case, fast, slow)

    assert {name for name, ok in found.items() if not ok} == ({over} if over else set())


@pytest.fixture(scope="module")
def rows():
    return {row["name"]: row for row in json.loads(RESULT.read_text())["rows"]}


def test_what_was_measured_holds_the_limits_of_today(rows):
    for case in (c for c in CASES if c.name in rows):
        row = rows[case.name]
        assert all(held(case, row["fast"], row["slow"]).values()), case.name


def test_it_was_measured_on_the_profile_and_the_settings_of_today(rows):
    assert json.loads(RESULT.read_text())["profile"] == asdict(Profile.read())
    for case in (c for c in CASES if c.name in rows):
        eraser = ERASERS[case.eraser].of(case.settings)
        assert rows[case.name]["settings"] == recorded(eraser)
