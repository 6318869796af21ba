import math

import pytest
import torch

from tests.probes.mixture import mixture
from unlearnlog.models.interface import Text
from unlearnlog.models.noise_levels import HIGHEST, LOWEST, NoiseLevels, density

TRUE_NATS = 0.63272
"""Between two Gaussians at +-1.2 with sd 0.6 and which of them it was."""


def information(model, levels, n=20_000):
    """Average i(x; style) over x of every style, as the probes estimate it."""
    rng = torch.Generator().manual_seed(1)
    k = len(model.names)
    style = torch.arange(n) % k
    x0 = model.means[style] + model.sd * torch.randn(n, generator=rng)
    x0 = x0.reshape(-1, 1, 1, 1)
    named = torch.eye(k)[style][:, None]
    text, nobody = Text(named), Text(torch.full_like(named, 1 / k))
    errors = []
    for step in levels.steps:
        t = torch.full((n,), step)
        noise = torch.randn(x0.shape, generator=rng)
        x_t = model.noised(x0, noise, t)
        plain = model.eps(x_t, t, nobody)
        errors.append((model.eps(x_t, t, text) - plain).flatten().square())
    return float(levels.integral(torch.stack(errors, 1)).mean())


@pytest.mark.parametrize("n_levels", [10, 24])
def test_two_gaussians_share_the_nats_that_mathematics_says(n_levels):
    model = mixture({"left": -1.2, "right": 1.2})
    levels = NoiseLevels.of(model, n_levels)

    nats = information(model, levels)

    assert nats == pytest.approx(TRUE_NATS, rel=0.02)


def test_a_name_never_says_more_than_the_logarithm_of_how_many_there_are():
    means = {f"style-{i}": 4.0 * i / 15 - 2 for i in range(16)}
    model = mixture(means, sd=0.03)
    levels = NoiseLevels.of(model, 30)

    nats = information(model, levels, n=3200)

    assert 0.8 * math.log(16) < nats < 1.02 * math.log(16)


def test_styles_that_are_one_and_the_same_share_nothing():
    model = mixture({"left": 0.5, "right": 0.5})

    nats = information(model, NoiseLevels.of(model, 10), n=100)

    assert nats == pytest.approx(0, abs=1e-9)


def test_levels_go_from_much_noise_to_little_within_the_bounds():
    model = mixture({"left": -1.0, "right": 1.0})

    levels = NoiseLevels.of(model, 10)

    places = model.log_snr[list(levels.steps)]
    assert len(levels.steps) == 10
    assert (places.diff() > 0).all()
    assert places[0] == pytest.approx(LOWEST, abs=0.05)
    assert places[-1] == pytest.approx(HIGHEST, abs=0.05)


def test_the_widths_integrate_a_constant_and_a_line_exactly():
    model = mixture({"left": -1.0, "right": 1.0})
    levels = NoiseLevels.of(model, 7)
    places = model.log_snr[list(levels.steps)]

    both = levels.integral(torch.stack([torch.ones(7), places]))

    low, high = float(places[0]), float(places[-1])
    line = (high**2 - low**2) / 4
    assert both.tolist() == pytest.approx([(high - low) / 2, line], rel=1e-5)


def test_a_model_trained_on_less_is_integrated_over_what_it_knows():
    model = mixture({"left": -1.0, "right": 1.0})
    model.log_snr = torch.linspace(2.0, -1.0, 50)

    levels = NoiseLevels.of(model, 5)

    assert levels.steps == (49, 37, 24, 12, 0)
    assert sum(levels.widths) == pytest.approx(3.0)


def test_levels_that_fall_on_one_timestep_count_once():
    model = mixture({"left": -1.0, "right": 1.0})
    model.log_snr = torch.tensor([1.0, 0.0, -1.0])

    levels = NoiseLevels.of(model, 30)

    assert levels.steps == (2, 1, 0)
    assert levels.widths == (0.5, 1.0, 0.5)


def test_one_level_is_no_integral():
    model = mixture({"left": -1.0, "right": 1.0})

    with pytest.raises(ValueError, match="at least 2 noise levels, not 1"):
        NoiseLevels.of(model, 1)


def test_a_mean_over_timesteps_weighed_by_their_density_is_the_integral():
    model = mixture({"left": -1.2, "right": 1.2})
    weights = density(model)
    inside = (model.log_snr >= LOWEST) & (model.log_snr <= HIGHEST)

    errors = (model.log_snr + 7).square()  # any smooth function of the level
    mean = float((weights * errors).mean())

    exact = ((HIGHEST + 7) ** 3 - (LOWEST + 7) ** 3) / 3 / (HIGHEST - LOWEST)
    assert mean == pytest.approx(exact, rel=0.01)
    assert float(weights.mean()) == pytest.approx(1)
    assert not weights[~inside].any()
