"""Every kind of adapter changes a weight as its own library says that it does."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from lycoris.modules import (
    ButterflyOFTModule,
    DiagOFTModule,
    FullModule,
    GLoRAModule,
    LoConModule,
    LohaModule,
    LokrModule,
    NormModule,
)
from peft import (
    BOFTConfig,
    IA3Config,
    LoHaConfig,
    LoKrConfig,
    LoraConfig,
    OFTConfig,
    VeraConfig,
    get_peft_model,
)
from peft.tuners.boft.layer import BOFTLayer
from peft.utils import get_peft_model_state_dict
from torch import nn

from unlearnlog.checkpoints.adapter_info import Adapter
from unlearnlog.checkpoints.adapters.adapter_reading import (
    AdaptedModel,
    changes_of,
    whole,
)
from unlearnlog.errors import DeltaError

LINEAR = "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k"
CONV = "down_blocks.1.resnets.0.conv1"
NORM = "down_blocks.1.resnets.0.norm1"
WIDE = "down_blocks.0.resnets.0.conv2"
SQUARE = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"


def network():
    """Return one module of each kind, by its path in a UNet."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return {
            LINEAR: nn.Linear(12, 16),
            CONV: nn.Conv2d(8, 16, 3, padding=1),
            NORM: nn.GroupNorm(2, 8),
            SQUARE: nn.Linear(16, 16, bias=False),
            WIDE: nn.Conv2d(8, 8, 3, padding=1),
        }


MODULES = network()
WEIGHTS = {
    f"unet.{path}.{name}": parameter.detach()
    for path, module in MODULES.items()
    for name, parameter in module.named_parameters()
}
MODEL = AdaptedModel({n: t.shape for n, t in WEIGHTS.items()}, WEIGHTS.__getitem__)


def flat(path):
    return f"lora_unet_{path.replace('.', '_')}"


def moved(tensors, seed=1):
    """Return tensors with other numbers than those that begin without an effect."""
    source = torch.Generator().manual_seed(seed)
    return {
        key: tensor
        if key.endswith("alpha")
        else tensor + 0.3 * torch.randn(tensor.shape, generator=source)
        for key, tensor in tensors.items()
    }


def read(tensors):
    """Return each changed weight as the reader has it."""
    return {
        name: WEIGHTS[name] + whole(change, WEIGHTS[name].shape)
        for name, change in changes_of(tensors, MODEL).items()
    }


LYCORIS: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "LoRA": (LoConModule, LINEAR, {"lora_dim": 2, "alpha": 1}),
    "LoCon": (LoConModule, CONV, {"lora_dim": 2, "alpha": 3}),
    "Tucker": (LoConModule, CONV, {"lora_dim": 2, "use_tucker": True}),
    "DoRA": (LoConModule, LINEAR, {"lora_dim": 2, "weight_decompose": True}),
    "DoRA of inputs": (
        LoConModule,
        LINEAR,
        {"lora_dim": 2, "weight_decompose": True, "wd_on_out": False},
    ),
    "DoRA of inputs of a square weight": (
        LoConModule,
        SQUARE,
        {"lora_dim": 2, "weight_decompose": True, "wd_on_out": False},
    ),
    "DoRA of a convolution": (
        LoConModule,
        CONV,
        {"lora_dim": 2, "weight_decompose": True},
    ),
    "DoRA of inputs of a convolution": (
        LoConModule,
        CONV,
        {"lora_dim": 2, "weight_decompose": True, "wd_on_out": False},
    ),
    "LoHa": (LohaModule, LINEAR, {"lora_dim": 2}),
    "LoHa of a convolution": (LohaModule, CONV, {"lora_dim": 2}),
    "LoHa with cores": (LohaModule, CONV, {"lora_dim": 2, "use_tucker": True}),
    "LoHa with magnitudes": (
        LohaModule,
        LINEAR,
        {"lora_dim": 2, "weight_decompose": True},
    ),
    "LoKr": (LokrModule, LINEAR, {"lora_dim": 1, "alpha": 1, "factor": 2}),
    "LoKr of two products": (
        LokrModule,
        LINEAR,
        {"lora_dim": 1, "alpha": 1, "decompose_both": True, "factor": 4},
    ),
    "LoKr without factors": (LokrModule, LINEAR, {"lora_dim": 64, "factor": 2}),
    "LoKr of a convolution": (
        LokrModule,
        CONV,
        {"lora_dim": 1, "alpha": 1, "factor": 2},
    ),
    "LoKr with a core": (
        LokrModule,
        CONV,
        {"lora_dim": 1, "alpha": 1, "factor": 2, "use_tucker": True},
    ),
    "OFT": (DiagOFTModule, LINEAR, {"lora_dim": 4}),
    "OFT, held": (DiagOFTModule, LINEAR, {"lora_dim": 4, "constraint": 0.01}),
    "OFT, rescaled": (DiagOFTModule, LINEAR, {"lora_dim": 4, "rescaled": True}),
    "OFT of a convolution": (DiagOFTModule, CONV, {"lora_dim": 4}),
    "BOFT": (ButterflyOFTModule, LINEAR, {"lora_dim": 4}),
    "BOFT, rescaled": (ButterflyOFTModule, CONV, {"lora_dim": 4, "rescaled": True}),
    "GLoRA": (GLoRAModule, LINEAR, {"lora_dim": 2, "alpha": 1}),
    "GLoRA of a convolution": (GLoRAModule, CONV, {"lora_dim": 2, "alpha": 1}),
    "full": (FullModule, LINEAR, {}),
    "full of a convolution": (FullModule, CONV, {}),
    "norms": (NormModule, NORM, {}),
}


