import copy
import functools

import pytest
import torch
from diffusers.models.embeddings import TimestepEmbedding
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel

from unlearnlog.models.fastcpu.fast_layers import quicken
from unlearnlog.models.fastcpu.resnet import (
    FastResnet,
    FastTimeEmbedding,
    FastTransformer,
    is_plain,
)

close = functools.partial(torch.testing.assert_close, rtol=1e-5, atol=1e-5)


@pytest.fixture(autouse=True)
def seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def block(**settings):
    sizes = {"in_channels": 6, "out_channels": 8, "temb_channels": 5, "groups": 2}
    return ResnetBlock2D(**sizes | settings).eval()


def quickened(layer):
    """Give what stands for a layer inside of a network, with its own weights."""
    network = torch.nn.Sequential(copy.deepcopy(layer))
    quicken(network)
    return network[0]


def pictures(n=4):
    return torch.randn(n, 6, 4, 4)


def counted(layer):
    """Note how many rows each call of a layer has."""
    rows = []
    layer.register_forward_hook(lambda *call: rows.append(len(call[1][0])))
    return rows


@pytest.mark.parametrize(
    "settings",
    [{}, {"out_channels": 6}, {"output_scale_factor": 1.0}, {"temb_channels": None}],
)
@pytest.mark.parametrize("n_times", [1, 4])
def test_a_block_gives_what_the_plain_one_gives(settings, n_times):
    plain = block(**settings)
    given = pictures()
    times = torch.randn(n_times, 5) if plain.time_emb_proj is not None else None
    before = [given.clone(), *([] if times is None else [times.clone()])]

    with torch.inference_mode():
        quick = quickened(plain)
        made = quick(given, times)
        close(made, plain(given, times))

    assert type(quick) is FastResnet
    after = [given, *([] if times is None else [times])]
    assert all(map(torch.equal, after, before))  # what others read stays as it was


@pytest.mark.parametrize(
    ("n_times", "n_rows"), [(1, 2), (4, 4)], ids=["one time", "times of their own"]
)
def test_twins_are_computed_once_where_they_have_one_time(n_times, n_rows):
    plain = block()
    quick = quickened(plain)
    rows = counted(quick.conv1)
    given, times = pictures(2).repeat(2, 1, 1, 1), torch.randn(n_times, 5)

    with torch.inference_mode():
        close(quick(given, times), plain(given, times))

    assert rows == [n_rows]


def test_what_may_be_learnt_is_the_block_s_to_the_bit():
    plain = block()
    quick = quickened(plain)
    given, times = pictures(2).repeat(2, 1, 1, 1), torch.randn(4, 5)

    made = quick(given, times)

    assert made.requires_grad
    assert torch.equal(made, plain(given, times))


def test_weights_handed_to_a_call_are_used():
    plain, given, times = block(), pictures(), torch.randn(1, 5)
    other = {name: 2 * w.detach() for name, w in plain.named_parameters()}
    call = torch.func.functional_call

    with torch.inference_mode():
        made = call(quickened(plain), other, (given, times))
        close(made, call(plain, other, (given, times)))


@pytest.mark.parametrize(
    "settings",
    [
        {"time_embedding_norm": "scale_shift"},
        {"output_scale_factor": 2.0},
        {"skip_time_act": True},
        {"up": True},
        {"down": True},
    ],
)
def test_a_block_that_does_more_is_left_as_it_is(settings):
    assert is_plain(block())
    assert not is_plain(block(**settings))
    assert type(quickened(block(**settings))) is ResnetBlock2D


@pytest.mark.parametrize(("alike", "n_rows"), [(True, 1), (False, 4)])
def test_one_timestep_is_embedded_once(alike, n_rows):
    plain = TimestepEmbedding(6, 5)
    quick = quickened(plain)
    given = torch.randn(1, 6).repeat(4, 1) if alike else torch.randn(4, 6)

    assert type(quick) is FastTimeEmbedding
    assert torch.equal(quick(given), plain(given))
    with torch.inference_mode():
        made = quick(given)
        assert len(made) == n_rows
        close(made.expand(4, 5), plain(given))


def test_a_condition_of_each_row_is_embedded_row_by_row():
    plain = TimestepEmbedding(6, 5, cond_proj_dim=3)
    given, said = torch.randn(1, 6).repeat(4, 1), torch.randn(4, 3)

    with torch.inference_mode():
        made = quickened(plain)(given, said)
        close(made, plain(given, said))


@pytest.mark.parametrize("linear", [True, False])
def test_a_transformer_gives_what_the_plain_one_gives_with_channels_last(linear):
    plain = Transformer2DModel(
        num_attention_heads=2,
        attention_head_dim=4,
        in_channels=8,
        norm_num_groups=2,
        cross_attention_dim=6,
        use_linear_projection=linear,
    ).eval()
    quick = quickened(plain)
    given = torch.randn(4, 8, 4, 4).contiguous(memory_format=torch.channels_last)
    before, text = given.clone(), torch.randn(4, 7, 6)

    assert type(quick) is FastTransformer
    assert torch.equal(
        quick(given, text, return_dict=False)[0],
        plain(given, text, return_dict=False)[0],
    )  # something may be learnt
    with torch.inference_mode():
        (made,) = quick(given, text, return_dict=False)
        (wanted,) = plain(given, text, return_dict=False)
        close(made, wanted)

    assert made.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(given, before)
