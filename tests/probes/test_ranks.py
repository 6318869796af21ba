import math

import numpy as np
import pytest
from scipy.stats import spearmanr

from unlearnlog.probes.rank_correlation import _spearman, rank_correlation


@pytest.mark.parametrize("n_different", [3, 10, 1000])
def test_the_correlation_is_spearman_s_also_where_values_are_tied(n_different):
    rng = np.random.default_rng(0)
    a = rng.integers(0, n_different, 40).astype(float)
    b = a + rng.integers(0, n_different, 40)

    estimate = rank_correlation(list(a), list(b))

    assert estimate.value == pytest.approx(spearmanr(a, b).statistic, abs=1e-12)
    assert estimate.low <= estimate.value <= estimate.high
    assert estimate.n == 40


def test_rows_that_are_drawn_often_count_as_that_many_rows():
    rng = np.random.default_rng(1)
    a, b = list(rng.integers(0, 9, 20)), list(rng.integers(0, 9, 20))
    counts = rng.multinomial(20, np.full(20, 1 / 20), size=6)

    fast = _spearman(a, b, counts.astype(float))

    slow = [spearmanr(np.repeat(a, row), np.repeat(b, row)).statistic for row in counts]
    assert list(fast) == pytest.approx(slow, abs=1e-12)


@pytest.mark.parametrize(
    "strength",
    [
        0.5,
        pytest.param(0.0, marks=pytest.mark.slow),
        pytest.param(0.9, marks=pytest.mark.slow),
    ],
)
def test_the_interval_of_a_rank_correlation_covers_the_truth(strength):
    rng = np.random.default_rng(7)
    truth = 6 / math.pi * math.asin(strength / 2)  # of two normals correlated so
    inside = 0
    for _ in range(500):
        a = rng.normal(size=50)
        b = strength * a + math.sqrt(1 - strength**2) * rng.normal(size=50)
        found = rank_correlation(list(a), list(b), draws=300)
        inside += found.low <= truth <= found.high

    assert 0.93 <= inside / 500 <= 0.97


def test_rows_that_belong_together_widen_the_interval():
    """Six measurements of one concept once counted as six concepts."""
    rng = np.random.default_rng(3)
    of = np.repeat(np.arange(12), 6)
    a = rng.normal(size=12)[of] + 0.1 * rng.normal(size=72)
    b = a + rng.normal(size=12)[of]

    alone = rank_correlation(list(a), list(b))
    together = rank_correlation(list(a), list(b), clusters=[str(i) for i in of])

    assert together.value == alone.value
    assert together.high - together.low > 1.5 * (alone.high - alone.low)


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        ([1.0, 2.0], [1.0], "columns of 2 and 1 values"),
        ([1.0, 1.0], [1.0, 2.0], "1 and 2 of them different"),
        ([], [], "columns of 0 and 0 values"),
    ],
)
def test_columns_without_ranks_have_no_correlation(a, b, said):
    with pytest.raises(ValueError, match=said):
        rank_correlation(a, b)