def as_lycoris_merges(kind, path, settings):
    """Return the tensors of a file, and LyCORIS's own merged weight and bias."""
    module = kind(flat(path), MODULES[path], 1.0, **{"alpha": 2, **settings})
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            source = torch.Generator().manual_seed(len(name))
            parameter += 0.3 * torch.randn(parameter.shape, generator=source)
        own = module.custom_state_dict() or module.state_dict()
        if kind is FullModule:  # outside of a network, it holds the change itself
            own = {"diff": module.weight, "diff_b": module.bias}
        shape = None if kind is NormModule else MODULES[path].weight.shape
        weight, bias = module.get_merged_weight(shape=shape)
    tensors = {f"{flat(path)}.{key}": t.detach().clone() for key, t in own.items()}
    return tensors, (weight, bias)


@pytest.mark.parametrize("kind", LYCORIS)
def test_an_adapter_of_lycoris_is_read_as_lycoris_merges_it(kind):
    tensors, (weight, bias) = as_lycoris_merges(*LYCORIS[kind])
    path = LYCORIS[kind][1]

    found = read(tensors)

    torch.testing.assert_close(
        found[f"unet.{path}.weight"], weight, atol=1e-5, rtol=1e-5
    )
    if bias is not None:
        torch.testing.assert_close(found[f"unet.{path}.bias"], bias)
    assert not torch.equal(weight, WEIGHTS[f"unet.{path}.weight"])


def as_peft_merges(config, path):
    """Return the tensors of a file, and peft's own merged weight."""
    tensors, merged = merged_by_peft(config, path)
    return tensors, merged.weight


def merged_by_peft(config, path):
    """Return the tensors of a file, and the module as peft merges it."""
    holder = nn.ModuleDict({"inside": copy.deepcopy(MODULES[path])})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        adapted = get_peft_model(holder, config)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if parameter.requires_grad:
                source = torch.Generator().manual_seed(len(name))
                parameter += 0.3 * torch.randn(parameter.shape, generator=source)
        own = get_peft_model_state_dict(adapted)
        tensors = {key: tensor.detach().clone() for key, tensor in own.items()}
        merged = adapted.merge_and_unload()["inside"]
    return {key.replace("inside", path): t for key, t in tensors.items()}, merged


