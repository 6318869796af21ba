import numpy as np
import pytest
import torch

from unlearnlog.probes.distance import distances, frechet, kernel_distance

RNG = torch.Generator().manual_seed(3)
ONE = torch.randn(40, 5, generator=RNG)
OTHER = ONE + 0.3 * torch.randn(40, 5, generator=RNG) + 0.5


def test_the_frechet_distance_of_two_gaussians_is_the_known_one():
    """Means 3 apart; covariances diag(4, 1) and diag(1, 9): 9 + (2-1)^2 + (1-3)^2."""
    n = 4000
    corners = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    unit = corners.repeat(n // 4, 1) * ((n - 1) / n) ** 0.5
    first = unit * torch.tensor([2.0, 1.0])
    second = unit * torch.tensor([1.0, 3.0]) + torch.tensor([3.0, 0.0])

    assert frechet(first, second) == pytest.approx(9 + 1 + 4, rel=1e-6)


def test_the_frechet_distance_is_the_formula_with_a_plain_matrix_root():
    first, second = ONE.double().numpy(), OTHER.double().numpy()
    c1, c2 = np.cov(first.T), np.cov(second.T)
    values, vectors = np.linalg.eig(c1 @ c2)
    root = vectors @ np.diag(np.sqrt(values.astype(complex))) @ np.linalg.inv(vectors)
    gap = first.mean(0) - second.mean(0)
    expected = gap @ gap + np.trace(c1 + c2 - 2 * root.real)

    assert frechet(ONE, OTHER) == pytest.approx(expected, rel=1e-9)
    assert frechet(ONE, ONE) == pytest.approx(0, abs=1e-9)


def test_kid_is_the_u_statistic_written_term_by_term():
    one, other = ONE[:12].double(), OTHER[:12].double()

    def k(x, y):
        return float((x @ y / 5 + 1) ** 3)

    pairs = [(i, j) for i in range(12) for j in range(12) if i != j]
    expected = sum(
        k(one[i], one[j])
        + k(other[i], other[j])
        - k(one[i], other[j])
        - k(one[j], other[i])
        for i, j in pairs
    ) / len(pairs)

    assert kernel_distance(one, other) == pytest.approx(expected, rel=1e-12)


def test_a_set_that_moved_is_farther_than_chance_and_says_how_sure_it_is():
    again = torch.randn(40, 5, generator=RNG)

    found = {r.probe: r for r in distances(ONE, OTHER, again)}

    assert set(found) == {"fd", "kid"}
    for each in found.values():
        assert each.n == 40
        assert each.unit == "distance"
        assert each.low < each.value < each.high
        assert each.base is not None
        assert each.low > each.base


def test_what_did_not_move_is_nearer_than_chance():
    again = torch.randn(40, 5, generator=RNG)

    fd, kid = distances(ONE, ONE, again)

    assert fd.value == pytest.approx(0, abs=1e-8)
    assert kid.value == pytest.approx(0, abs=1e-8)
