import pytest
import torch
from torch.nn.functional import linear

from unlearnlog.models.fastcpu import linear_products
from unlearnlog.models.fastcpu.fast_layers import quicken
from unlearnlog.models.fastcpu.linear_products import (
    LEAST_ROWS,
    FastLinear,
    fast_linear,
    has_wide_products,
    parts_of,
    suits_onednn,
)

WIDTHS = [1, 33, 64, 192, 193, 256, 320, 768]


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("n_inputs", WIDTHS)
@pytest.mark.parametrize("bias", [True, False])
def test_the_map_is_that_in_float64_to_the_rounding_of_float32(n_inputs, bias):
    given, weight = drawn(2, LEAST_ROWS, n_inputs), drawn(48, n_inputs, seed=1)
    added = drawn(48, seed=2) if bias else None

    with torch.inference_mode():
        made = fast_linear(given, weight, added)

    exact = linear(
        given.double(), weight.double(), None if added is None else added.double()
    )
    assert made.shape == (2, LEAST_ROWS, 48)
    assert torch.allclose(made.double(), exact, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("n_inputs", [1, 192, 193, 256, 512, 768, 1280])
def test_the_parts_of_a_sum_are_all_its_inputs_once(n_inputs):
    found = [i for part in parts_of(n_inputs) for i in range(n_inputs)[part]]

    assert found == [*range(n_inputs)]
    assert all(len(range(n_inputs)[part]) <= 192 for part in parts_of(n_inputs))


@pytest.mark.skipif(not has_wide_products(), reason="the processor has no AVX-512")
def test_only_many_rows_of_float32_without_gradients_go_to_onednn():
    many, weight = drawn(LEAST_ROWS, 8), drawn(4, 8)

    with torch.inference_mode():
        assert suits_onednn(many, weight)
        assert not suits_onednn(many[:-1], weight)
        assert not suits_onednn(many.double(), weight.double())
    assert not suits_onednn(many, weight)


def test_rows_that_are_not_in_their_order_in_memory_are_mapped_all_the_same():
    given, weight = drawn(16, 300, 96).transpose(1, 2), drawn(8, 300)

    with torch.inference_mode():
        made = fast_linear(given, weight, None)

    assert torch.allclose(made, linear(given, weight), atol=1e-4)


def test_without_these_products_the_map_is_torch_s_to_the_bit(monkeypatch):
    given, weight = drawn(LEAST_ROWS, 256), drawn(8, 256)
    monkeypatch.setattr(linear_products, "has_wide_products", lambda: False)

    with torch.inference_mode():
        assert torch.equal(fast_linear(given, weight, None), linear(given, weight))


def test_weights_of_a_call_are_used_and_a_gradient_is_torch_s():
    plain = torch.nn.Linear(256, 8)
    quick = FastLinear.of(plain)
    given, other = drawn(LEAST_ROWS, 256), drawn(8, 256, seed=3)

    learnt = quick(given)
    with torch.inference_mode():
        held = {"weight": other, "bias": torch.zeros(8)}
        made = torch.func.functional_call(quick, held, (given,))

    assert learnt.requires_grad
    assert torch.equal(learnt, plain(given))
    assert torch.allclose(made, linear(given, other), atol=1e-4)


def test_a_quickened_network_s_linear_layers_keep_their_weights():
    layer = torch.nn.Linear(4, 4)
    network = torch.nn.Sequential(layer)

    quicken(network)

    assert type(network[0]) is FastLinear
    assert network[0].weight is layer.weight
