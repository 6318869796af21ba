import numpy as np
import pytest
from scipy.stats import binomtest, t

from unlearnlog.probes.statistics import (
    clustered_change,
    clustered_mean,
    clustered_share,
    jackknife,
    paired_share,
    share,
    student,
)

N_REPEATED = 500
"""Simulated experiments; of a 95 % interval's, one in 20 counts is off by 2 points."""


def coverage(estimates, truth):
    """Return the share of intervals that hold the truth, or each one its own."""
    truths = np.broadcast_to(truth, len(estimates))
    pairs = zip(estimates, truths, strict=True)
    return np.mean([each.low <= true <= each.high for each, true in pairs])


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


def test_a_share_s_interval_covers_the_truth_over_a_range_of_shares():
    """At one share Wilson's coverage swings with n; over a range it is what it says."""
    rng = np.random.default_rng(4)
    shares = rng.uniform(0.02, 0.98, N_REPEATED)

    estimates = [share(hits, 92) for hits in rng.binomial(92, shares)]

    assert 0.93 <= coverage(estimates, shares) <= 0.97


def from_table(both, now, before, neither):
    """Spell out pairs: shown in both, only now, only before, in neither."""
    pairs = [(True, True)] * both + [(True, False)] * now
    pairs += [(False, True)] * before + [(False, False)] * neither
    return [a for a, _ in pairs], [b for _, b in pairs]


@pytest.mark.parametrize(
    ("table", "value", "low", "high"),
    [
        # Fagerland, Lydersen and Laake, "Recommended tests and confidence intervals for
        # paired binomial proportions", 2014, tables of Bentur and of Cavo.
        ((1, 1, 7, 12), -0.286, -0.507, -0.026),
        ((59, 6, 16, 80), -0.0621, -0.1186, -0.0046),
        # Two media for sputum, as StatsDirect's manual works it out.
        ((20, 12, 2, 16), 0.2, 0.056156, 0.329207),
    ],
)
def test_the_interval_of_a_paired_difference_is_the_published_one(
    table, value, low, high
):
    estimate = paired_share(*from_table(*table))

    digits = 10.0 ** -len(str(low).split(".")[1])
    assert estimate.n == sum(table)
    assert estimate.value == pytest.approx(value, abs=digits)
    assert estimate.low == pytest.approx(low, abs=0.51 * digits)
    assert estimate.high == pytest.approx(high, abs=0.51 * digits)


@pytest.mark.parametrize("table", [(50, 0, 0, 0), (0, 0, 0, 50), (25, 0, 0, 25)])
def test_pairs_that_all_agree_still_leave_doubt(table):
    estimate = paired_share(*from_table(*table))

    assert estimate.value == 0
    assert estimate.low < -0.02 or estimate.high > 0.02
    assert estimate.low <= 0 <= estimate.high


def test_pairs_that_all_changed_leave_nothing_beyond_one():
    estimate = paired_share([True] * 20, [False] * 20)

    assert (estimate.value, estimate.high) == (1.0, 1.0)
    assert 0.7 < estimate.low < 1.0


def test_swapping_now_and_before_turns_the_interval_round():
    now, before = from_table(9, 14, 3, 40)

    there, back = paired_share(now, before), paired_share(before, now)

    assert (back.value, back.low, back.high) == pytest.approx(
        (-there.value, -there.high, -there.low)
    )


def test_pictures_that_go_together_tell_a_smaller_difference():
    together = paired_share(*from_table(40, 4, 4, 44))
    apart = paired_share(*from_table(22, 22, 22, 26))

    assert together.high - together.low < 0.7 * (apart.high - apart.low)


def test_columns_of_two_lengths_are_no_pairs():
    with pytest.raises(ValueError, match="3 pictures now and 2 before are no pairs"):
        paired_share([True] * 3, [True] * 2)


def test_a_difference_of_nothing_is_none():
    with pytest.raises(ValueError, match="0 of 0 is no share"):
        paired_share([], [])


def test_a_paired_difference_s_interval_covers_the_truth():
    """Over tables of every kind: 1 in 20 of them is missed, as said."""
    rng = np.random.default_rng(5)
    tables = rng.dirichlet([1.0] * 4, N_REPEATED)
    drawn = [rng.multinomial(92, table) for table in tables]

    estimates = [paired_share(*from_table(*counts)) for counts in drawn]

    assert 0.93 <= coverage(estimates, tables[:, 1] - tables[:, 2]) <= 0.97


def crossed(rng, n_rows, n_columns, *, spread):
    """Values around 0 that share an effect along each row and along each column."""
    rows, columns = rng.normal(0, spread, n_rows), rng.normal(0, spread, n_columns)
    if n_columns == 1:  # the only column there is adds nothing to the doubt
        columns[:] = 0
    values = rows[:, None] + columns + rng.normal(0, 1, (n_rows, n_columns))
    names = [(f"r{i}", f"c{j}") for i in range(n_rows) for j in range(n_columns)]
    return list(values.ravel()), [a for a, _ in names], [b for _, b in names]


