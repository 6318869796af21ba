"""A pipeline whose networks cannot paint together is refused before it is loaded."""

import json

import pytest
import torch
from diffusers import (
    AutoencoderKL,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTokenizer

from tests.tiny import build_pipeline, rebuild_unet
from unlearnlog.errors import ModelError
from unlearnlog.models.compatibility import _USUAL, check_fit
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.pipeline_folder import PipelineFolder


def said_by(folder):
    """Return what is said of a folder that is refused before its weights are loaded."""
    with pytest.raises(ModelError) as caught:
        PipelineFolder.read(folder)
    return str(caught.value)


@pytest.mark.parametrize(("n", "task"), [(8, "pix2pix"), (9, "inpainting")])
def test_init_refuses_a_unet_of_another_task(typed, tmp_path, n, task):
    """An inpainting model under `StableDiffusionPipeline` was accepted by `init`.

    `add` then ended in a traceback: the latents that it paints have 4 channels.
    """
    model = rebuild_unet(build_pipeline(tmp_path / "model"), in_channels=n)

    done = typed("init", "--model", str(model))

    assert done.code == 2
    assert f"its UNet reads {n} channels" in done.err
    assert task in done.err
    assert not (tmp_path / ".unlearnlog").exists()


@pytest.mark.parametrize(
    ("family", "component", "changes", "what"),
    [
        ("1.5", "unet", {"cross_attention_dim": 48}, "reads tokens of 48 numbers"),
        ("1.5", "text_encoder", {"hidden_size": 64}, "text encoder returns 64"),
        ("xl", "unet", {"cross_attention_dim": 32}, "text encoders return 32 + 48"),
        ("1.5", "vae", {"latent_channels": 16}, "a latent of its autoencoder has 16"),
        ("1.5", "unet", {"out_channels": 8}, "its UNet predicts 8 channels"),
        ("1.5", "unet", {"sample_size": None}, "no size of its pictures"),
        ("1.5", "unet", {"class_embed_type": "timestep"}, "class_embed_type is 'time"),
        ("1.5", "unet", {"encoder_hid_dim": 64}, "encoder_hid_dim is 64"),
        ("1.5", "unet", {"addition_embed_type": "image"}, "embed_type is 'image'"),
        ("xl", "unet", {"addition_embed_type": None}, "neither a pooled text"),
        ("xl", "text_encoder_2", {"projection_dim": 48}, "a pooled text of 48"),
        ("xl", "unet", {"addition_time_embed_dim": 16}, "6 sizes of 16"),
        ("xl", "vae", {"latents_mean": [0.1] * 4}, "shifts its latents"),
    ],
)
def test_networks_that_do_not_fit_each_other_are_refused(
    tiny, xl, family, component, changes, what
):
    folder = {"1.5": tiny, "xl": xl}[family].folder
    configs = folder.configs
    configs[component] |= changes

    with pytest.raises(ModelError) as caught:
        check_fit(folder.path, folder.family, configs)

    assert f"'{folder.path}' cannot paint from text: " in caught.value.message
    assert what in caught.value.message


def test_an_sdxl_that_lost_its_second_encoder_is_refused(tmp_path):
    """The fix line for an fp16-only SDXL made such a wreck, and `init` accepted it."""
    folder = build_pipeline(tmp_path / "model", family="xl")
    index = json.loads((folder / "model_index.json").read_text())
    wreck = {k: v for k, v in index.items() if not k.endswith("_2")}
    wreck["_class_name"] = "StableDiffusionPipeline"
    (folder / "model_index.json").write_text(json.dumps(wreck))

    said = said_by(folder)

    assert "its UNet is an SDXL's, which reads two text encoders" in said
    assert "StableDiffusionXLPipeline" in said.partition("fix:")[2]


def test_a_token_without_a_vector_is_refused(tmp_path):
    """A prompt that names it would end in an index that is out of range."""
    folder = build_pipeline(tmp_path / "model")
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    tokenizer.add_tokens(["<pic>"])
    tokenizer.save_pretrained(folder / "tokenizer")

    with pytest.raises(ModelError, match="the last is '<pic>'"):
        DiffusersModel.load(folder)


def test_configs_that_leave_out_what_is_usual_are_accepted(tiny):
    """Old files say less: what they leave out is what the classes take."""
    folder = tiny.folder
    usual = {"in_channels", "out_channels", "latent_channels", "class_embed_type"}
    configs = {
        name: {key: value for key, value in config.items() if key not in usual}
        for name, config in folder.configs.items()
    }

    check_fit(folder.path, folder.family, configs)


def as_variant(folder):
    """Call all weights of a folder those of the variant ``fp16``."""
    for file in folder.glob("*/*.safetensors"):
        file.rename(file.with_suffix(".fp16.safetensors"))
    return folder


@pytest.mark.parametrize(
    ("family", "kind"),
    [("1.5", "StableDiffusionPipeline"), ("xl", "StableDiffusionXLPipeline")],
)
def test_the_way_to_save_a_variant_plainly_names_the_folders_own_class(
    tmp_path, family, kind
):
    folder = as_variant(build_pipeline(tmp_path / "model", family=family))

    said = said_by(folder)

    assert f"{kind}.from_pretrained('{folder}', variant='fp16')" in said


@pytest.mark.slow
@pytest.mark.parametrize("family", ["1.5", "xl"])
def test_who_obeys_the_way_to_save_a_variant_gets_a_folder_that_is_accepted(
    tmp_path, monkeypatch, family
):
    monkeypatch.chdir(tmp_path)
    folder = as_variant(build_pipeline(tmp_path / "model", family=family))
    fix = said_by(folder).partition("without one: ")[2]
    known = {
        each.__name__: each
        for each in (StableDiffusionPipeline, StableDiffusionXLPipeline)
    }

    eval(fix, known)

    made = DiffusersModel.load(tmp_path / "model-safetensors")
    assert made.encode(["a cat"]).tokens.isfinite().all()


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("cond_stage_model.transformer.x", "StableDiffusionPipeline"),
        ("conditioner.embedders.1.model.x", "StableDiffusionXLPipeline"),
    ],
)
def test_the_way_to_convert_a_single_file_names_the_class_that_reads_all_of_it(
    tmp_path, key, kind
):
    file = tmp_path / "model.safetensors"
    save_file({key: torch.zeros(1)}, file)

    said = said_by(file)

    assert f"diffusers: {kind}.from_single_file('model.safetensors')" in said


def test_of_a_checkpoint_that_nobody_opens_the_classes_are_named(tmp_path):
    (tmp_path / "model.ckpt").write_bytes(b"anything")

    fix = said_by(tmp_path / "model.ckpt").partition("fix:")[2]

    assert "StableDiffusionPipeline.from_single_file('model.ckpt')" in fix
    assert "Stable Diffusion XL with StableDiffusionXLPipeline" in fix
    assert "FLUX.1 with FluxPipeline" in fix


def test_what_is_taken_where_a_config_says_nothing_is_what_the_classes_take():
    with torch.device("meta"):
        unet = UNet2DConditionModel(block_out_channels=(32,) * 4, norm_num_groups=1)
        vae = AutoencoderKL()
    text = CLIPTextConfig()

    assert {**unet.config, **_USUAL["unet"]} == {**unet.config}
    assert {**vae.config, **_USUAL["vae"]} == {**vae.config}
    for name in ("text_encoder", "text_encoder_2"):
        assert {k: getattr(text, k) for k in _USUAL[name]} == _USUAL[name]
