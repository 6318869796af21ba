from typing import Any, ClassVar

import pytest
import torch

from tests.probes.evidences import by_name
from tests.probes.mixture import SHARE, Mixture, mixture
from unlearnlog.cell import Cell
from unlearnlog.concept import Concept
from unlearnlog.model.protocol import Sampling
from unlearnlog.probes.information import (
    Pictures,
    bound_information,
    drift,
    self_information,
)
from unlearnlog.prompt import Prompt

LEFT = Concept("left", "style")
DEAF = {SHARE: torch.zeros(())}
HALF = {SHARE: torch.tensor(0.5)}
SAMPLING = Sampling(steps=1, guidance=1.0)


@pytest.fixture
def model():
    return mixture({"left": -1.2, "right": 1.2})


def cells(n, style="left"):
    return tuple(
        Cell(f"cat-{i % 8} by {style}", i, f"cat-{i % 8}", style) for i in range(n)
    )


def painted(model, cells, weights=None):
    prompts, seeds = [c.prompt for c in cells], [c.seed for c in cells]
    made = model.paint(prompts, seeds, sampling=SAMPLING, weights=weights)
    return Pictures.of(cells, made, range(len(cells)))


def self_mi(model, weights, n=600):
    asked = cells(n)
    prompts = [Prompt(c.prompt, c.subject, "a photo") for c in asked]
    after = painted(model, asked, weights)
    found = self_information(
        model,
        LEFT,
        prompts=prompts,
        before=painted(model, asked),
        after=(after, weights),
    )
    return {reading.probe: reading for reading in found}


def test_a_model_that_nothing_changed_still_says_all_its_nats(model):
    found = self_mi(model, model.base)

    nats, gap = found["self-mi"], found["self-mi.gap"]
    assert nats.value == pytest.approx(0.63272, rel=0.05)
    assert nats.base == pytest.approx(nats.value)
    assert nats.low < 0.63272 < nats.high
    assert gap.value == pytest.approx(0, abs=0.05)
    assert (nats.unit, nats.better, gap.better) == ("nats", "lower", "none")
    assert (nats.concept, nats.n) == ("left", 600)


def test_a_model_that_ignores_the_name_says_nothing(model):
    nats = self_mi(model, DEAF, n=40)["self-mi"]

    assert nats.value == pytest.approx(0, abs=1e-9)
    assert nats.base == pytest.approx(0.63272, rel=0.3)


def test_half_an_erasure_leaves_a_part_of_the_nats(model):
    found = self_mi(model, HALF, n=200)["self-mi"]

    assert 0.05 < found.value < 0.5 < found.base


def test_nothing_drifts_where_nothing_changed(model):
    kept = painted(model, cells(12, "right"))

    found = by_name(drift(model, kept, model.base))

    assert {each.value for each in found.values()} == {0.0}


def test_kept_prompts_drift_and_the_empty_one_does_not_when_names_go_unheard(model):
    kept = painted(model, cells(200, "right"))

    found = by_name(drift(model, kept, DEAF))

    named, empty = found["drift", "(kept)"], found["drift", "(empty prompt)"]
    assert named.value == pytest.approx(0.63272, rel=0.15)
    assert empty.value == pytest.approx(0, abs=1e-9)
    assert (named.n, named.unit, named.base) == (200, "nats", 0.0)


def test_a_picture_s_nats_do_not_depend_on_which_others_are_measured(model):
    """The noise of a picture once followed its place in the list."""
    many = painted(model, cells(6, "right"))
    one = Pictures(many.cells[4:5], many.latents[4:5])
    alone = by_name(drift(model, one, HALF))["drift", "(kept)"].value

    others = [
        Pictures(many.cells[i : i + 1], many.latents[i : i + 1]) for i in range(6)
    ]
    values = [by_name(drift(model, o, HALF))["drift", "(kept)"].value for o in others]

    together = by_name(drift(model, many, HALF))["drift", "(kept)"].value
    assert values[4] == alone
    assert together == pytest.approx(sum(values) / 6)


class Listening(Mixture):
    """Notes in which of torch's modes it was asked."""

    modes: ClassVar[set[tuple[bool, bool]]] = set()

    def eps(self, x_t, t, text, *, weights=None):
        self.modes.add((torch.is_grad_enabled(), torch.is_inference_mode_enabled()))
        return super().eps(x_t, t, text, weights=weights)


def test_measuring_records_no_gradients_and_leaves_tensors_that_training_can_use():
    """Texts encoded in inference mode stay in a model's cache, useless for training."""
    model: Any = Listening({"left": -1.2, "right": 1.2})

    self_mi(model, DEAF, n=3)
    drift(model, painted(model, cells(3, "right")), DEAF)

    assert model.modes == {(False, False)}


def bound(model, weights, n=80):
    asked = cells(n)
    texts = [(c.prompt, c.subject) for c in asked]
    before = painted(model, asked)
    (found,) = bound_information(
        model, LEFT, texts=texts, before=before, weights=weights
    )
    return found


def test_an_erasure_that_reaches_its_target_leaves_no_nats_to_it(model):
    found = bound(model, DEAF)

    assert found.value == pytest.approx(0, abs=1e-9)
    assert found.base > 0.1


def test_no_erasure_leaves_every_nat_to_the_target(model):
    found = bound(model, model.base)

    assert found.value == pytest.approx(found.base)
