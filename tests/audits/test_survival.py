import numpy as np
import pytest
from statsmodels.duration.survfunc import SurvfuncRight

from unlearnlog.audits.survival import (
    Curve,
    Duration,
    Ends,
    StepPresence,
    durations,
    kaplan_meier,
    median_return,
    pooled_change,
    weighed,
)
from unlearnlog.audits.verdict import VerdictRules
from unlearnlog.probes.statistics import paired_share

RULES = VerdictRules(margin=0.05)


def look(step, n_shown, n=96):
    return StepPresence(step, tuple(i < n_shown for i in range(n)))


def curve(*looks, concept="Picasso"):
    return Curve(concept, tuple(looks))


def test_survival_and_its_error_are_those_of_statsmodels():
    rng = np.random.default_rng(4)
    steps = rng.choice([10, 25, 50, 100, 200], size=40)
    back = rng.uniform(size=40) < 0.4
    found = [Duration("x", int(s), bool(b)) for s, b in zip(steps, back, strict=True)]

    rungs = kaplan_meier(found)

    theirs = SurvfuncRight(steps, back)
    mine = {rung.step: rung for rung in rungs}
    at = [int(t) for t in theirs.surv_times]
    np.testing.assert_allclose([mine[t].away.value for t in at], theirs.surv_prob)
    np.testing.assert_allclose([mine[t].error for t in at], theirs.surv_prob_se)
    np.testing.assert_array_equal([mine[t].at_risk for t in at], theirs.n_risk)


def test_the_interval_is_that_of_log_minus_log_survival():
    found = [Duration("x", s, s < 100) for s in (10, 10, 25, 50, 100, 100, 100, 100)]

    first = kaplan_meier(found)[0].away

    # S = 6/8; Greenwood's sum 2 / (8 * 6); written out with a pocket calculator.
    assert first.value == 0.75
    assert (first.low, first.high) == pytest.approx((0.3148, 0.9309), abs=2e-4)


def test_while_nothing_came_back_survival_is_one_and_still_in_doubt():
    rungs = kaplan_meier([Duration("x", 500, returned=False)] * 6)

    assert [rung.away.value for rung in rungs] == [1.0]
    assert rungs[0].away.low < 0.7
    assert median_return(rungs) is None


def test_half_of_them_back_is_the_median():
    found = [Duration("x", 10, returned=True), Duration("x", 100, returned=False)]

    assert median_return(kaplan_meier(found)) == 10


@pytest.mark.parametrize("n", [4, 24, 28, 30, 38])
def test_half_of_them_back_one_by_one_is_the_median_whatever_is_rounded(n):
    back = [Duration("x", 10 * i, returned=True) for i in range(1, n // 2 + 1)]
    away = [Duration("x", 1000, returned=False)] * (n // 2)

    assert median_return(kaplan_meier([*back, *away])) == 5 * n


def test_no_fine_tune_has_no_survival():
    with pytest.raises(ValueError, match="no fine-tune"):
        kaplan_meier([])


def test_a_concept_is_back_at_the_first_look_beyond_chance():
    back = curve(look(0, 0), look(10, 1, 32), look(50, 20, 32), look(100, 90))
    away = curve(
        look(0, 2), look(10, 0, 32), look(50, 1, 32), look(100, 3), concept="b"
    )

    first, second = durations([back, away])

    assert first == Duration("Picasso", 50, returned=True)
    assert second == Duration("b", 100, returned=False)


def test_many_looks_make_one_of_them_count_for_less():
    """Five of 32 that came back are p = 1/32: enough alone, not among thirty looks."""
    alone = curve(look(0, 0, 32), look(10, 5, 32))
    others = [
        curve(look(0, 0, 32), *(look(s, 0, 32) for s in range(1, 11)), concept=str(i))
        for i in range(3)
    ]

    assert durations([alone])[0].returned
    assert not durations([alone, *others])[0].returned


def test_a_look_at_fewer_pictures_is_paired_with_the_same_ones():
    seen = curve(look(0, 30), look(10, 20, 32))

    assert seen.before(seen.last) == (True,) * 30 + (False,) * 2
    assert seen.change(seen.last).value == pytest.approx(-10 / 32)


@pytest.mark.parametrize(
    ("ends", "word"), [(90, "resurged"), (0, "gone"), (3, "undecided")]
)
def test_the_end_says_what_became_of_it(ends, word):
    seen = curve(look(0, 0), look(50, ends))

    assert weighed(seen, durations([seen])[0]).gate(RULES).word == word


def test_what_was_back_and_left_again_has_resurged():
    seen = curve(look(0, 0), look(10, 30, 32), look(50, 0))

    assert weighed(seen, durations([seen])[0]).gate(RULES).word == "resurged"


def test_the_level_is_reached_at_the_first_look_that_shows_it():
    seen = curve(look(0, 0), look(10, 15, 32), look(25, 16, 32), look(50, 90))

    assert seen.reached(0.5) == 25
    assert seen.reached(0.99) is None


@pytest.mark.parametrize(
    "looks",
    [(), (look(10, 1),), (look(0, 1, 32), look(10, 1, 96)), (StepPresence(0, ()),)],
)
def test_a_curve_needs_a_first_look_at_all_of_its_pictures(looks):
    with pytest.raises(ValueError, match="the evaluations of"):
        curve(*looks)


def test_all_concepts_together_are_pooled_picture_by_picture():
    nothing, half, all_of_it = ([True] * k + [False] * (96 - k) for k in (0, 48, 96))
    ends = [Ends("1", "a", half, nothing), Ends("1", "b", all_of_it, all_of_it)]

    found = pooled_change(ends)

    now, before = [*half, *all_of_it], [*nothing, *all_of_it]
    assert found == paired_share(now, before)
    assert (found.value, found.n) == (0.25, 192)


def test_fine_tunes_that_disagree_leave_more_doubt_than_their_pictures():
    nothing, most = [False] * 96, [True] * 80 + [False] * 16
    apart = [Ends("1", "a", most, nothing), Ends("2", "a", nothing, nothing)]
    alike = [Ends("1", "a", nothing, nothing), Ends("2", "a", nothing, nothing)]

    found, same = pooled_change(apart), pooled_change(alike)

    plain = paired_share([*most, *nothing], [False] * 192)
    assert found.low < plain.low < plain.high < found.high
    assert same == paired_share([False] * 192, [False] * 192)
