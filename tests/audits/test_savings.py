import numpy as np
import pytest

from unlearnlog.audits.savings import Savings, mean_savings, savings
from unlearnlog.audits.survival import Curve, StepPresence


def learned_at(step, *, first=0.0):
    """A curve that reaches every picture at a step, or never."""
    steps = (0, 10, 50, 100, 200)
    shown = [first] + [float(step is not None and s >= step) for s in steps[1:]]
    looks = [
        StepPresence(s, tuple(i < share * 8 for i in range(8)))
        for s, share in zip(steps, shown, strict=True)
    ]
    return Curve("Picasso", tuple(looks))


@pytest.mark.parametrize(
    ("erased", "novel", "value", "bound", "ends"),
    [
        (50, 100, 0.5, "about", (0.0, 0.9)),
        (100, 100, 0.0, "about", (-1.0, 0.5)),
        (100, 50, -1.0, "about", (-9.0, 0.0)),
        (50, 10, -4.0, "about", (None, 0.0)),
        (50, None, 0.75, "at least", (0.75, 1.0)),
        (None, 50, -3.0, "at most", (None, -3.0)),
        (None, None, None, "undefined", (None, None)),
    ],
)
def test_savings_compare_when_half_of_the_pictures_show_it(
    erased, novel, value, bound, ends
):
    found = savings(learned_at(erased), learned_at(novel))

    said = found.value, found.bound, found.erased, found.novel
    assert said == (value, bound, erased, novel)
    assert (found.low, found.high) == pytest.approx(ends)


@pytest.mark.parametrize("mine", range(1, 201, 7))
@pytest.mark.parametrize("theirs", [3, 10, 42, 130, 200])
def test_the_true_savings_lie_between_what_the_looks_allow(mine, theirs):
    """Each model learns it at a step that nobody looks at."""
    found = savings(learned_at(mine), learned_at(theirs))

    true = 1 - mine / theirs
    assert found.low is None or found.low <= true
    assert found.high is not None
    assert true <= found.high


def test_what_the_erasure_never_hid_was_not_learned_again():
    found = savings(learned_at(10, first=1.0), learned_at(100))

    assert (found.value, found.bound) == (None, "undefined")


def test_a_twin_that_knows_the_concept_is_no_control():
    found = savings(learned_at(50), learned_at(10, first=1.0))

    assert found.bound == "undefined"


def test_curves_of_other_lengths_are_no_pair():
    short = Curve("Picasso", learned_at(10).looks[:2])

    with pytest.raises(ValueError, match="no pair"):
        savings(short, learned_at(10))


def about(value, *, within=0.0):
    return Savings(value, "about", 1, 1, value - within, value + within)


def test_the_mean_leaves_bounds_out_and_counts_what_is_known():
    found = [
        ("1", about(0.2)),
        ("2", about(0.4)),
        ("3", about(0.3)),
        ("2", Savings(0.9, "at least", 1, None, 0.9, 1.0)),
        ("2", Savings(0.9, "about", 1, 10, None, 0.9)),
    ]

    mean = mean_savings(found)

    assert mean is not None
    assert mean.value == pytest.approx(0.3)
    assert mean.n == 3


def test_the_interval_draws_whole_seeds():
    """All concepts of a seed agree, so nothing but the seeds is in doubt."""
    once = [("1", about(0.0)), ("2", about(0.1)), ("3", about(0.2))]

    one, many = mean_savings(once), mean_savings(once * 50)

    assert one is not None
    assert many is not None
    assert (one.low, one.high) == pytest.approx((many.low, many.high))
    # Student's, of two degrees of freedom.
    assert one.high - one.value == pytest.approx(4.303 * 0.1 / 3**0.5, rel=0.1)


@pytest.mark.parametrize("n", [3, 5, 10])
def test_nineteen_intervals_of_twenty_hold_the_truth(n):
    rng = np.random.default_rng(n)
    held = 0
    for _ in range(100):
        drawn = rng.normal(0.0, 0.1, n)
        mean = mean_savings([(str(i), about(float(v))) for i, v in enumerate(drawn)])
        assert mean is not None
        held += mean.low <= 0 <= mean.high

    assert held >= 90


def test_the_interval_holds_what_the_looks_leave_open():
    """Three seeds agree to the look, and nobody knows more than that."""
    found = [(seed, about(0.4, within=0.3)) for seed in "123"]

    mean = mean_savings(found)

    assert mean is not None
    assert (mean.low, mean.high) == pytest.approx((0.1, 0.7))


def test_two_seeds_have_no_interval():
    found = [("1", about(0.2)), ("1", about(0.4)), ("2", about(0.4))]

    assert mean_savings(found) is None