PEFT: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "DoRA": (LoraConfig, LINEAR, {"lora_alpha": 6, "use_dora": True}),
    "DoRA of a square weight": (LoraConfig, SQUARE, {"use_dora": True}),
    "DoRA of a convolution": (LoraConfig, CONV, {"lora_alpha": 6, "use_dora": True}),
    "LoHa": (LoHaConfig, LINEAR, {"alpha": 6}),
    "LoHa of a convolution": (
        LoHaConfig,
        CONV,
        {"alpha": 6, "use_effective_conv2d": True},
    ),
    "LoKr": (LoKrConfig, LINEAR, {"alpha": 6}),
    "LoKr of two products": (LoKrConfig, SQUARE, {"alpha": 1, "decompose_both": True}),
    "LoKr of a convolution": (
        LoKrConfig,
        CONV,
        {"alpha": 6, "use_effective_conv2d": True},
    ),
}


@pytest.mark.parametrize("kind", PEFT)
def test_an_adapter_of_peft_is_read_as_peft_merges_it(kind):
    config, path, settings = PEFT[kind]
    rank = 1 if config is LoKrConfig else 2
    made = config(r=rank, target_modules=["inside"], **settings)
    tensors, merged = as_peft_merges(made, path)
    model = replace(MODEL, scale=Adapter(made.to_dict()).scale)

    change = changes_of(tensors, model)[f"unet.{path}.weight"]

    found = WEIGHTS[f"unet.{path}.weight"] + whole(change, merged.shape)
    torch.testing.assert_close(found, merged, atol=1e-5, rtol=1e-5)


OFT_SETTINGS = {"r": 0, "oft_block_size": 4}
OWN: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "OFT": (OFTConfig, LINEAR, OFT_SETTINGS),
    "OFT of blocks by number": (OFTConfig, LINEAR, {"r": 3, "oft_block_size": 0}),
    "OFT by Cayley": (OFTConfig, LINEAR, {**OFT_SETTINGS, "use_cayley_neumann": False}),
    **{
        f"OFT of {n} terms": (
            OFTConfig,
            LINEAR,
            {**OFT_SETTINGS, "num_cayley_neumann_terms": n},
        )
        for n in (1, 2, 3, 4, 6)
    },
    "OFT of one block": (OFTConfig, SQUARE, {**OFT_SETTINGS, "block_share": True}),
    "OFT, held": (OFTConfig, LINEAR, {**OFT_SETTINGS, "coft": True, "eps": 0.3}),
    "OFT of a convolution": (OFTConfig, CONV, {"r": 0, "oft_block_size": 12}),
    "BOFT": (BOFTConfig, LINEAR, {"boft_block_size": 4}),
    "BOFT of a convolution": (BOFTConfig, CONV, {"boft_block_size": 6}),
    "IA3": (IA3Config, LINEAR, {"feedforward_modules": []}),
    "IA3 of inputs": (IA3Config, LINEAR, {"feedforward_modules": ["inside"]}),
    "IA3 without a bias": (IA3Config, SQUARE, {"feedforward_modules": []}),
    "IA3 of a square weight's inputs": (
        IA3Config,
        SQUARE,
        {"feedforward_modules": ["inside"]},
    ),
    "IA3 of a convolution": (IA3Config, CONV, {"feedforward_modules": []}),
    "IA3 of a convolution's inputs": (
        IA3Config,
        CONV,
        {"feedforward_modules": ["inside"]},
    ),
    "IA3 of a square convolution": (IA3Config, WIDE, {"feedforward_modules": []}),
    "IA3 of a square convolution's inputs": (
        IA3Config,
        WIDE,
        {"feedforward_modules": ["inside"]},
    ),
    "VeRA": (VeraConfig, LINEAR, {"r": 3}),
    "VeRA of a square weight": (VeraConfig, SQUARE, {"r": 3}),
}


