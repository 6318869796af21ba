from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unlearnlog.core.patch import CEILING, GRID, UNIT, Full, LowRank, total


@pytest.fixture
def random():
    return torch.Generator().manual_seed(0)


def _factors(random, rank=3, d_out=5, d_in=4):
    left = torch.randn(d_out, rank, generator=random)
    return left, torch.randn(rank, d_in, generator=random)


def _on(grid, tensor):
    return bool((tensor.double() / grid == (tensor.double() / grid).round()).all())


def test_a_low_rank_patch_is_the_sum_of_its_outer_products(random):
    left, right = _factors(random)

    dense = LowRank(left, right).dense()

    assert torch.allclose(dense, left.double() @ right.double(), rtol=0, atol=4e-6)


@pytest.mark.parametrize("scale", [1e-12, 1e-3, 1.0, 1e6])
def test_factors_are_balanced_so_the_grid_costs_no_precision(random, scale):
    left, right = _factors(random)
    exact = 0.01 * left.double() @ right.double()

    dense = LowRank(0.01 * scale * left, right / scale).dense()

    assert float((dense - exact).abs().max()) < 1e-6


@given(st.integers(0, 2**32), st.floats(1e-9, 1e9), st.integers(1, 3))
def test_what_is_on_the_grid_stays_as_it_is(seed, scale, rank):
    random = torch.Generator().manual_seed(seed)
    left, right = _factors(random, rank)
    once = LowRank(0.01 * scale * left, right / scale)

    again = LowRank(once.left, once.right)

    assert _on(GRID, once.left)
    assert _on(GRID, once.right)
    assert torch.equal(again.left, once.left)
    assert torch.equal(again.right, once.right)


def test_a_factor_without_a_number_leaves_its_partner():
    left, right = torch.zeros(5, 1), 1e3 * torch.ones(1, 4) / 2**10

    patch = LowRank(left, right)

    assert not patch.dense().any()
    assert patch.bound == 0


def test_a_sum_is_that_of_whole_numbers(random):
    """Against fractions, which round nothing."""
    thin = [LowRank(*_factors(random)), LowRank(*_factors(random, rank=1))]
    full = Full(torch.randn(5, 4, generator=random))
    start = Full(torch.randn(5, 4, generator=random)).dense()

    found = total([*thin, full], start)

    for i in range(5):
        for j in range(4):
            slow = Fraction(start[i, j].item())
            for patch in thin:
                for column, row in zip(patch.left.T, patch.right, strict=True):
                    slow += Fraction(column[i].item()) * Fraction(row[j].item())
            slow += Fraction(full.value[i, j].item())
            assert Fraction(found[i, j].item()) == slow
    assert _on(UNIT, found)


def test_the_largest_sum_that_is_allowed_is_exact():
    """Each number of the grid's finest step, right below the ceiling."""
    big = Full(torch.full((1, 1), CEILING / 2 - 1))
    least = LowRank(torch.full((1, 1), GRID), torch.full((1, 1), GRID))

    found = total([big, least], big.dense())

    assert Fraction(found.item()) == Fraction(CEILING - 2) + Fraction(UNIT)


def test_the_opposite_of_a_patch_takes_it_out_of_a_sum(random):
    patch, other = LowRank(*_factors(random)), Full(torch.randn(5, 4, generator=random))
    start = LowRank(*_factors(random)).dense()

    there = total([patch, other], start)

    assert torch.equal(total([-patch], there), total([other], start))
    assert torch.equal(total([-other, -patch], there), start)


@pytest.mark.parametrize("value", [CEILING, 1e6])
def test_a_change_that_sums_could_not_hold_is_refused(value):
    with pytest.raises(ValueError, match="must stay below 512"):
        Full(torch.full((2, 2), value))
    with pytest.raises(ValueError, match="must stay below 512"):
        LowRank(torch.full((2, 1), value), torch.ones(1, 2))


def test_a_sum_that_float64_might_round_is_refused():
    patch = Full(torch.full((2, 2), 300.0))

    with pytest.raises(ValueError, match="may reach 600"):
        total([patch, patch], torch.zeros(2, 2).double())
    with pytest.raises(ValueError, match="may reach nan"):
        total([patch], torch.full((2, 2), float("nan")).double())


