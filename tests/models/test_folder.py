import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from unlearnlog.errors import ModelError
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.pipeline_folder import PipelineFolder

UNET = "unet/diffusion_pytorch_model.safetensors"


def said_by(folder):
    """Load a folder that cannot be loaded; give the error's two lines."""
    with pytest.raises(ModelError) as caught:
        DiffusersModel.load(folder)
    return str(caught.value)


def set_index(folder, **changes):
    file = folder / "model_index.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    said = said_by(tmp_path / "nowhere")

    assert f"'{tmp_path / 'nowhere'}'" in said


def test_a_folder_without_an_index_is_no_pipeline(tmp_path):
    said = said_by(tmp_path)

    assert f"'{tmp_path}' is no diffusers pipeline" in said
    assert "save_pretrained" in said


def test_a_checkpoint_file_is_refused_with_the_way_to_convert_it(tmp_path):
    file = tmp_path / "model.ckpt"
    file.write_bytes(b"anything")

    said = said_by(file)

    assert f"'{file}' is a pickle, which can run code when it is loaded" in said
    assert "from_single_file('model.ckpt')" in said


CLIP_L, T5 = "text_encoders.clip_l.x", "text_encoders.t5xxl.x"
SD3, FLUX = (
    "model.diffusion_model.joint_blocks.0.x",
    ("double_blocks.0.img_attn.norm.key_norm.scale"),
)


@pytest.mark.parametrize(
    ("keys", "typed"),
    [
        (
            (FLUX,),
            "FluxPipeline.from_pretrained('MODEL_FOLDER', transformer="
            "FluxTransformer2DModel.from_single_file('m.safetensors'))"
            ".save_pretrained('NEW_FOLDER'); MODEL_FOLDER is any FLUX.1 in diffusers'",
        ),
        (
            (SD3,),
            "StableDiffusion3Pipeline.from_pretrained('MODEL_FOLDER', transformer="
            "SD3Transformer2DModel.from_single_file('m.safetensors'))",
        ),
        (
            (SD3, CLIP_L),
            "StableDiffusion3Pipeline.from_single_file('m.safetensors', "
            "text_encoder_3=None, tokenizer_3=None).save_pretrained('NEW_FOLDER')",
        ),
        (
            (SD3, CLIP_L, T5),
            "StableDiffusion3Pipeline.from_single_file('m.safetensors')"
            ".save_pretrained('NEW_FOLDER')",
        ),
        (
            (FLUX, CLIP_L, T5),
            "FluxPipeline.from_single_file('m.safetensors').save_pretrained(",
        ),
    ],
)
def test_a_single_file_of_a_transformer_is_refused_with_what_to_type(
    tmp_path, keys, typed
):
    file = tmp_path / "m.safetensors"
    save_file({key: torch.zeros(1) for key in keys}, file)

    said = said_by(file)

    assert f"'{file}' is no single file of Stable Diffusion 1, 2 or XL" in said
    assert f"convert it with diffusers: {typed}" in said


def test_a_component_is_refused_and_its_pipeline_is_offered(tiny_folder):
    said = said_by(tiny_folder / "unet")

    assert f"fix: give the pipeline's folder: {tiny_folder}" in said


@pytest.mark.parametrize("content", ["", "[1, 2]", '{"_class_name": "Stab'])
def test_a_damaged_index_is_named(spare_folder, content):
    (spare_folder / "model_index.json").write_text(content)

    said = said_by(spare_folder)

    assert str(spare_folder / "model_index.json") in said


@pytest.mark.parametrize(
    "pipeline", ["PRXPipeline", "HiDreamImagePipeline", "FluxFillPipeline"]
)
def test_another_family_is_refused_by_its_name(spare_folder, pipeline):
    set_index(spare_folder, _class_name=pipeline)

    said = said_by(spare_folder)

    assert pipeline in said
    assert str(spare_folder) in said


@pytest.mark.parametrize(
    "component", ["unet", "vae", "text_encoder", "tokenizer", "scheduler"]
)
def test_a_missing_component_is_named(spare_folder, component):
    shutil.rmtree(spare_folder / component)

    said = said_by(spare_folder)

    assert f"'{spare_folder}' has no {component}\n" in said


@pytest.mark.parametrize("component", ["unet", "vae", "text_encoder", "scheduler"])
def test_a_component_without_its_config_is_named(spare_folder, component):
    for config in (spare_folder / component).glob("*config.json"):
        config.unlink()

    said = said_by(spare_folder)

    assert f"the {component} of '{spare_folder}'" in said


@pytest.mark.parametrize("component", ["unet", "vae", "text_encoder"])
def test_pickled_weights_are_refused_before_anything_is_loaded(spare_folder, component):
    (weights,) = (spare_folder / component).glob("*.safetensors")
    weights.rename(weights.with_suffix(".bin"))

    said = said_by(spare_folder)

    assert f"'{spare_folder / component}' holds its weights as a pickle" in said
    assert "convert it with diffusers" in said


