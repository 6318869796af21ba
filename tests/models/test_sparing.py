"""What is spared must not show: the same numbers, and a gradient where one is asked."""

import pytest
import torch

from unlearnlog.models.interface import Text
from unlearnlog.models.prompt_dedup import spared, told_apart


def texts(rows, pooled=None):
    tokens = torch.arange(4 * 3 * 2.0).reshape(4, 3, 2)
    return Text(tokens[rows], None if pooled is None else torch.tensor(pooled))


@pytest.mark.parametrize(
    ("given", "wanted", "rows"),
    [
        ([2, 0, 2, 2, 0, 3], [2, 0, 3], [0, 1, 0, 0, 1, 2]),
        ([3, 1, 0], [3, 1, 0], [0, 1, 2]),
        ([1, 1, 1], [1], [0, 0, 0]),
        ([2], [2], [0]),
    ],
)
def test_texts_are_told_apart_in_the_order_in_which_they_come(given, wanted, rows):
    text = texts(given)

    distinct, found = told_apart(text)

    assert torch.equal(distinct.tokens, texts(wanted).tokens)
    assert found.tolist() == rows
    assert torch.equal(distinct[found].tokens, text.tokens)


def test_texts_that_differ_in_what_is_pooled_are_two():
    text = texts([1, 1, 1], pooled=[[0.0], [1.0], [0.0]])

    distinct, found = told_apart(text)

    assert distinct.pooled is not None
    assert distinct.pooled.tolist() == [[0.0], [1.0]]
    assert found.tolist() == [0, 1, 0]


def test_texts_that_something_is_learnt_of_stay_apart():
    text = texts([1, 1])
    learnt = Text(text.tokens.requires_grad_())

    distinct, found = told_apart(learnt)

    assert distinct is learnt
    assert found.tolist() == [0, 1]


def test_what_is_predicted_without_a_gradient_can_be_learnt_from():
    weight = torch.ones(2, requires_grad=True)
    modes = []

    def predict():
        modes.append(torch.is_inference_mode_enabled())
        return 3 * torch.ones(2)

    with torch.no_grad():
        goal = spared(predict)
    (weight * goal).sum().backward()

    assert weight.grad is not None
    assert weight.grad.tolist() == [3, 3]
    assert modes == [True]


def test_where_a_gradient_is_asked_for_it_is_kept():
    weight = torch.ones(2, requires_grad=True)

    spared(lambda: weight.square()).sum().backward()

    assert weight.grad is not None
    assert weight.grad.tolist() == [2, 2]