@pytest.mark.parametrize("rank", [0, 1, 3])
def test_the_norm_is_frobenius(random, rank):
    patch = LowRank(
        torch.randn(5, rank, generator=random), torch.randn(rank, 4, generator=random)
    )

    assert patch.norm == pytest.approx(patch.dense().norm().item(), rel=1e-5)
    assert Full(patch.dense().float()).norm == pytest.approx(patch.norm, rel=1e-5)


def test_the_size_is_what_is_stored():
    assert LowRank(torch.ones(5, 2), torch.ones(2, 4)).n_bytes == 4 * (10 + 8)
    assert Full(torch.ones(5, 4)).n_bytes == 4 * 20


def test_both_know_the_shape_they_change():
    assert LowRank(torch.ones(5, 2), torch.ones(2, 4)).shape == (5, 4)
    assert Full(torch.ones(5, 4)).shape == (5, 4)
    assert Full(torch.ones(5)).shape == (5,)


def test_a_sum_leaves_its_start_alone():
    start = torch.zeros(2, 2).double()

    total([LowRank(torch.ones(2, 1), torch.ones(1, 2)), Full(torch.ones(2, 2))], start)

    assert torch.equal(start, torch.zeros(2, 2).double())


def test_what_is_recorded_is_what_was_given_even_when_training_goes_on():
    weight = torch.ones(2, 2, requires_grad=True)
    patch = Full(weight)

    with torch.no_grad():
        weight.add_(1.0)

    assert torch.equal(patch.value, torch.ones(2, 2))
    assert not patch.value.requires_grad


def test_a_dense_change_can_be_changed_without_harm():
    patch = Full(torch.ones(2, 2))

    patch.dense().zero_()

    assert torch.equal(patch.value, torch.ones(2, 2))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_is_no_patch(bad):
    poisoned = torch.tensor([[1.0, bad]])

    with pytest.raises(ValueError, match=r"value .* not finite"):
        Full(poisoned)
    with pytest.raises(ValueError, match=r"right .* not finite"):
        LowRank(torch.ones(1, 1), poisoned)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64, torch.int64])
def test_a_patch_is_float32(dtype):
    with pytest.raises(ValueError, match=r"torch\.float32"):
        Full(torch.ones(2, 2, dtype=dtype))


def test_factors_that_do_not_meet_are_refused_with_both_shapes():
    with pytest.raises(ValueError, match=r"\[5, 2\].*\[3, 4\]"):
        LowRank(torch.ones(5, 2), torch.ones(3, 4))


def test_a_single_number_is_no_patch():
    with pytest.raises(ValueError, match="single number"):
        Full(torch.tensor(1.0))


@pytest.mark.parametrize("start", [torch.zeros(2, 3).double(), torch.zeros(2, 2)])
def test_a_patch_is_added_to_float64_of_its_shape_only(start):
    with pytest.raises(ValueError, match="adds to float64"):
        total([Full(torch.ones(2, 2))], start)
    with pytest.raises(ValueError, match="adds to float64"):
        total([LowRank(torch.ones(2, 1), torch.ones(1, 2))], start)


def of_convolution(seed=0):
    """Return a change of a convolution, and the same of the matrix of its rows."""
    source = torch.Generator().manual_seed(seed)
    left = torch.randn(6, 2, generator=source)
    right = torch.randn(2, 5, 3, 3, generator=source) / 100
    return LowRank(left, right), LowRank(left, right.flatten(1))


def test_a_change_of_a_convolution_is_that_of_the_matrix_of_its_rows():
    change, matrix = of_convolution()
    other, _ = of_convolution(1)
    start = torch.zeros(6, 5, 3, 3, dtype=torch.float64)

    assert change.shape == (6, 5, 3, 3)
    assert torch.equal(change.dense().flatten(1), matrix.dense())
    assert (change.bound, change.n_bytes) == (matrix.bound, matrix.n_bytes)
    assert change.norm == pytest.approx(matrix.norm, rel=1e-12)
    assert torch.equal(change.rows(), matrix.rows())
    both = total([change, other], start)
    assert torch.equal(both, total([other, change], start))
    assert torch.equal(total([-change, -other], both), start)
    again = LowRank(change.left, change.right)
    assert torch.equal(again.right, change.right)
