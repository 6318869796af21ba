import pytest
import torch
from diffusers.models.activations import GEGLU

from unlearnlog.models.fastcpu.fast_layers import (
    FastGEGLU,
    FastSiLU,
    quicken,
)
from unlearnlog.models.fastcpu.small_convolutions import SmallConvolution


@pytest.fixture(autouse=True)
def seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def of_channels():
    return torch.linspace(-2, 2, 3 * 6 * 4 * 4).mul(7).sin().view(3, 6, 4, 4)


def of_tokens():
    return torch.linspace(-2, 2, 3 * 5 * 6).mul(7).sin().view(3, 5, 6)


@pytest.mark.parametrize("bias", [True, False])
def test_halves_computed_apart_are_the_gated_unit(bias):
    plain = GEGLU(6, 7, bias=bias)

    with torch.inference_mode():
        made = FastGEGLU.of(plain)(of_tokens())
        torch.testing.assert_close(made, plain(of_tokens()), rtol=1e-5, atol=1e-6)


def test_a_projection_that_is_no_plain_layer_is_asked_itself():
    plain = GEGLU(6, 7)
    quick = FastGEGLU.of(plain)
    quick.proj = torch.nn.Sequential(plain.proj)  # as an adapter wraps it

    with torch.inference_mode():
        assert torch.equal(quick(of_tokens()), plain(of_tokens()))


@pytest.mark.parametrize(
    ("plain", "kind", "given"),
    [
        (GEGLU(6, 7), FastGEGLU, of_tokens()),
    ],
)
def test_weights_handed_to_a_call_are_used(plain, kind, given):
    quick = kind.of(plain)
    other = {name: 2 * w.detach() for name, w in plain.named_parameters()}

    with torch.inference_mode():
        made = torch.func.functional_call(quick, other, (given,))
        wanted = torch.func.functional_call(plain, other, (given,))

    torch.testing.assert_close(made, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("plain", "kind", "given"),
    [
        (GEGLU(6, 7), FastGEGLU, of_tokens()),
    ],
)
def test_what_is_learnt_is_the_layer_s_to_the_bit(plain, kind, given):
    made = kind.of(plain)(given)

    assert made.requires_grad
    assert torch.equal(made, plain(given))


def test_an_activation_of_pictures_is_the_same_to_the_bit_in_their_own_memory():
    with torch.inference_mode():
        given = of_channels()
        wanted = torch.nn.functional.silu(given)
        made = FastSiLU()(given)

        assert torch.equal(made, wanted)
        assert made.data_ptr() == given.data_ptr()


def test_an_activation_leaves_alone_what_others_read_or_learn_from():
    learnt, times = of_channels(), of_tokens()[0]

    FastSiLU()(learnt)
    with torch.inference_mode():
        FastSiLU()(times)

    assert torch.equal(learnt, of_channels())
    assert torch.equal(times, of_tokens()[0])


def test_only_activations_behind_a_norm_write_over_what_they_are_given():
    network = torch.nn.Module()
    network.nonlinearity, network.act = torch.nn.SiLU(), torch.nn.SiLU()

    quicken(network)

    assert type(network.nonlinearity) is FastSiLU
    assert type(network.act) is torch.nn.SiLU


def test_a_quickened_network_has_the_same_weights_under_the_same_names():
    strided = torch.nn.Conv2d(6, 6, 3, stride=2)
    inner = torch.nn.Sequential(torch.nn.Conv2d(6, 6, 1), strided, GEGLU(6, 6))
    network = torch.nn.Sequential(torch.nn.Conv2d(6, 6, 3, padding=1), inner)
    before = dict(network.named_parameters())
    drawn = torch.get_rng_state()

    quicken(network)

    assert torch.equal(torch.get_rng_state(), drawn)  # nothing was drawn for it
    kinds = [type(each) for each in network.modules()]
    assert {SmallConvolution, FastGEGLU} < set(kinds)
    assert inner[1] is strided
    after = dict(network.named_parameters())
    assert list(after) == list(before) == list(network.state_dict())
    assert all(after[name] is before[name] for name in before)
