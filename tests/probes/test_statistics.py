import numpy as np
import pytest
from scipy.stats import binomtest, t

from unlearnlog.probes.statistics import (
    Z,
    _widening,
    clustered_mean,
    clustered_share,
    jackknife,
    share,
)


@pytest.mark.parametrize(
    ("hits", "n"), [(0, 1), (1, 1), (0, 50), (50, 50), (3, 96), (47, 92), (1000, 1030)]
)
def test_the_interval_of_a_share_is_wilson_s(hits, n):
    known = binomtest(hits, n).proportion_ci(0.95, method="wilson")

    estimate = share(hits, n)

    assert (estimate.value, estimate.n) == (hits / n, n)
    assert estimate.low == pytest.approx(known.low, abs=1e-12)
    assert estimate.high == pytest.approx(known.high, abs=1e-12)


@pytest.mark.parametrize(("n", "half_width"), [(92, 0.10), (374, 0.05), (1030, 0.03)])
def test_so_many_pictures_are_needed_for_so_narrow_an_interval(n, half_width):
    estimate = share(n // 2, n)

    assert (estimate.high - estimate.low) / 2 == pytest.approx(half_width, rel=0.03)


@pytest.mark.parametrize(("hits", "n"), [(-1, 5), (6, 5), (0, 0)])
def test_a_share_of_nothing_or_of_more_than_all_is_none(hits, n):
    with pytest.raises(ValueError, match=f"{hits} of {n} is no share"):
        share(hits, n)


def crossed(rng, n_rows, n_columns, *, spread):
    """Values around 0 that share an effect along each row and along each column."""
    rows, columns = rng.normal(0, spread, n_rows), rng.normal(0, spread, n_columns)
    if n_columns == 1:  # the only column there is adds nothing to the doubt
        columns[:] = 0
    values = rows[:, None] + columns + rng.normal(0, 1, (n_rows, n_columns))
    names = [(f"r{i}", f"c{j}") for i in range(n_rows) for j in range(n_columns)]
    return list(values.ravel()), [a for a, _ in names], [b for _, b in names]


@pytest.mark.parametrize("shape", [(12, 12), (12, 1), (8, 4)])
def test_the_clustered_interval_covers_the_truth_about_as_often_as_it_says(shape):
    rng = np.random.default_rng(8)
    samples = [crossed(rng, *shape, spread=1.0) for _ in range(150)]

    estimates = [clustered_mean(*sample, draws=150) for sample in samples]

    hits = sum(each.low <= 0 <= each.high for each in estimates)
    assert hits / 150 >= 0.90


def test_without_clusters_the_interval_would_be_far_too_narrow():
    rng = np.random.default_rng(9)
    values, rows, columns = crossed(rng, 12, 12, spread=1.0)

    honest = clustered_mean(values, rows, columns)
    naive = clustered_mean(values, [str(i) for i in range(144)], ["one"] * 144)

    assert honest.high - honest.low > 2 * (naive.high - naive.low)


def test_independent_values_have_student_s_interval():
    rng = np.random.default_rng(10)
    values = list(rng.normal(3, 1, 12))

    estimate = clustered_mean(values, ["all"] * 12, ["all"] * 12, draws=4000)

    half = t.ppf(0.975, 11) * np.std(values, ddof=1) / np.sqrt(12)
    assert (estimate.high - estimate.low) / 2 == pytest.approx(half, rel=0.06)


@pytest.mark.parametrize("n", [6, 8, 16, 100])
def test_few_clusters_widen_an_interval_as_student_s_distribution_says(n):
    known = t.ppf(0.975, n - 1) / Z * np.sqrt(n / (n - 1))

    assert _widening(n) == pytest.approx(known, rel=0.012)


def test_a_mean_is_within_its_interval_and_counts_its_values():
    estimate = clustered_mean([1.0, 2.0, 6.0], ["a", "a", "b"], ["x", "y", "y"])

    assert estimate.value == pytest.approx(3.0)
    assert estimate.n == 3
    assert estimate.low <= estimate.value <= estimate.high


def test_the_same_values_have_the_same_interval():
    rng = np.random.default_rng(3)
    data = crossed(rng, 4, 4, spread=1.0)

    assert clustered_mean(*data) == clustered_mean(*data)


def test_a_single_value_has_no_interval_to_speak_of():
    estimate = clustered_mean([2.5], ["a"], ["x"])

    assert (estimate.low, estimate.value, estimate.high) == (2.5, 2.5, 2.5)


def test_a_mean_of_nothing_is_none():
    with pytest.raises(ValueError, match="a mean of no values"):
        clustered_mean([], [], [])


def test_pictures_that_all_agree_still_leave_wilson_s_doubt():
    """A bootstrap of 256 right answers is the point 1: it once said 'no doubt'."""
    rows = [str(i % 16) for i in range(256)]
    columns = [str(i // 16) for i in range(256)]

    estimate = clustered_share([True] * 256, rows, columns)

    assert (estimate.value, estimate.high) == (1.0, 1.0)
    assert estimate.low == share(256, 256).low < 0.99


def test_losses_that_share_a_subject_widen_the_interval_of_a_share():
    rows = [str(i % 16) for i in range(256)]
    columns = [str(i // 16) for i in range(256)]
    hits = [row != "3" for row in rows]

    estimate = clustered_share(hits, rows, columns)

    assert estimate.value == pytest.approx(240 / 256)
    assert estimate.low < share(240, 256).low - 0.02
    assert estimate.high <= 1.0


def mean_of(values):
    return lambda rows: float(values[rows].mean())


def test_the_jackknife_of_a_mean_is_the_mean_s_own_interval():
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(500):
        found = jackknife(mean_of(rng.normal(2.0, 1.0, 96)), 96)
        inside += found.low <= 2.0 <= found.high

    assert 0.93 <= inside / 500 <= 0.97


def test_the_jackknife_asks_for_two_rows_a_group():
    with pytest.raises(ValueError, match="31 rows are too few for 16 groups"):
        jackknife(mean_of(np.zeros(31)), 31)