@pytest.mark.filterwarnings("ignore:Failed to load the CUDA extension")
@pytest.mark.filterwarnings("ignore:Setting boft_n_butterfly_factor to 1")
@pytest.mark.parametrize("kind", OWN)
def test_a_method_of_peft_alone_is_read_as_peft_merges_it(kind):
    config, path, settings = OWN[kind]
    made = config(target_modules=["inside"], **settings)
    tensors, merged = merged_by_peft(made, path)
    named = [path if each == "inside" else each for each in inputs_of(settings)]
    said = {**made.to_dict(), "feedforward_modules": named}
    model = replace(MODEL, settings=Adapter(said).settings)

    changes = changes_of(tensors, model)

    wanted = {f"unet.{path}.weight": merged.weight}
    if merged.bias is not None and not torch.equal(merged.bias, MODULES[path].bias):
        wanted[f"unet.{path}.bias"] = merged.bias
    assert changes.keys() == wanted.keys()
    for name, new in wanted.items():
        found = WEIGHTS[name] + whole(changes[name], new.shape)
        torch.testing.assert_close(found, new, atol=1e-5, rtol=1e-5)
        assert not torch.equal(new, WEIGHTS[name]) or "of 1 terms" in kind


def inputs_of(settings):
    return settings.get("feedforward_modules", [])


def test_a_boft_of_several_stages_has_peft_s_own_order_of_inputs():
    """peft makes several stages on a GPU alone; here its permutations are called."""
    source = torch.Generator().manual_seed(0)
    stages = 0.3 * torch.randn(3, 8, 2, 2, generator=source, dtype=torch.float64)
    factors = torch.rand(16, 1, generator=source, dtype=torch.float64)
    layer = BOFTLayer(nn.Linear(16, 16))
    matrix = torch.eye(16).double()
    for i, stage in enumerate(stages):
        order = layer.block_butterfly_perm(16, 8 // 2**i, 1, 2)
        mixed = layer.perm2mat(order).double()
        blocks = torch.block_diag(*layer.cayley_batch(stage.float()).double())
        matrix = mixed @ blocks @ mixed.T @ matrix
    wanted = WEIGHTS[f"unet.{SQUARE}.weight"].double() @ matrix.T * factors

    found = read({f"unet.{SQUARE}.boft_R": stages, f"unet.{SQUARE}.boft_s": factors})

    torch.testing.assert_close(
        found[f"unet.{SQUARE}.weight"].double(), wanted, atol=1e-5, rtol=1e-5
    )


def test_a_vera_stays_two_factors_of_its_own_rank():
    made = VeraConfig(target_modules=["inside"], r=3)
    tensors, _ = merged_by_peft(made, LINEAR)

    (change,) = changes_of(tensors, MODEL).values()

    assert isinstance(change, tuple)
    assert [tuple(each.shape) for each in change] == [(16, 3), (3, 12)]


def test_a_vera_without_its_shared_matrices_says_what_to_type():
    tensors, _ = merged_by_peft(VeraConfig(target_modules=["inside"], r=3), LINEAR)
    own = {key: tensor for key, tensor in tensors.items() if "lambda" in key}

    with pytest.raises(DeltaError, match="its layers share") as refused:
        changes_of(own, MODEL)

    assert "save_projection=True" in refused.value.fix


def test_factors_that_may_be_of_inputs_or_outputs_ask_for_the_settings():
    with pytest.raises(DeltaError, match="for its inputs or its outputs") as refused:
        read({f"unet.{WIDE}.ia3_l": torch.ones(1, 8, 1, 1)})

    assert "feedforward_modules" in refused.value.fix


def pair(path, rank=2):
    """Return the tensors of a LoRA of one module, by the end of their keys."""
    source = torch.Generator().manual_seed(2)
    d_out, d_in = WEIGHTS[f"unet.{path}.weight"].shape[:2]
    return {
        "lora_up.weight": torch.randn(d_out, rank, generator=source),
        "lora_down.weight": torch.randn(rank, d_in, generator=source),
    }


def at(path, tensors):
    return {f"{flat(path)}.{end}": tensor for end, tensor in tensors.items()}


def test_a_change_of_low_rank_stays_two_factors_and_another_one_is_whole():
    tucker, _ = as_lycoris_merges(*LYCORIS["Tucker"])
    hadamard, _ = as_lycoris_merges(*LYCORIS["LoHa"])

    (left, right), *_ = changes_of(tucker, MODEL).values()
    (change,) = changes_of(hadamard, MODEL).values()

    assert (left.shape, right.shape) == ((16, 2), (2, 8 * 9))
    assert isinstance(change, torch.Tensor)


def test_a_file_of_an_old_glora_has_its_factors_in_the_other_order():
    new, _ = as_lycoris_merges(*LYCORIS["GLoRA"])
    stem = flat(LINEAR)
    swapped = {"a1": "a2", "a2": "a1", "b1": "b2", "b2": "b1"}
    old = {
        f"{stem}.{swapped[each]}.weight": new[f"{stem}.{each}.weight"]
        for each in swapped
    }
    old[f"{stem}.alpha"] = new[f"{stem}.alpha"]

    again, expected = read(old), read(new)

    assert all(torch.equal(again[name], expected[name]) for name in expected)


def test_a_bias_beside_a_lora_is_changed_as_well():
    bias = torch.arange(16.0)

    found = read(at(LINEAR, {**pair(LINEAR), "diff_b": bias}))

    assert found.keys() == {f"unet.{LINEAR}.weight", f"unet.{LINEAR}.bias"}
    assert torch.equal(
        found[f"unet.{LINEAR}.bias"], WEIGHTS[f"unet.{LINEAR}.bias"] + bias
    )


def test_a_new_value_replaces_the_weight():
    new = torch.arange(192.0).reshape(16, 12)

    found = read({f"unet.{LINEAR}.set_weight": new})

    torch.testing.assert_close(found[f"unet.{LINEAR}.weight"], new)


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2], ids=str)
def test_factors_in_eight_bits_are_taken_for_their_numbers(dtype):
    small = {end: tensor.to(dtype) for end, tensor in pair(LINEAR).items()}
    wide = {end: tensor.float() for end, tensor in small.items()}

    found, expected = read(at(LINEAR, small)), read(at(LINEAR, wide))

    assert all(torch.equal(found[name], expected[name]) for name in expected)