@pytest.mark.parametrize(
    ("shape", "spread"),
    [
        ((12, 12), 0.3),
        ((20, 8), 1.0),
        ((12, 1), 1.0),
        *(
            pytest.param(shape, spread, marks=pytest.mark.slow)
            for shape in [(12, 12), (20, 8), (16, 16), (12, 1)]
            for spread in (0.4, 1.0, 3.0)
        ),
    ],
)
def test_the_clustered_interval_covers_the_truth_as_often_as_it_says(shape, spread):
    """It once covered 99 % where the noise of single pictures is most of the doubt."""
    rng = np.random.default_rng(1)
    samples = [crossed(rng, *shape, spread=spread) for _ in range(N_REPEATED)]

    estimates = [clustered_mean(*sample, draws=300) for sample in samples]

    assert 0.93 <= coverage(estimates, 0.0) <= 0.97


def test_where_nothing_is_clustered_the_interval_is_a_little_cautious():
    """A component of variance below 0 counts as 0, which can only widen.

    The bootstrap alone covered 99.7 % here.
    """
    rng = np.random.default_rng(1)
    samples = [crossed(rng, 12, 12, spread=0.0) for _ in range(N_REPEATED)]

    estimates = [clustered_mean(*sample, draws=300) for sample in samples]

    assert 0.93 <= coverage(estimates, 0.0) <= 0.99


def test_so_do_clusters_of_which_few_pairs_were_seen():
    """As kept pictures are: 48 of the cells of 16 subjects and 16 styles."""
    rng = np.random.default_rng(2)
    estimates = []
    for _ in range(N_REPEATED):
        sample = crossed(rng, 16, 16, spread=0.5)
        some = rng.choice(256, 48, replace=False)
        part = [[column[i] for i in some] for column in sample]
        estimates.append(clustered_mean(*part, draws=300))

    assert 0.93 <= coverage(estimates, 0.0) <= 0.97


def test_few_clusters_are_covered_at_least_as_often():
    """With 4 styles nobody can tell their variance well: the interval is cautious."""
    rng = np.random.default_rng(8)
    samples = [crossed(rng, 8, 4, spread=1.0) for _ in range(N_REPEATED)]

    estimates = [clustered_mean(*sample, draws=300) for sample in samples]

    assert coverage(estimates, 0.0) >= 0.93


def test_a_pair_s_difference_is_surer_than_its_two_means():
    """What a subject adds to both states falls out of their difference."""
    rng = np.random.default_rng(6)
    before, rows, columns = crossed(rng, 12, 12, spread=1.0)
    now = [x - 0.5 + e for x, e in zip(before, rng.normal(0, 0.2, 144), strict=True)]

    change = clustered_mean(
        [a - b for a, b in zip(now, before, strict=True)], rows, columns
    )

    alone = clustered_mean(now, rows, columns)
    assert change.low < -0.5 < change.high < 0
    assert alone.high - alone.low > 5 * (change.high - change.low)


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


@pytest.mark.parametrize("freedom", [2, 3, 4.5, 7, 15, 99])
def test_student_s_quantile_is_the_known_one(freedom):
    assert student(freedom) == pytest.approx(t.ppf(0.975, freedom), rel=0.01)


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


@pytest.mark.parametrize("value", [0.1, 2.5, 1 / 3])
@pytest.mark.parametrize("n", [1, 2, 7])
def test_values_that_are_all_the_same_have_no_interval_to_speak_of(value, n):
    """The bootstrap's rounding was once taken for a spread, and divided by."""
    names = [str(i % 2) for i in range(n)]

    estimate = clustered_mean([value] * n, names, ["x"] * n)

    assert estimate.low == estimate.value == estimate.high == pytest.approx(value)


def test_where_clusters_agree_and_their_values_do_not_every_value_counts():
    values = [1.0, -1.0, 1.0, -1.0]

    estimate = clustered_mean(values, ["a", "a", "b", "b"], ["x"] * 4)

    assert estimate == clustered_mean(values, ["x"] * 4, ["x"] * 4)
    assert estimate.low < estimate.value == 0 < estimate.high


def test_a_change_has_a_width_where_nothing_changed_and_more_where_clusters_differ():
    hits = [True] * 8 + [False] * 8
    alone = [str(i) for i in range(16)]
    styles = [name for name in "abcdefgh" for _ in range(2)]

    same = clustered_change(hits, hits, styles, ["x"] * 16)
    free = clustered_change(hits, [False] * 16, alone, ["x"] * 16)
    tied = clustered_change(hits, [False] * 16, styles, ["x"] * 16)

    assert same.value == 0
    assert same.low < 0 < same.high
    assert free.value == tied.value == 0.5
    assert tied.low < free.low
    assert tied.high > free.high
    assert tied.low >= -1
    assert tied.high <= 1


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
    samples = rng.normal(2.0, 1.0, (N_REPEATED, 96))

    estimates = [jackknife(mean_of(sample), 96) for sample in samples]

    assert 0.93 <= coverage(estimates, 2.0) <= 0.97


def ratio_of(above, below):
    return lambda rows: float(above[rows].mean() / below[rows].mean())


def test_the_jackknife_of_a_ratio_of_means_covers_the_truth():
    rng = np.random.default_rng(1)
    below = rng.exponential(1.0, (N_REPEATED, 96))
    above = 2 * below + rng.normal(0, 1, below.shape)

    pairs = zip(above, below, strict=True)
    estimates = [jackknife(ratio_of(*pair), 96) for pair in pairs]

    assert 0.93 <= coverage(estimates, 2.0) <= 0.97


def test_the_jackknife_asks_for_two_rows_a_group():
    with pytest.raises(ValueError, match="31 rows are too few for 16 groups"):
        jackknife(mean_of(np.zeros(31)), 31)