def test_a_lone_variant_is_refused_with_the_way_to_save_it_plainly(spare_folder):
    (spare_folder / UNET).rename(
        spare_folder / "unet" / "diffusion_pytorch_model.fp16.safetensors"
    )

    said = said_by(spare_folder)

    assert "only the variant" in said
    assert "variant='fp16'" in said


def test_a_component_without_weights_says_so(spare_folder):
    (spare_folder / UNET).unlink()

    said = said_by(spare_folder)

    assert f"'{spare_folder / 'unet'}' holds no weights" in said


def test_a_file_that_was_cut_short_is_named(spare_folder):
    data = (spare_folder / UNET).read_bytes()
    (spare_folder / UNET).write_bytes(data[: len(data) // 2])

    said = said_by(spare_folder)

    assert UNET in said


def test_weights_of_another_model_are_refused(spare_folder):
    weights = load_file(spare_folder / UNET)
    del weights["conv_in.weight"]
    save_file(weights, spare_folder / UNET)

    said = said_by(spare_folder)

    assert "conv_in.weight" in said


def test_a_text_encoder_with_the_names_of_older_checkpoints_is_read(spare_folder):
    file = spare_folder / "text_encoder" / "model.safetensors"
    expected = DiffusersModel.load(spare_folder).encode(["a cat"]).tokens
    weights = {f"text_model.{name}": value for name, value in load_file(file).items()}
    weights["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    save_file(weights, file, metadata={"format": "pt"})

    model = DiffusersModel.load(spare_folder)

    assert torch.equal(model.encode(["a cat"]).tokens, expected)


def test_another_kind_of_unet_is_refused(spare_folder):
    set_index(spare_folder, unet=["somewhere", "UNetOfMine"])

    said = said_by(spare_folder)

    assert f"the unet of '{spare_folder}' is a UNetOfMine" in said


@pytest.mark.parametrize("name", ["EtaScheduler", "UNet2DModel", "os"])
def test_a_scheduler_that_diffusers_does_not_have_is_named(spare_folder, name):
    set_index(spare_folder, scheduler=["diffusers", name])

    said = said_by(spare_folder)

    assert f"is a {name}" in said


@pytest.mark.parametrize("prediction", ["sample", "flow_prediction"])
def test_a_prediction_that_is_neither_noise_nor_velocity_is_refused(
    spare_folder, prediction
):
    file = spare_folder / "scheduler" / "scheduler_config.json"
    config = json.loads(file.read_text()) | {"prediction_type": prediction}
    file.write_text(json.dumps(config))

    said = said_by(spare_folder)

    assert f"'{prediction}'" in said


def test_stored_weights_are_read_in_the_dtype_on_disk(tiny_folder):
    stored = PipelineFolder.read(tiny_folder).stored("unet", "vae")

    dtypes = {tensor.dtype for tensor in stored.values()}

    assert dtypes == {torch.float16}
    assert len(stored) == len(set(stored))
    assert {name.partition(".")[0] for name in stored} == {"unet", "vae"}


def test_shards_hold_what_the_whole_file_holds(spare_folder):
    whole = dict(PipelineFolder.read(spare_folder).stored("unet"))

    shard(spare_folder)

    sharded = PipelineFolder.read(spare_folder).stored("unet")
    assert sharded.keys() == whole.keys()
    assert all(torch.equal(sharded[name], whole[name]) for name in whole)


@pytest.mark.parametrize("place", ["../vae/x.safetensors", "absent.safetensors"])
def test_an_index_of_shards_cannot_point_elsewhere(spare_folder, place):
    shard(spare_folder)
    index = spare_folder / f"{UNET}.index.json"
    index.write_text(json.dumps({"weight_map": {"conv_in.weight": place}}))
    (spare_folder / "vae" / "x.safetensors").write_bytes(b"")

    said = said_by(spare_folder)

    assert f"'{index}' names shards that are missing" in said


def shard(folder):
    """Split the UNet's file in two."""
    weights = load_file(folder / UNET)
    (folder / UNET).unlink()
    names = sorted(weights)
    places: dict[str, str] = {}
    for number, part in enumerate((names[::2], names[1::2]), start=1):
        name = f"diffusion_pytorch_model-{number:05}-of-00002.safetensors"
        tensors = {key: weights[key] for key in part}
        save_file(tensors, folder / "unet" / name, metadata={"format": "pt"})
        places |= dict.fromkeys(part, name)
    index = {"metadata": {"total_size": 0}, "weight_map": places}
    (folder / f"{UNET}.index.json").write_text(json.dumps(index))
