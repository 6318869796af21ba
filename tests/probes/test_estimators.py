"""The estimators on distributions whose information is known, to within 2 %.

They are given the best denoiser there is, so what is left is the integral's own error:
10 levels and more do, and what lies beyond the bounds of the integral is some 0.8 %.
The two-loss form needs 20,000 and more samples for its noise to be below 1 %.
"""

import math

import pytest
import torch

from tests.probes.exact import Gaussians, Levels, bank
from unlearnlog.probes.estimators import (
    difference_map,
    distances,
    doubt,
    information,
    losses,
)

WITHIN = 0.02


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("n_levels", [10, 24])
def test_two_gaussians_say_the_known_nats_by_either_estimate(rng, n_levels):
    levels = Levels.of(n_levels)
    left, right = (Gaussians.of([[mean]], 0.6) for mean in (-1.2, 1.2))
    any_of_them = Gaussians.of([[-1.2], [1.2]], 0.6)

    found = [
        information(
            each, any_of_them, bank(each.sampled(20_000, rng), levels, rng), levels
        )
        for each in (left, right)
    ]

    truth = 0.63272
    difference = torch.cat([each.difference for each in found]).mean()
    two_loss = torch.cat([each.two_loss for each in found]).mean()
    assert float(difference) == pytest.approx(truth, rel=WITHIN)
    assert float(two_loss) == pytest.approx(truth, rel=WITHIN)
    assert float(torch.cat([each.gap for each in found]).mean()) == pytest.approx(
        float(two_loss - difference)
    )


def test_sixteen_correlated_dimensions_say_the_known_nats(rng):
    """x = rho c + noise in each: -1/2 sum log(1 - rho^2) nats, whatever the scale."""
    n, levels = 20_000, Levels.of(16)
    rho = torch.linspace(0.2, 0.9, 16, dtype=torch.float64)
    of_code = rho * torch.randn(n, 16, generator=rng, dtype=torch.float64)
    rest = (1 - rho**2).sqrt()
    x = of_code + rest * torch.randn(n, 16, generator=rng, dtype=torch.float64)

    found = information(
        Gaussians.of(of_code[:, None], rest),
        Gaussians.of(torch.zeros(1, 16), 1.0),
        bank(x, levels, rng),
        levels,
    )

    truth = float(-0.5 * (1 - rho**2).log().sum())  # 4.166
    assert float(found.difference.mean()) == pytest.approx(truth, rel=WITHIN)
    assert float(found.two_loss.mean()) == pytest.approx(truth, rel=WITHIN)


STYLES = {
    "Picasso": (1.2, 0.5),
    "Braque": (1.0, -0.7),
    "Monet": (-1.6, 0.4),
    "Warhol": (-0.4, -2.2),
    "Rembrandt": (-0.9, 2.1),
}
"""Means of five artists in two dimensions; the first two are one movement."""

SD = 0.6


class Truth:
    """The same mixture on a grid, where every integral is a sum."""

    axis = torch.linspace(-6, 6, 401, dtype=torch.float64)
    points = torch.cartesian_prod(axis, axis)
    area = float((axis[1] - axis[0]) ** 2)
    artists = tuple(Gaussians.of([mean], SD) for mean in STYLES.values())
    movement = Gaussians.of(list(STYLES.values())[:2], SD)
    anyone = Gaussians.of(list(STYLES.values()), SD)

    @classmethod
    def mean(cls, of, above, below):
        """Return E[log above(x) / below(x)] over ``of``, in nats."""
        logs = [each.log_prob(cls.points) for each in (of, above, below)]
        return float((logs[0].exp() * (logs[1] - logs[2])).sum()) * cls.area

    @classmethod
    def edge(cls, one, other):
        """Return 1 - JS / log 2 of two artists."""
        a, b = cls.artists[one], cls.artists[other]
        middle = Gaussians.of(torch.cat([a.means, b.means]), SD)
        js = (cls.mean(a, a, middle) + cls.mean(b, b, middle)) / 2
        return 1 - js / math.log(2)


