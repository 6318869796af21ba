"""How far back to the base a fine-tune went."""

import pytest
import torch

from unlearnlog.audits.return_coefficient import return_coefficient

NAME = "unet.x.to_k.weight"
BASE = {NAME: torch.tensor([[2.0, 0.0]])}
THEN = {NAME: torch.tensor([[0.0, 0.0]])}


@pytest.mark.parametrize(
    ("now", "share"), [((0, 0), 0.0), ((2, 0), 1.0), ((1, 5), 0.5), ((-1, 0), -0.5)]
)
def test_only_the_way_back_counts(now, share):
    weights = {NAME: torch.tensor([now]).float(), "unet.other": torch.ones(3)}

    (found,) = return_coefficient(weights, THEN, BASE)

    assert found.value == pytest.approx(share)
    assert (found.low, found.high, found.n) == (found.value, found.value, 1)


def test_a_tensor_that_was_not_brought_is_where_it_was():
    (found,) = return_coefficient({}, THEN, BASE)

    assert found.value == 0


def test_where_nothing_was_erased_there_is_no_way_back():
    assert [*return_coefficient({}, BASE, BASE)] == []
