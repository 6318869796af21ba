import copy

import pytest
import torch
from torch.nn.functional import conv2d

from unlearnlog.models.fastcpu.small_convolutions import (
    PRODUCTS,
    SmallConvolution,
    suits,
)


def layer(**settings):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return torch.nn.Conv2d(6, 5, **{"kernel_size": 3, "padding": 1} | settings)


def layer_of(quick):
    """The plain layer with a quick one's weights."""
    plain = layer()
    plain.load_state_dict(quick.state_dict())
    return plain


def pictures(height, width):
    values = torch.linspace(-2, 2, 3 * 6 * height * width).mul(7).sin()
    return values.view(3, 6, height, width)


@pytest.mark.parametrize("side", PRODUCTS)
def test_products_are_a_convolution_of_every_row_with_every_taps(side):
    along = PRODUCTS[side]
    rows, taps = torch.eye(side).double(), torch.eye(3).double()

    made = torch.einsum(
        "ip,pr,pt->rti", along.back, along.there @ rows, along.kernel @ taps
    )

    as_pictures = conv2d(
        rows[:, None, None], taps[:, None, None], padding=(0, 1)
    ).squeeze(2)
    torch.testing.assert_close(made, as_pictures, rtol=0, atol=1e-14)


@pytest.mark.parametrize("side", PRODUCTS)
@pytest.mark.parametrize("bias", [True, False])
def test_small_pictures_are_convolved_as_the_layer_does_it(side, bias):
    plain = layer(bias=bias).requires_grad_(requires_grad=False)

    with torch.inference_mode():
        quick = SmallConvolution.of(plain)(pictures(side, side))
        exact = plain(pictures(side, side))

    assert not torch.equal(quick, exact)  # it did go the quick way
    torch.testing.assert_close(quick, exact, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(8, 8), (2, 4), (3, 3)])
def test_other_pictures_are_the_layer_s_to_the_bit(shape):
    plain = layer()

    with torch.inference_mode():
        made = SmallConvolution.of(plain)(pictures(*shape))
        assert torch.equal(made, plain(pictures(*shape)))


def test_what_is_learnt_is_the_layer_s_to_the_bit():
    plain = layer()
    quick = SmallConvolution.of(plain)

    assert torch.equal(quick(pictures(2, 2)), plain(pictures(2, 2)))


@pytest.mark.parametrize("side", PRODUCTS)
def test_what_comes_before_learns_through_fixed_weights_as_through_the_layer_s(side):
    plain = layer().requires_grad_(requires_grad=False)
    quick = SmallConvolution.of(plain)
    with torch.inference_mode():
        quick(pictures(side, side))  # what is prepared here serves to learn, too
    given = [pictures(side, side).requires_grad_() for _ in range(2)]

    made = [each(p) for each, p in zip((quick, plain), given, strict=True)]
    for each in made:
        each.square().sum().backward()

    assert not torch.equal(*made)  # it did go the quick way
    torch.testing.assert_close(given[0].grad, given[1].grad, rtol=1e-4, atol=1e-4)


def test_weights_that_a_fused_optimizer_moves_are_never_those_of_before():
    quick = SmallConvolution.of(layer())
    adam = torch.optim.AdamW(quick.parameters(), lr=0.1, fused=True)
    with torch.no_grad():
        quick(pictures(2, 2))

    quick(pictures(2, 2)).square().sum().backward()
    adam.step()

    with torch.no_grad():
        assert torch.equal(quick(pictures(2, 2)), layer_of(quick)(pictures(2, 2)))


def test_a_picture_alone_is_convolved_by_the_layer():
    plain = layer().requires_grad_(requires_grad=False)
    (alone, *_) = pictures(2, 2)

    assert torch.equal(SmallConvolution.of(plain)(alone), plain(alone))


def test_weights_that_changed_in_their_place_are_used():
    quick = SmallConvolution.of(layer().requires_grad_(requires_grad=False))
    once = quick(pictures(2, 2))

    for each in quick.parameters():
        each.mul_(2)

    torch.testing.assert_close(quick(pictures(2, 2)), 2 * once, rtol=1e-5, atol=1e-5)


def test_a_copy_has_weights_of_its_own():
    quick = SmallConvolution.of(layer().requires_grad_(requires_grad=False))
    quick.weight.mul_(0.5)  # one change to each, so that a count of them is no help
    once = quick(pictures(2, 2))

    copied = copy.deepcopy(quick)
    for each in copied.parameters():
        each.mul_(2)

    assert torch.equal(quick(pictures(2, 2)), once)
    torch.testing.assert_close(copied(pictures(2, 2)), 2 * once, rtol=1e-5, atol=1e-5)
    assert not torch.equal(copied(pictures(2, 2)), layer_of(copied)(pictures(2, 2)))


def test_other_weights_are_used_and_not_those_that_were_prepared():
    quick = SmallConvolution.of(layer().requires_grad_(requires_grad=False))
    other = {name: 2 * w.detach() for name, w in quick.named_parameters()}

    with torch.inference_mode():
        once = quick(pictures(2, 2))
        twice = torch.func.functional_call(quick, other, (pictures(2, 2),))

    torch.testing.assert_close(twice, 2 * once, rtol=1e-5, atol=1e-5)


def test_a_convolution_with_strides_does_not_suit():
    assert suits(layer())
    assert not suits(layer(stride=2))
