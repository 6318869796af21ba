"""Folders of families with a transformer that cannot be read: each with its reason."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.family_table import FAMILY
from unlearnlog.errors import ModelError
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.pipeline_folder import PipelineFolder

WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def sd3(tmp_path_factory):
    return FAMILY["stable-diffusion-3"].saved(tmp_path_factory.mktemp("sd3") / "model")


@pytest.fixture
def spare(sd3, tmp_path):
    """A Stable Diffusion 3 that a test may damage."""
    return shutil.copytree(sd3, tmp_path / "model")


def rewrite(file, **changes):
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, **changes}))


def said_by(folder):
    with pytest.raises(ModelError) as caught:
        PipelineFolder.read(folder)
    return f"{caught.value.message}; fix: {caught.value.fix}"


def test_a_whole_pipeline_is_read(sd3):
    folder = PipelineFolder.read(sd3)

    assert folder.weighed == (
        "transformer",
        "vae",
        "text_encoder",
        "text_encoder_2",
        "text_encoder_3",
    )


def test_without_its_optional_encoder_it_is_read(spare):
    none = {"text_encoder_3": [None, None], "tokenizer_3": [None, None]}
    rewrite(spare / "model_index.json", **none)
    for name in none:
        shutil.rmtree(spare / name)

    assert "text_encoder_3" not in PipelineFolder.read(spare).weighed


@pytest.mark.parametrize("name", ["text_encoder_2", "text_encoder_3", "tokenizer_3"])
def test_an_encoder_that_the_index_names_and_is_missing_is_named(spare, name):
    shutil.rmtree(spare / name)

    assert f"has no {name}" in said_by(spare)


def test_a_network_of_another_family_is_refused_by_both_names(spare):
    index = spare / "model_index.json"
    rewrite(index, transformer=["diffusers", "FluxTransformer2DModel"])

    said = said_by(spare)

    assert "is a FluxTransformer2DModel, not a SD3Transformer2DModel" in said


def test_a_network_for_inpainting_is_refused(spare):
    rewrite(spare / "transformer" / "config.json", in_channels=9)

    said = said_by(spare)

    assert "its transformer reads 9 (in_channels)" in said
    assert "inpainting" in said


def test_an_encoder_of_another_width_is_refused(spare):
    rewrite(spare / "text_encoder_3" / "config.json", d_model=64)

    said = said_by(spare)

    assert "reads 32 (joint_attention_dim), and its text_encoder_3 gives 64" in said


def test_a_quantised_configuration_is_refused(spare):
    config = spare / "transformer" / "config.json"
    rewrite(config, quantization_config={"quant_method": "bitsandbytes"})

    assert "its weights are quantised" in said_by(spare)


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.int8])
def test_a_tensor_in_8_bits_is_refused_by_its_name(spare, dtype):
    file = spare / "transformer" / WEIGHTS
    tensors = load_file(file)
    tensors["context_embedder.weight"] = tensors["context_embedder.weight"].to(dtype)
    save_file(tensors, file)

    with pytest.raises(ModelError, match="quantised") as caught:
        DiffusersModel.load(spare)

    assert "'transformer.context_embedder.weight'" in caught.value.message


def test_a_gguf_file_is_refused_as_quantised(tmp_path):
    file = tmp_path / "flux1-dev-Q4_K_S.gguf"
    file.write_bytes(b"GGUF" + bytes(64))

    assert "its weights are quantised" in said_by(file)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("model.diffusion_model.joint_blocks.0.x", "StableDiffusion3Pipeline"),
        ("double_blocks.0.img_attn.norm.key_norm.scale", "FluxPipeline"),
    ],
)
def test_a_single_file_is_converted_with_the_class_of_its_keys(tmp_path, key, kind):
    file = tmp_path / "model.safetensors"
    save_file({key: torch.zeros(1)}, file)

    said = said_by(file)

    assert f"diffusers: {kind}.from_pretrained('MODEL_FOLDER', transformer=" in said
    assert ".from_single_file('model.safetensors')" in said


def test_a_scheduler_of_noise_prediction_is_refused_for_flow_matching(spare):
    index, config = spare / "model_index.json", spare / "scheduler"
    rewrite(index, scheduler=["diffusers", "DDIMScheduler"])
    (config / "scheduler_config.json").write_text(
        json.dumps({"_class_name": "DDIMScheduler", "num_train_timesteps": 1000})
    )

    with pytest.raises(ModelError, match="none of flow matching"):
        DiffusersModel.load(spare)


def test_a_sharded_base_stays_sharded_and_only_changed_shards_differ(spare, tmp_path):
    folder = spare / "transformer"
    whole = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    names = sorted(whole)
    halves = [names[: len(names) // 2], names[len(names) // 2 :]]
    places: dict[str, str] = {}
    for i, half in enumerate(halves, 1):
        shard = f"diffusion_pytorch_model-0000{i}-of-00002.safetensors"
        save_file({name: whole[name] for name in half}, folder / shard)
        places |= dict.fromkeys(half, shard)
    index = {"metadata": {}, "weight_map": places}
    (folder / f"{WEIGHTS}.index.json").write_text(json.dumps(index))
    model = DiffusersModel.load(spare)
    changed = {"transformer.context_embedder.weight": torch.zeros(32, 32)}

    model.checkout(changed, tmp_path / "out")

    for shard in sorted({*places.values()}):
        same = (folder / shard).read_bytes() == (
            tmp_path / "out" / "transformer" / shard
        ).read_bytes()
        assert same == (places["context_embedder.weight"] != shard)
    again = DiffusersModel.load(tmp_path / "out")
    name = "transformer.context_embedder.weight"
    assert torch.equal(again.base[name], changed[name])
