import pytest
import torch

from unlearnlog.patch import Full, LowRank


@pytest.fixture
def random():
    return torch.Generator().manual_seed(0)


def test_a_low_rank_patch_is_the_sum_of_its_outer_products(random):
    left, right = (
        torch.randn(5, 3, generator=random),
        torch.randn(3, 4, generator=random),
    )

    dense = LowRank(left, right).dense()

    exact = left.double() @ right.double()
    assert torch.allclose(dense.double(), exact, atol=1e-6)  # float32 rounding


def test_rank_1_terms_are_added_one_by_one_each_rounded_on_its_own(random):
    left, right = (
        torch.randn(5, 3, generator=random),
        torch.randn(3, 4, generator=random),
    )
    total = torch.randn(5, 4, generator=random)

    found = LowRank(left, right).added_to(total)

    for i in range(5):
        for j in range(4):
            slow = total[i, j]
            for k in range(3):
                term = left[i, k] * right[k, j]
                slow = slow + term
            assert found[i, j] == slow


def test_a_term_is_rounded_before_it_is_added():
    """A fused multiply-add would keep the low bits of the product."""
    tiny = 1.0 + 2.0**-12
    patch = LowRank(torch.tensor([[tiny]]), torch.tensor([[tiny]]))

    found = patch.added_to(torch.tensor([[-1.0 - 2.0**-11]]))

    assert found.item() == 0.0  # fused, it would be 2**-24


@pytest.mark.parametrize("rank", [0, 1, 3])
def test_the_norm_is_frobenius(random, rank):
    patch = LowRank(
        torch.randn(5, rank, generator=random), torch.randn(rank, 4, generator=random)
    )

    assert patch.norm == pytest.approx(patch.dense().norm().item(), rel=1e-5)
    assert Full(patch.dense()).norm == pytest.approx(patch.norm, rel=1e-5)


def test_the_size_is_what_is_stored():
    assert LowRank(torch.ones(5, 2), torch.ones(2, 4)).n_bytes == 4 * (10 + 8)
    assert Full(torch.ones(5, 4)).n_bytes == 4 * 20


def test_both_know_the_shape_they_change():
    assert LowRank(torch.ones(5, 2), torch.ones(2, 4)).shape == (5, 4)
    assert Full(torch.ones(5, 4)).shape == (5, 4)
    assert Full(torch.ones(5)).shape == (5,)


def test_adding_leaves_the_total_alone():
    total = torch.zeros(2, 2)

    LowRank(torch.ones(2, 1), torch.ones(1, 2)).added_to(total)
    Full(torch.ones(2, 2)).added_to(total)

    assert torch.equal(total, torch.zeros(2, 2))


def test_what_is_recorded_is_what_was_given_even_when_training_goes_on():
    weight = torch.ones(2, 2, requires_grad=True)
    patch = Full(weight)

    with torch.no_grad():
        weight.add_(1.0)

    assert torch.equal(patch.dense(), torch.ones(2, 2))
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


@pytest.mark.parametrize("total", [torch.zeros(2, 3), torch.zeros(2, 2).half()])
def test_a_patch_is_added_to_float32_of_its_shape_only(total):
    with pytest.raises(ValueError, match="adds to float32"):
        Full(torch.ones(2, 2)).added_to(total)
    with pytest.raises(ValueError, match="adds to float32"):
        LowRank(torch.ones(2, 1), torch.ones(1, 2)).added_to(total)
