"""Files as people's tools write them mean what their loaders make of them."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.models.test_single import nudged
from tests.single_files import unet_in
from tests.tiny import build_pipeline
from unlearnlog.checkpoints.finetune_base import FinetuneBase
from unlearnlog.checkpoints.finetuned_model import derived
from unlearnlog.errors import DeltaError, ModelError
from unlearnlog.models.diffusers_model import DiffusersModel

TO_K = "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k"
FLAT = f"lora_unet_{TO_K.replace('.', '_')}"
WEIGHTS = "diffusion_pytorch_model.safetensors"


def kept(tmp_path, tensors):
    path = tmp_path / "given.safetensors"
    save_file({key: t.contiguous() for key, t in tensors.items()}, path)
    return path


@pytest.fixture(scope="module", params=["1.5", "xl"])
def moved(request, tmp_path_factory):
    """A state, and a folder in which every number of it is another one."""
    folder = tmp_path_factory.mktemp("people")
    base = build_pipeline(folder / "base", family=request.param)
    other = build_pipeline(folder / "other", family=request.param)
    nudged(other)
    return FinetuneBase(DiffusersModel.load(base), {}), other


@pytest.mark.parametrize("before", ["", "diffusion_model."])
def test_a_unet_alone_in_original_names_is_read_as_its_folder_is(
    tmp_path, moved, before
):
    """Both were refused: "none of its tensors is the base's"."""
    state, folder = moved
    path = kept(tmp_path, unet_in(folder, before=before))

    found, whole = derived(path, state), derived(folder / "unet", state)

    assert found.form == "component"
    assert not found.is_plain
    assert found.weights.keys() == whole.weights.keys()
    assert all(torch.equal(found.weights[n], t) for n, t in whole.weights.items())


def test_tensors_beside_a_unet_are_counted_and_named(tmp_path, moved):
    state, folder = moved
    tensors = unet_in(folder, before="diffusion_model.")
    path = kept(tmp_path, {**tensors, "ema.decay": torch.ones(1)})

    found = derived(path, state)

    assert "1 of its tensors were not read: 'ema.decay'" in found.notes


def unet_of(state):
    return load_file(state.model.folder.path / "unet" / WEIGHTS)


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2], ids=str)
def test_a_network_in_eight_bits_is_the_base_rounded(tmp_path, state, dtype):
    unet = {name: t.to(dtype) for name, t in unet_of(state).items()}
    name = f"{TO_K}.weight"
    unet[name] = (unet[name].float() + 0.25).to(dtype)

    found = derived(kept(tmp_path, unet), state)

    assert torch.equal(found.weights[f"unet.{name}"], unet[name].float())
    assert found.weights.keys() == state.projections.keys()


@pytest.mark.parametrize(
    ("end", "of_outputs"), [(".scale_weight", False), (".weight_scale", True)]
)
def test_a_scale_is_multiplied_into_a_weight_in_eight_bits(
    tmp_path, state, end, of_outputs
):
    unet, name = unet_of(state), f"{TO_K}.weight"
    scale = torch.linspace(0.5, 1, 32) if of_outputs else torch.tensor(0.5)
    eight = unet[name].float().to(torch.float8_e4m3fn)
    more = {
        f"{TO_K}{end}": scale,
        f"{TO_K}.scale_input": torch.ones(()),
        "scaled_fp8": torch.zeros(2),
    }

    found = derived(kept(tmp_path, {**unet, name: eight, **more}), state)

    expected = eight.float() * (scale[:, None] if of_outputs else scale)
    assert torch.equal(found.weights[f"unet.{name}"], expected)


def test_learned_tokens_beside_a_lora_are_named(tmp_path, state):
    tensors = {
        f"{FLAT}.lora_down.weight": torch.ones(2, 32),
        f"{FLAT}.lora_up.weight": 0.01 * torch.ones(32, 2),
        f"{FLAT}.alpha": torch.tensor(2),
        "bundle_emb.sks.string_to_param.*": torch.ones(1, 32),
    }

    found = derived(kept(tmp_path, tensors), state)

    assert "it brings learned tokens, 'sks', which were not read" in found.notes[0]
    assert found.moved.keys() == {"unet"}


def test_factors_of_two_spellings_are_all_read_and_it_is_said(tmp_path, state):
    to_v = TO_K.replace("to_k", "to_v")
    tensors = {
        f"unet.{TO_K}.lora.down.weight": torch.ones(2, 32),
        f"unet.{TO_K}.lora.up.weight": 0.01 * torch.ones(32, 2),
        f"unet.{to_v}.lora_A.weight": torch.ones(2, 32),
        f"unet.{to_v}.lora_B.weight": 0.01 * torch.ones(32, 2),
    }

    found = derived(kept(tmp_path, tensors), state)

    for each in (TO_K, to_v):
        name = f"unet.{each}.weight"
        change = found.weights[name] - state[name].float()
        torch.testing.assert_close(change, torch.full((32, 32), 0.02))
    assert "diffusers applies a part of them" in found.notes[0]


def test_a_whole_network_of_another_kind_is_named(tmp_path, state):
    path = kept(tmp_path, {"control_model.input_blocks.0.0.weight": torch.ones(2, 2)})

    with pytest.raises(ModelError, match="this is a ControlNet"):
        derived(path, state)


def test_a_lora_of_another_model_is_named(tmp_path, state):
    key = "lora_unet_double_blocks_0_img_attn_qkv.lora_up.weight"

    with pytest.raises(DeltaError, match="this is a LoRA of FLUX"):
        derived(kept(tmp_path, {key: torch.ones(2, 2)}), state)
