"""How far concepts have moved, against the same written the slow way."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.erasers.test_places import ENTRY, JOINT, POOLED, JointModel
from tests.fakes import NAME, LinearModel
from unlearnlog.core.probe_case import ProbeCase
from unlearnlog.core.reading import Reading
from unlearnlog.models.base_weights import BaseWeights
from unlearnlog.models.interface import Sampling
from unlearnlog.probes.tiers import agreement, displacement, nats_moved

ASKED = {
    "Monet": (
        ProbeCase("a cat by Monet", 0, "cat", "Monet"),
        ProbeCase("a dog by Monet", 1, "dog", "Monet"),
    ),
    "cat": (ProbeCase("a cat", 2, "cat", "photo"),),
}


@pytest.fixture
def model():
    return LinearModel()


@pytest.fixture
def new(model):
    rng = torch.Generator().manual_seed(3)
    change = torch.randn(model.base[NAME].shape, generator=rng)
    return {NAME: model.base[NAME].float() + 0.1 * change}


def test_displacement_is_the_moved_part_of_keys_and_values(model, new):
    found = {r.concept: r for r in displacement(model, ASKED, new, {"Monet"})}

    for name, cells in ASKED.items():
        shares = []
        for cell in cells:
            tokens = model.encode([cell.prompt]).tokens[0].double()
            old = torch.stack([model.base[NAME].double() @ e for e in tokens])
            now = torch.stack([new[NAME].double() @ e for e in tokens])
            shares.append(float((now - old).norm() / old.norm()))
        assert found[name].value == pytest.approx(sum(shares) / len(shares), rel=1e-9)
        assert found[name].n == len(cells)
    assert found["Monet"].better == "none"
    assert found["cat"].better == "lower"


def test_what_did_not_change_did_not_move(model):
    same = {NAME: model.base[NAME]}

    assert [r.value for r in displacement(model, ASKED, same, ())] == [0.0, 0.0]


def test_nats_are_those_of_each_concepts_own_pictures(model, new):
    cells = [cell for each in ASKED.values() for cell in each]
    painted = model.paint(
        [c.prompt for c in cells],
        [c.seed for c in cells],
        sampling=Sampling(steps=1, guidance=1.0),
    ).latents

    together = list(nats_moved(model, ASKED, painted, (new, ())))
    alone = list(nats_moved(model, {"cat": ASKED["cat"]}, painted[2:], (new, ())))

    assert [r.concept for r in together] == ["Monet", "cat"]
    assert together[1].value == pytest.approx(alone[0].value, rel=1e-5)
    assert together[0].value > 0
    assert together[0].unit == "nats"


def read(probe, concept, value, base=None):
    return Reading(
        probe=probe,
        concept=concept,
        value=value,
        unit="share",
        n=8,
        low=value,
        high=value,
        better="lower",
        base=base,
    )


def test_a_tier_that_orders_concepts_as_the_next_one_does_agrees_with_it():
    names = [f"style {i}" for i in range(6)]
    readings = [read("moved", n, 0.1 * i) for i, n in enumerate(names)]
    readings += [read("moved.nats", n, 0.1 * i) for i, n in enumerate(names)]
    readings += [read("presence", n, 0.1 * i, 1.0) for i, n in enumerate(names)]

    found = {r.probe: r for r in agreement(readings, ())}

    assert found["tiers.0-1"].value == pytest.approx(1)
    assert found["tiers.1-2"].value == pytest.approx(-1)  # those that moved more stayed
    assert found["tiers.0-2"].n == 6


def test_what_is_erased_and_what_nobody_hurt_tell_nothing():
    names = [f"style {i}" for i in range(6)]
    readings = [read("moved", n, 0.1 * i) for i, n in enumerate(names)]
    readings += [read("presence", n, 1.0, 1.0) for n in names]

    assert not list(agreement(readings, ()))
    readings += [read("moved.nats", n, 0.1 * i) for i, n in enumerate(names)]
    assert not list(agreement(readings, names[:4]))


def test_each_place_is_measured_on_what_it_reads():
    """Widths of an entry, a pooled vector and joint attention are not the same."""
    model: Any = JointModel()
    new = {n: w + 0.1 for n, w in model.base.items()}
    new[JOINT] = model.base[JOINT]
    text = model.encode(["a cat"])
    moved = whole = 0.0
    for name, place in ((ENTRY, "entry"), (POOLED, "pooled")):
        rows, base = model.read_by(text, place)[0].double(), model.base[name].double()
        moved += float((rows @ (new[name].double() - base).T).square().sum())
        whole += float((rows @ base.T).square().sum())

    (found,) = displacement(model, {"cat": ASKED["cat"]}, new, ())

    assert found.value == pytest.approx((moved / whole) ** 0.5, rel=1e-6)


def test_where_joint_attention_changed_nothing_is_read_of_weights():
    model: Any = JointModel()
    new = {**model.base, JOINT: model.base[JOINT] + 1}

    assert [*displacement(model, ASKED, new, ())] == []


def test_where_another_tensor_changed_nothing_is_read_of_weights():
    """An imported change of convolutions alone was said to move nothing."""
    model: Any = JointModel()
    own, beyond = dict(model.base), "transformer.proj_out.weight"
    model.base = BaseWeights(own, {beyond: torch.ones(2, 2)})

    changed = {**own, beyond: torch.zeros(2, 2)}
    same = {**own, beyond: torch.ones(2, 2)}

    assert [*displacement(model, ASKED, changed, ())] == []
    assert len([*displacement(model, ASKED, same, ())]) == len(ASKED)
