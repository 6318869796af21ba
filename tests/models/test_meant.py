"""What lies there twice or is built otherwise is refused: it may mean two things."""

import json
import shutil

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file, save_file

from unlearnlog.checkpoints.config_diff import unlike_network, unlike_noise
from unlearnlog.checkpoints.finetuned_model import derived
from unlearnlog.errors import DeltaError, ModelError
from unlearnlog.models.pipeline_folder import PipelineFolder

WEIGHTS = "diffusion_pytorch_model.safetensors"
TO_K = "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k"


def factors(value=0.1, name=""):
    """A LoRA of one text projection, in the keys of peft."""
    end = f"{name}.weight"
    return {
        f"{TO_K}.lora_A{end}": torch.full((2, 32), value),
        f"{TO_K}.lora_B{end}": torch.full((32, 2), value),
    }


def pefts(tensors):
    return {f"base_model.model.{key}": tensor for key, tensor in tensors.items()}


def test_weights_that_lie_there_whole_and_in_shards_are_refused(tuned, state):
    """diffusers takes the shards and transformers the whole file."""
    unet = UNet2DConditionModel.from_pretrained(tuned / "unet")
    unet.save_pretrained(tuned / "shards", max_shard_size="60KB")
    for file in (tuned / "shards").glob("diffusion*"):
        shutil.copy(file, tuned / "unet")

    with pytest.raises(ModelError, match="holds its weights twice, in diffusion_py"):
        derived(tuned, state)
    with pytest.raises(ModelError, match="holds its weights twice"):
        PipelineFolder.read(tuned)

    (tuned / "unet" / WEIGHTS).unlink()
    assert derived(tuned, state).moved == {}


@pytest.mark.parametrize("name", ["unet", "text_encoder"])
def test_an_adapter_in_a_component_s_own_folder_is_refused(tuned, state, name):
    save_file(factors(), tuned / name / "pytorch_lora_weights.safetensors")

    with pytest.raises(ModelError, match="an adapter, 'pytorch_lora_weights"):
        derived(tuned / name, state)


def test_an_adapter_beside_a_trainer_s_state_is_read(tmp_path, tuned, state):
    """accelerate saves the state beside it, and nobody loads that as a model."""
    save_file(load_file(tuned / "unet" / WEIGHTS), tmp_path / "model.safetensors")
    save_file(factors(), tmp_path / "pytorch_lora_weights.safetensors")

    found = derived(tmp_path, state)

    assert found.form == "lora"
    assert found.notes == (
        "'model.safetensors' beside it was not read: audit it by itself",
    )


def test_a_stray_file_of_another_library_is_not_the_weights_twice(tuned, state):
    save_file({"x": torch.zeros(1)}, tuned / "unet" / "model.safetensors")

    assert derived(tuned, state).moved == {}


def test_a_folder_that_does_not_say_how_it_is_built_is_not_plain(tuned, state):
    assert derived(tuned, state).is_plain

    (tuned / "text_encoder" / "config.json").unlink()

    assert not derived(tuned, state).is_plain


def test_two_adapters_in_one_folder_are_refused(tmp_path, state):
    for name in ("pytorch_lora_weights", "adapter_model"):
        save_file(factors(), tmp_path / f"{name}.safetensors")

    with pytest.raises(ModelError, match=r"two adapters, pytorch_.* and adapter_"):
        derived(tmp_path, state)


def test_an_adapter_beside_those_of_the_components_is_spoken_of(tmp_path, state):
    (tmp_path / "unet").mkdir()
    own = tmp_path / "unet" / "pytorch_lora_weights.safetensors"
    save_file(factors(), own)
    save_file(factors(), tmp_path / own.name)

    found = derived(tmp_path, state)

    assert found.moved["unet"] > 0
    assert found.notes == (f"'{own.name}' beside it was not read: audit it by itself",)


@pytest.mark.parametrize("module", ["to_k", "to_v"])
def test_two_adapters_in_one_file_are_refused(tmp_path, state, module):
    path = tmp_path / "two.safetensors"
    second = {
        key.replace("to_k", module): tensor
        for key, tensor in factors(0.0, ".second").items()
    }
    save_file({**factors(name=".first"), **second}, path)

    with pytest.raises(DeltaError, match=r"more than one adapter: .*first.* and .*sec"):
        derived(path, state)


