import pytest
import torch

from unlearnlog.models.cfg_dedup import are_twins, doubled, half_of


@pytest.mark.parametrize("shape", [(1,), (3, 2, 4, 4), (2, 5, 6)])
def test_what_is_doubled_are_twins_and_its_half_is_what_was_doubled(shape):
    alone = torch.linspace(-1, 1, torch.Size(shape).numel()).view(shape)

    assert are_twins(doubled(alone))
    assert torch.equal(half_of(doubled(alone)), alone)


def test_one_other_number_makes_a_batch_no_twins():
    twins = doubled(torch.linspace(-1, 1, 6).view(3, 2))
    twins[-1, -1] += 1e-6

    assert not are_twins(twins)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_a_batch_that_has_no_halves_is_no_twins(n):
    assert not are_twins(torch.zeros(n, 2))
