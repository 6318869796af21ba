import numpy as np
import pytest
from scipy.stats import binomtest, false_discovery_control
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from unlearnlog.probes.decisions import benjamini_hochberg, equivalence, returned
from unlearnlog.probes.statistics import Estimate


def pairs(came, went, stayed=7):
    """Spell out pictures that came back, went away and stayed as they were."""
    now = [True] * came + [False] * went + [True] * stayed
    before = [False] * came + [True] * went + [True] * stayed
    return now, before


@pytest.mark.parametrize(("came", "went"), [(5, 0), (7, 2), (3, 3), (0, 4), (90, 61)])
def test_the_chance_of_a_return_is_the_sign_test_s(came, went):
    p_value = returned(*pairs(came, went))

    known = binomtest(came, came + went, alternative="greater").pvalue
    assert p_value == pytest.approx(known, rel=1e-9)


@pytest.mark.parametrize(("came", "went"), [(5, 0), (7, 2), (12, 3)])
def test_it_is_half_of_mcnemar_s_exact_test_where_more_came_than_went(came, went):
    p_value = returned(*pairs(came, went))

    table = [[7, went], [came, 0]]
    assert p_value == pytest.approx(mcnemar(table, exact=True).pvalue / 2, rel=1e-9)


def test_where_nothing_changed_nothing_returned():
    assert returned([True, False], [True, False]) == 1.0
    assert returned([], []) == 1.0


def test_only_pairs_are_compared():
    with pytest.raises(ValueError, match="1 pictures now and 2 before are no pairs"):
        returned([True], [True, False])


def test_a_return_is_seldom_claimed_where_there_is_none():
    rng = np.random.default_rng(0)
    shown = rng.random((2, 500, 92)) < 0.2

    claimed = [returned(list(a), list(b)) <= 0.05 for a, b in zip(*shown, strict=True)]

    assert np.mean(claimed) <= 0.05


@pytest.mark.parametrize("level", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("m", [1, 2, 30])
def test_what_is_rejected_is_what_two_libraries_reject(m, level):
    rng = np.random.default_rng(m)
    for _ in range(20):
        p_values = list(rng.random(m) ** rng.integers(1, 5))

        rejected = benjamini_hochberg(p_values, level)

        assert rejected == list(false_discovery_control(p_values) <= level)
        assert rejected == list(multipletests(p_values, level, "fdr_bh")[0])


def test_values_that_are_tied_share_their_fate():
    assert benjamini_hochberg([0.04, 0.04, 0.9, 0.04]) == [False] * 4
    assert benjamini_hochberg([0.03, 0.03, 0.9, 0.03]) == [True, True, False, True]


def test_of_no_hypotheses_none_is_rejected():
    assert benjamini_hochberg([]) == []


@pytest.mark.parametrize("strange", [-0.1, 1.2, float("nan")])
def test_what_is_no_probability_is_refused(strange):
    with pytest.raises(ValueError, match=f"{strange} is no probability"):
        benjamini_hochberg([0.5, strange])


def test_few_of_the_rejected_are_true_and_many_would_be_without_it():
    """2,000 times 40 tests, of which 10 have an effect."""
    rng = np.random.default_rng(1)
    shift = np.repeat([3.0, 0.0], [10, 30])
    uniform = 0.5 * np.vectorize(_erfc)((rng.normal(size=(2000, 40)) + shift) / 2**0.5)

    wrong, naive = [], []
    for p_values in uniform:
        rejected = np.array(benjamini_hochberg(list(p_values), 0.1))
        wrong.append(rejected[10:].sum() / max(1, rejected.sum()))
        alone = p_values <= 0.1
        naive.append(alone[10:].sum() / max(1, alone.sum()))

    # Exactly 0.1 x 30 / 40 for independent tests.
    assert np.mean(wrong) == pytest.approx(0.075, abs=0.007)
    assert np.mean(naive) > 0.2


def _erfc(x):
    from math import erfc

    return erfc(x)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (-0.04, 0.03, "kept"),
        (0.01, 0.04, "kept"),  # surely changed, and surely by little
        (-0.05, 0.03, "undecided"),  # the margin itself is not inside
        (-0.08, 0.01, "undecided"),
        (-0.20, 0.20, "undecided"),
        (-0.20, -0.06, "damaged"),
        (0.06, 0.30, "damaged"),
        (-0.20, -0.05, "undecided"),
    ],
)
def test_kept_means_the_whole_interval_is_inside_the_margin(low, high, said):
    estimate = Estimate((low + high) / 2, low, high, 100)

    assert equivalence(estimate, 0.05) == said


@pytest.mark.parametrize("margin", [0.0, -1.0, float("nan")])
def test_a_margin_of_nothing_is_none(margin):
    with pytest.raises(ValueError, match=f"a margin must be above 0, not {margin}"):
        equivalence(Estimate(0.0, 0.0, 0.0, 1), margin)
