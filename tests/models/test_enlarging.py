import pytest
import torch
from diffusers.models.upsampling import Upsample2D
from torch.nn.functional import conv2d

from unlearnlog.models.fastcpu.small_convolutions import SmallConvolution
from unlearnlog.models.fastcpu.upsample import SIDES, FastUpsample, along, doubles

TAPS = torch.tensor([[1, 0, 0], [1, 1, 1], [0, 0, 1]]).double()


def layer(**settings):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = Upsample2D(6, use_conv=True, out_channels=5, **settings)
    made.conv = SmallConvolution.of(made.conv)
    return made.requires_grad_(False)


def pictures(side):
    values = torch.linspace(-2, 2, 3 * 6 * side * side).mul(7).sin()
    return values.view(3, 6, side, side)


@pytest.mark.parametrize("side", [1, 2, 4, 5])
def test_products_are_a_convolution_of_every_doubled_row_with_every_taps(side):
    there, back = along(side)
    rows, taps = torch.eye(side).double(), torch.eye(3).double()

    made = torch.einsum("ykp,kpr,kt->rty", back, there @ rows, TAPS @ taps)

    doubled = rows.repeat_interleave(2, dim=1)
    exact = conv2d(doubled[:, None, None], taps[:, None, None], padding=(0, 1))
    assert torch.equal(made, exact.squeeze(2))


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("bias", [True, False])
def test_small_pictures_are_enlarged_as_the_layer_does_it(side, bias):
    plain = layer(bias=bias)

    with torch.inference_mode():
        quick = FastUpsample.of(plain)(pictures(side))
        exact = plain(pictures(side))

    assert not torch.equal(quick, exact)  # it did go the quick way
    torch.testing.assert_close(quick, exact, rtol=1e-5, atol=1e-5)


def test_other_pictures_sizes_and_weights_are_the_layer_s_to_the_bit():
    plain = layer()
    quick = FastUpsample.of(plain)
    other = {name: 2 * w for name, w in plain.named_parameters()}
    call = torch.func.functional_call

    with torch.inference_mode():
        assert torch.equal(quick(pictures(8)), plain(pictures(8)))
        assert torch.equal(quick(pictures(4), (7, 7)), plain(pictures(4), (7, 7)))
        wanted = call(plain, other, (pictures(4),))
        assert torch.equal(call(quick, other, (pictures(4),)), wanted)


def test_what_is_learnt_is_the_layer_s_to_the_bit():
    plain = layer().requires_grad_()

    assert torch.equal(FastUpsample.of(plain)(pictures(2)), plain(pictures(2)))


@pytest.mark.parametrize("side", SIDES)
def test_what_comes_before_learns_through_fixed_weights_as_through_the_layer_s(side):
    given = [pictures(side).requires_grad_() for _ in range(2)]
    quick = FastUpsample.of(layer())
    plain = Upsample2D(6, use_conv=True, out_channels=5).requires_grad_(False)
    plain.load_state_dict(quick.state_dict())

    for each, pictures_given in zip((quick, plain), given, strict=True):
        each(pictures_given).square().sum().backward()

    assert not torch.equal(given[0].grad, given[1].grad)  # it did go the quick way
    torch.testing.assert_close(given[0].grad, given[1].grad, rtol=1e-4, atol=1e-4)


def test_layers_that_do_more_than_double_are_left_alone():
    assert doubles(layer())
    assert not doubles(layer(norm_type="ln_norm", eps=1e-5, elementwise_affine=True))
    assert not doubles(layer(interpolate=False))
    assert not doubles(Upsample2D(6, use_conv=False))
    assert not doubles(FastUpsample.of(layer()))