@pytest.mark.parametrize("before", ["", "unet."])
@pytest.mark.parametrize("name", ["adapter_model", "my_lora"])
def test_peft_s_alpha_is_read_whatever_the_file_is_called(
    tmp_path, state, name, before
):
    """peft writes it into a file beside the tensors, and scales by alpha over rank."""
    path = tmp_path / f"{name}.safetensors"
    save_file({before + key: t for key, t in pefts(factors()).items()}, path)
    with pytest.raises(ModelError, match=r"the scale of .* is unknown"):
        derived(path, state)

    config = tmp_path / "adapter_config.json"
    config.write_text(json.dumps({"r": 2, "lora_alpha": 16}))
    weight = derived(path, state).weights[f"unet.{TO_K}.weight"]

    old = state[f"unet.{TO_K}.weight"].float()
    assert torch.allclose(weight - old, torch.full_like(old, 8 * 2 * 0.1**2))


@pytest.mark.parametrize("alpha", ["NaN", "Infinity", "1" + "0" * 400])
def test_an_alpha_that_is_no_number_is_refused(tmp_path, state, alpha):
    save_file(pefts(factors()), tmp_path / "adapter_model.safetensors")
    config = tmp_path / "adapter_config.json"
    config.write_text(f'{{"r": 2, "lora_alpha": {alpha}}}')

    with pytest.raises(
        ModelError, match=f"alpha for '{TO_K}' is (nan|inf|no number|too large)"
    ):
        derived(tmp_path, state)


def test_an_averaged_variant_is_read_only_when_it_is_asked_for(tuned, state):
    whole = tuned / "unet" / WEIGHTS
    tensors = load_file(whole)
    moved = {n: t + 0.01 for n, t in tensors.items()}
    whole.unlink()
    stem = tuned / "unet" / "diffusion_pytorch_model"
    save_file(tensors, stem.with_suffix(".ema.safetensors"))
    save_file(moved, stem.with_suffix(".non_ema.safetensors"))

    last, averaged = derived(tuned, state), derived(tuned, state, ema=True)

    assert last.moved["unet"] > 0
    assert last.notes == ("the variant 'non_ema' of 'unet' was read",)
    assert averaged.moved == {}


def said(folder, file, **changes):
    """Write something else into a configuration."""
    path = folder / file
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("file", "name", "value"),
    [
        ("unet/config.json", "attention_head_dim", 4),
        ("vae/config.json", "scaling_factor", 0.5),
        ("text_encoder/config.json", "num_attention_heads", 8),
        ("scheduler/scheduler_config.json", "beta_end", 0.5),
    ],
)
def test_weights_that_are_used_otherwise_are_refused(tuned, state, file, name, value):
    """Shapes do not tell: the same numbers paint other pictures."""
    said(tuned, file, **{name: value})

    with pytest.raises(ModelError, match=rf"{name} is {value}, the base's "):
        derived(tuned, state)


def test_what_changes_no_picture_is_no_difference(tuned, state):
    said(tuned, "unet/config.json", sample_size=64, dropout=0.1, _name_or_path="x")
    said(tuned, "text_encoder/config.json", dtype="float16", attention_dropout=0.1)
    said(tuned, "scheduler/scheduler_config.json", solver_order=1)

    assert derived(tuned, state).moved == {}


def test_what_only_one_of_two_configurations_says_is_left_alone():
    assert not unlike_network({"a": 1, "b": 2}, {"a": 1, "c": 3})
    assert unlike_network({"a": 1}, {"a": None}) == "a is 1, the base's None"
    assert not unlike_noise({}, {"beta_end": 0.1})
    assert "epsilon" in unlike_noise({}, {"prediction_type": "v_prediction"})


def test_a_configuration_inside_is_compared_key_by_key():
    """Qwen2.5-VL's and Mistral's; a library that saves it again writes its dtype."""
    ours = {"text_config": {"hidden_act": "silu", "use_cache": True}}
    saved_again = {"text_config": {"hidden_act": "silu", "dtype": "float32"}}
    other = {"text_config": {"hidden_act": "gelu", "use_cache": False}}

    assert unlike_network(saved_again, ours) == ""
    assert unlike_network(other, ours) == (
        "text_config.hidden_act is 'gelu', the base's 'silu'"
    )
