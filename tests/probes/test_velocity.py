"""Nats of a model that predicts a velocity, against what mathematics says."""

import math
from typing import Any

import pytest
import torch

from tests.probes.flow import Flow
from tests.probes.mixture import mixture
from tests.test_judges import STYLES
from unlearnlog.judges.base_judge import BaseJudge
from unlearnlog.models.interface import Text
from unlearnlog.models.noise_levels import NoiseLevels, counted, density, shares
from unlearnlog.probes.estimators import information
from unlearnlog.probes.information import N_LEVELS

MEANS = {"left": -1.5, "middle": 0.0, "right": 1.5}
SD = 0.4


def truth(means, sd):
    """Return the information of which part of a mixture a number is from, in nats."""
    x = torch.linspace(-12, 12, 40_001).double()
    parts = torch.stack([torch.exp(-(((x - m) / sd) ** 2) / 2) for m in means])
    parts = parts / (sd * math.sqrt(2 * math.pi) * len(means))
    ratio = torch.where(parts > 1e-300, parts * len(means) / parts.sum(0), 1.0)
    return float(torch.trapezoid((parts * ratio.log()).sum(0), x))


def estimated(model, n_levels=N_LEVELS, n=15_000):
    """Return both estimates of the mean information of a picture's own name."""
    rng = torch.Generator().manual_seed(2)
    style = torch.arange(n) % len(model.names)
    x0 = (model.means[style] + model.sd * torch.randn(n, generator=rng)).reshape(
        -1, 1, 1, 1
    )
    named = torch.eye(len(model.names))[style][:, None]
    levels = NoiseLevels.of(model, n_levels)

    def under(chance):
        return lambda x_t, t: model.eps(x_t, t, Text(chance))

    def bank():
        for step in levels.steps:
            t = torch.full((n,), step)
            noise = torch.randn(x0.shape, generator=rng)
            yield model.noised(x0, noise, t), t, noise

    plain = torch.full_like(named, 1 / len(model.names))
    return information(under(named), under(plain), bank(), levels)


@pytest.mark.parametrize("shift", [1.0, 3.0, 6.0])
def test_a_velocity_tells_the_nats_of_a_mixture_whatever_the_shift(shift):
    nats = estimated(Flow(MEANS, SD, shift))

    exact = truth(MEANS.values(), SD)
    assert exact == pytest.approx(0.9924, abs=1e-4)
    assert float(nats.difference.mean()) == pytest.approx(exact, rel=0.02)
    assert float(nats.two_loss.mean()) == pytest.approx(exact, rel=0.02)


@pytest.mark.parametrize(
    ("means", "sd"), [((-0.8, 0.0, 0.8), 0.15), ((-3.0, 0.0, 3.0), 1.0)]
)
def test_so_it_does_where_the_parts_are_narrow_or_wide(means, sd):
    """On the range of Stable Diffusion's schedule the wide ones lose 2.6 %."""
    model = Flow(dict(zip("abc", means, strict=True)), sd)

    nats = estimated(model, n=120_000)

    assert float(nats.difference.mean()) == pytest.approx(truth(means, sd), rel=0.02)


def test_a_model_of_noise_and_one_of_velocity_tell_the_same_nats():
    noise, velocity = mixture(MEANS, SD), Flow(MEANS, SD)
    noise.log_snr = velocity.log_snr

    one, other = estimated(noise), estimated(velocity)

    assert float(one.difference.mean()) == pytest.approx(
        float(other.difference.mean()), rel=0.02
    )
    assert float(one.two_loss.mean()) == pytest.approx(
        float(other.two_loss.mean()), rel=0.02
    )


def test_both_predict_the_same_noise_at_one_level():
    """x_t differs by a factor only, so the best guess of the noise does not."""
    noise, velocity = mixture(MEANS, SD), Flow(MEANS, SD)
    noise.log_snr = velocity.log_snr
    t = torch.tensor([3, 200, 500, 900])
    text = Text(torch.tensor([0.2, 0.5, 0.3]).expand(4, 1, 3))
    x0, e = torch.tensor([0.3, -1.0, 1.2, 2.0]), torch.tensor([0.5, -0.2, 1.0, -2.0])
    x0, e = x0.reshape(-1, 1, 1, 1), e.reshape(-1, 1, 1, 1)

    one = noise.eps(noise.noised(x0, e, t), t, text)
    other = velocity.eps(velocity.noised(x0, e, t), t, text)

    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


def test_guidance_baked_into_a_velocity_is_caught_by_the_two_losses():
    """Such a model is no posterior mean: its difference form says far too much."""

    class Guided(Flow):
        def velocity(self, x_t, t, text):
            plain = Text(torch.full_like(text.tokens, 1 / 3))
            named, free = (
                super().velocity(x_t, t, text),
                super().velocity(x_t, t, plain),
            )
            return free + 3.5 * (named - free)

    nats = estimated(Guided(MEANS, SD), n=5000)

    assert float(nats.difference.mean()) > 5
    assert float(nats.two_loss.mean()) < 0


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_a_mean_weighed_by_its_density_is_the_integral(shift):
    model = Flow(MEANS, SD, shift)
    low, high = counted(model)

    weights = density(model)
    errors = torch.exp(-((model.log_snr - 1) / 3).square())

    x = torch.linspace(low, high, 10_001)
    exact = float(torch.exp(-((x - 1) / 3).square()).mean())
    assert float((weights * errors).mean()) == pytest.approx(exact, rel=0.02)
    assert (low, high) == (-7, 9)


def test_the_density_of_a_shifted_schedule_is_that_of_its_own_noise():
    """Weights are 1 / (t (1 - t)) in the shifted t, times how densely t lies."""
    model = Flow(MEANS, SD, 3.0)
    t = model.sigmas[100:900]

    weights = density(model)[100:900]

    steps = (model.sigmas[101:901] - model.sigmas[99:899]) / 2
    wanted = (steps / (t * (1 - t))).float()
    ratio = weights / wanted
    assert float(ratio.max() / ratio.min()) == pytest.approx(1, rel=2e-3)


def test_the_shares_of_a_velocity_add_up_and_of_noise_their_squares():
    t = torch.tensor([0, 250, 999])

    kept, lost = shares(Flow(MEANS, SD), t)
    signal, noise = shares(mixture(MEANS), torch.tensor([0, 99, 399]))

    assert (kept + lost).tolist() == pytest.approx([1, 1, 1])
    assert lost.tolist() == pytest.approx([0.001, 0.251, 1.0], abs=1e-6)
    assert (signal**2 + noise**2).tolist() == pytest.approx([1, 1, 1])


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_the_base_judges_at_the_same_noise_whatever_the_shift(shift):
    model: Any = Flow({"left": -1.5, "right": 1.5}, SD, shift)
    judge = BaseJudge(model, STYLES)

    rounds = judge._bank(torch.zeros(2, 1, 1, 1))

    levels = sorted(level for noises in rounds for _, level in noises)
    places = model.log_snr[levels]
    assert len(levels) == 12
    assert float(places[0]) == pytest.approx(1.6, abs=0.02)
    assert float(places[-1]) == pytest.approx(-2.8, abs=0.02)
