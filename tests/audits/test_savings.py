import pytest

from unlearnlog.audits.savings import Savings, mean_savings, savings
from unlearnlog.audits.survival import Curve, Look


def learned_at(step, *, first=0.0):
    """A curve that reaches every picture at a step, or never."""
    steps = (0, 10, 50, 100, 200)
    shown = [first] + [float(step is not None and s >= step) for s in steps[1:]]
    looks = [
        Look(s, tuple(i < share * 8 for i in range(8)))
        for s, share in zip(steps, shown, strict=True)
    ]
    return Curve("Picasso", tuple(looks))


@pytest.mark.parametrize(
    ("erased", "novel", "value", "bound"),
    [
        (50, 100, 0.5, "exact"),
        (100, 100, 0.0, "exact"),
        (100, 50, -1.0, "exact"),
        (50, None, 0.75, "at least"),
        (None, 50, -3.0, "at most"),
        (None, None, None, "undefined"),
    ],
)
def test_savings_compare_when_half_of_the_pictures_show_it(erased, novel, value, bound):
    found = savings(learned_at(erased), learned_at(novel))

    assert found == Savings(value, bound, erased, novel)


def test_what_the_erasure_never_hid_is_saved_whole():
    found = savings(learned_at(10, first=1.0), learned_at(100))

    assert (found.value, found.bound) == (1.0, "exact")


def test_a_twin_that_knows_the_concept_is_no_control():
    found = savings(learned_at(50), learned_at(10, first=1.0))

    assert found.bound == "undefined"


def test_curves_of_other_lengths_are_no_pair():
    short = Curve("Picasso", learned_at(10).looks[:2])

    with pytest.raises(ValueError, match="no pair"):
        savings(short, learned_at(10))


def exact(value):
    return Savings(value, "exact", 1, 1)


def test_the_mean_leaves_bounds_out_and_counts_what_is_exact():
    found = [
        ("1", exact(0.2)),
        ("2", exact(0.4)),
        ("2", Savings(0.9, "at least", 1, None)),
    ]

    mean = mean_savings(found)

    assert mean is not None
    assert mean.value == pytest.approx(0.3)
    assert mean.n == 2


def test_the_interval_draws_whole_seeds():
    """All concepts of a seed agree, so nothing but the seeds is in doubt."""
    found = [
        (seed, exact(v)) for seed, v in (("1", 0.0), ("2", 1.0)) for _ in range(50)
    ]

    mean = mean_savings(found)

    assert mean is not None
    assert (mean.low, mean.high) == (0.0, 1.0)


def test_one_seed_has_no_interval():
    assert mean_savings([("1", exact(0.2)), ("1", exact(0.4))]) is None