def test_the_chain_rule_holds_for_an_artist_of_a_movement_of_two(rng):
    """With few levels what all share is cut off at the noisy end: 24 are within 2 %."""
    levels, n = Levels.of(24), 100_000
    picasso = Truth.artists[0]

    anyone, movement, artist = losses(
        [Truth.anyone, Truth.movement, picasso],
        bank(picasso.sampled(n, rng), levels, rng),
        levels,
    )

    shared, unique = anyone - movement, movement - artist
    true_shared = Truth.mean(picasso, Truth.movement, Truth.anyone)  # 0.866
    true_unique = Truth.mean(picasso, picasso, Truth.movement)  # 0.343
    assert float(shared.mean()) == pytest.approx(true_shared, rel=WITHIN)
    assert float(unique.mean()) == pytest.approx(true_unique, rel=WITHIN)
    assert float((anyone - artist).mean()) == pytest.approx(
        Truth.mean(picasso, picasso, Truth.anyone), rel=WITHIN
    )


def test_the_two_loss_estimate_is_of_each_picture_s_own_likelihood(rng):
    """Averaged over noise it is log p(x|c) / p(x), below 0 where c explains x worse.

    The difference form has no such meaning for a prompt that is not the picture's: it
    calls the worst one the most informative.
    """
    x = torch.tensor([[1.2, 0.5]], dtype=torch.float64)  # Picasso's own mean
    levels, n = Levels.of(24), 40_000
    strange = Truth.artists[3]

    found = information(
        strange, Truth.anyone, bank(x.expand(n, 2), levels, rng), levels
    )

    truth = float(strange.log_prob(x) - Truth.anyone.log_prob(x))  # -11.0
    assert truth < -5
    assert float(found.two_loss.mean()) == pytest.approx(truth, rel=WITHIN)
    assert float(found.difference.mean()) > 5


def test_the_edge_of_two_artists_is_the_known_one_with_many_levels(rng):
    levels, n = Levels.of(96), 10_000
    edges = []
    for other in (1, 3):
        parts = []
        for of in (0, other):
            pictures = bank(Truth.artists[of].sampled(n, rng), levels, rng)
            pair = [Truth.artists[0], Truth.artists[other]]
            parts.append(doubt(*losses(pair, pictures, levels)))
        edges.append(float(torch.cat(parts).mean()))

    assert edges[0] == pytest.approx(Truth.edge(0, 1), rel=WITHIN)  # 0.505
    assert edges[1] == pytest.approx(Truth.edge(0, 3), abs=0.005)  # 0.018


def test_one_and_the_same_is_near_and_strangers_are_not():
    known = torch.tensor([0.0, 3.0], dtype=torch.float64)

    assert doubt(known, known).tolist() == [1.0, 1.0]
    assert doubt(known, known + 2000).tolist() == [0.0, 0.0]
    assert doubt(known, known - 2000).tolist() == [0.0, 0.0]
    assert float(doubt(known, known + math.log(3))[0]) == pytest.approx(0.8112781)


class Wide:
    """A denoiser of latents of several channels and pixels, with no formula to it."""

    def __init__(self, slope):
        self.slope = slope

    def __call__(self, x_t, t):
        place = torch.arange(x_t[0].numel()).reshape(x_t.shape[1:])
        return torch.sin(self.slope * x_t + place) * (t[:, None, None, None] / 1000)


def wide_bank(levels, rng, n=3):
    for step in levels.steps:
        x_t, noise = torch.randn(2, n, 4, 5, 6, generator=rng)
        yield x_t, torch.full((n,), step), noise


def test_a_map_sums_to_the_picture_s_nats(rng):
    levels = Levels.of(8)
    pictures = list(wide_bank(levels, rng))

    nats_map = difference_map(Wide(1.0), Wide(2.0), pictures, levels)

    nats = information(Wide(1.0), Wide(2.0), pictures, levels).difference
    assert nats_map.shape == (3, 5, 6)
    assert torch.allclose(nats_map.sum((1, 2)), nats, rtol=0, atol=1e-5)
    assert (nats_map >= 0).all()
    assert float(nats_map.std()) > 0


def test_the_two_loss_estimate_is_a_difference_of_losses(rng):
    levels = Levels.of(8)
    pictures = list(wide_bank(levels, rng))

    named, plain = losses([Wide(1.0), Wide(2.0)], pictures, levels)

    two_loss = information(Wide(1.0), Wide(2.0), pictures, levels).two_loss
    assert torch.allclose(plain - named, two_loss, rtol=0, atol=1e-4)


def test_distances_are_those_of_the_difference_form(rng):
    levels = Levels.of(8)
    pictures = list(wide_bank(levels, rng))

    found = distances([Wide(1.0), Wide(2.0)], Wide(2.0), pictures, levels)

    nats = information(Wide(1.0), Wide(2.0), pictures, levels).difference
    assert torch.equal(found[0], nats)
    assert found[1].tolist() == [0.0] * 3
