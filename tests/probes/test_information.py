from typing import Any, ClassVar

import pytest
import torch

from tests.probes.evidences import by_name
from tests.probes.mixture import SHARE, Mixture, mixture
from unlearnlog.core.concept import Concept
from unlearnlog.core.probe_case import ProbeCase
from unlearnlog.core.prompt import Prompt
from unlearnlog.models.interface import Sampling
from unlearnlog.probes.information import (
    PromptedPictures,
    avoidance,
    bound_information,
    drift,
    information_map,
    self_information,
)

LEFT = Concept("left", "style")
DEAF = {SHARE: torch.zeros(())}
HALF = {SHARE: torch.tensor(0.5)}
SAMPLING = Sampling(steps=1, guidance=1.0)


@pytest.fixture
def model():
    return mixture({"left": -1.2, "right": 1.2})


def cells(n, style="left"):
    return tuple(
        ProbeCase(f"cat-{i % 8} by {style}", i, f"cat-{i % 8}", style) for i in range(n)
    )


def painted(model, cells, weights=None):
    prompts, seeds = [c.prompt for c in cells], [c.seed for c in cells]
    made = model.paint(prompts, seeds, sampling=SAMPLING, weights=weights)
    return PromptedPictures.of(cells, made, range(len(cells)))


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


def test_the_honest_estimate_stands_beside_the_one_that_is_never_negative(model):
    found = self_mi(model, HALF, n=600)

    honest, other, gap = (
        found[name] for name in ("self-mi.two-loss", "self-mi", "self-mi.gap")
    )
    assert honest.value == pytest.approx(other.value + gap.value)
    assert honest.base == pytest.approx(0.63272, rel=0.1)
    assert honest.low < honest.value < honest.high
    assert (honest.unit, honest.better, honest.n) == ("nats", "lower", 600)


class Liar(Mixture):
    """With other weights than its own a prompt for the left means the right."""

    def _heard(self, text, weights):
        heard = super()._heard(text, weights)
        return heard if weights is None else heard.flip(1)


def test_the_honest_estimate_is_below_zero_where_a_prompt_explains_its_pictures_worse():
    """The difference form calls the same prompt very informative."""
    model: Any = Liar({"left": -1.2, "right": 1.2})
    asked = cells(60)
    left = painted(model, asked)

    found = {
        reading.probe: reading.value
        for reading in self_information(
            model,
            LEFT,
            prompts=[Prompt(c.prompt, c.subject, "") for c in asked],
            before=left,
            after=(left, model.base),
        )
    }

    assert found["self-mi.two-loss"] < -1
    assert found["self-mi"] > 1


def avoided(model, weights, n=400):
    before = painted(model, cells(n))
    return {
        reading.probe: reading
        for reading in avoidance(model, LEFT, before=before, weights=weights)
    }


def test_nothing_is_avoided_or_damaged_where_nothing_changed(model):
    found = avoided(model, model.base)

    gain, shift = found["gain"], found["shift"]
    assert gain.low < 0.63272 < gain.high
    assert gain.value == pytest.approx(gain.base, rel=1e-12)
    assert (shift.low, shift.value, shift.high, shift.base) == (0.0, 0.0, 0.0, 0.0)
    assert {(each.unit, each.n, each.better) for each in found.values()} == {
        ("nats", 400, "lower")
    }


def test_a_model_that_ignores_the_name_avoids_it_and_knows_as_much(model):
    found = avoided(model, DEAF)

    assert found["gain"].value == pytest.approx(0, abs=1e-6)
    assert found["gain"].base > 0.4
    assert found["shift"].value == pytest.approx(0, abs=1e-6)


class Damaged(Mixture):
    """Its other weights see noise that is not there, whatever the prompt says."""

    def eps(self, x_t, t, text, *, weights=None):
        wrong = 0.0 if weights is None else torch.sin(400 * x_t)
        return super().eps(x_t, t, text, weights=weights) + wrong


def test_a_model_that_is_damaged_shifts_although_the_name_still_helps():
    model: Any = Damaged({"left": -1.2, "right": 1.2})

    found = avoided(model, model.base)

    # 1/2 Int E sin^2 over the 12 that the log SNR goes through.
    assert found["shift"].value == pytest.approx(3.0, rel=0.15)
    assert found["shift"].low > 2.0
    assert found["gain"].value == pytest.approx(found["gain"].base, abs=0.3)


def test_a_map_sums_to_the_nats_of_its_picture(model):
    asked = cells(5)
    pictures = painted(model, asked)
    prompts = [Prompt(c.prompt, c.subject, "") for c in asked]

    nats_map = information_map(model, prompts, pictures)

    found = self_mi(model, model.base, n=5)["self-mi"]
    assert nats_map.shape == (5, 1, 1)
    assert float(nats_map.sum((1, 2)).mean()) == pytest.approx(found.value, abs=1e-5)


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
    one = PromptedPictures(many.cells[4:5], many.latents[4:5])
    alone = by_name(drift(model, one, HALF))["drift", "(kept)"].value

    others = [
        PromptedPictures(many.cells[i : i + 1], many.latents[i : i + 1])
        for i in range(6)
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