WRONG = {
    "half a LoHa": ({"hada_w1_a": torch.ones(16, 2)}, "its 'hada_w1_b' is missing"),
    "a LoKr of another size": (
        {"lokr_w1": torch.ones(4, 3), "lokr_w2": torch.ones(4, 3)},
        r"makes a change of \[16, 9\], and the weight is \[16, 12\]",
    ),
    "a difference of another size": ({"diff": torch.ones(3)}, "makes a change of"),
    "blocks of another size": (
        {"oft_blocks": torch.zeros(3, 4, 4)},
        r"is \[3, 4, 4\], and the weight is \[16, 12\]",
    ),
    "numbers of no block": (
        {"oft_R.weight": torch.zeros(3, 5)},
        r"is \[3, 5\], and the weight is \[16, 12\]",
    ),
    "stages of another size": (
        {"boft_R": torch.zeros(1, 3, 2, 2), "boft_s": torch.ones(16, 1)},
        r"is \[1, 3, 2, 2\], and the weight is \[16, 12\]",
    ),
    "stages alone": ({"boft_R": torch.zeros(1, 3, 4, 4)}, "its 'boft_s' is missing"),
    "factors of another size": (
        {"ia3_l": torch.ones(7, 1)},
        r"is \[7, 1\], and the weight is \[16, 12\]",
    ),
    "magnitudes of another size": (
        {**pair(LINEAR), "dora_scale": torch.ones(5, 1)},
        r"is \[5, 1\], and the weight \[16, 12\]",
    ),
    "two methods": (
        {**pair(LINEAR), "diff": torch.ones(16, 12)},
        "in one module with tensors of a LoRA and of a full difference",
    ),
    "a bias of another size": ({"diff_b": torch.ones(5)}, r"is \[5\], the bias \[16"),
    "an alpha alone": ({"alpha": torch.ones(())}, "has no partner"),
}


@pytest.mark.parametrize(("given", "said"), WRONG.values(), ids=WRONG.keys())
def test_tensors_that_make_no_change_of_the_weight_are_refused(given, said):
    with pytest.raises(DeltaError, match=said):
        read(at(LINEAR, given))


def test_a_bias_of_a_module_without_one_is_refused():
    with pytest.raises(DeltaError, match="no bias in this model"):
        read(at(SQUARE, {"diff_b": torch.ones(16)}))
