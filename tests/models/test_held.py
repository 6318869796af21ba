"""Weights of any part of a model hold for one call."""

import pytest
import torch
from diffusers import StableDiffusionPipeline

from tests.tiny import build_pipeline
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.interface import Sampling
from unlearnlog.models.overrides import Overrides

PROMPTS = ["a photo of a cat", "a painting of a dog by picasso"]
SEEDS = [0, 1]
QUICK = Sampling(steps=3, guidance=3.0, batch=2)

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept:DeprecationWarning"
)


def moved(model, *components):
    """Every tensor of some components, each a little elsewhere."""
    source = torch.Generator().manual_seed(3)
    return {
        name: tensor.float() + 0.02 * torch.randn(tensor.shape, generator=source)
        for name, tensor in model.folder.stored(*components).items()
    }


@pytest.fixture(scope="module")
def everything(tiny):
    return moved(tiny, "unet", "vae", "text_encoder")


def test_a_model_that_differs_everywhere_paints_as_a_pipeline_with_its_weights(
    tmp_path, everything
):
    folder = build_pipeline(tmp_path / "pipeline")
    model = DiffusersModel.load(folder)
    pipeline = StableDiffusionPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    for name in ("unet", "vae", "text_encoder"):
        network = getattr(pipeline, name).float()
        state = {
            key.removeprefix(f"{name}.").removeprefix("text_model."): tensor
            for key, tensor in everything.items()
            if key.startswith(f"{name}.")
        }
        network.load_state_dict(state, strict=False)

    ours = model.paint(PROMPTS, SEEDS, sampling=QUICK, weights=everything)

    latents = torch.stack(
        [model.latent(p, s) for p, s in zip(PROMPTS, SEEDS, strict=True)]
    )
    theirs = pipeline(
        PROMPTS,
        latents=latents,
        num_inference_steps=QUICK.steps,
        guidance_scale=QUICK.guidance,
        output_type="pt",
    ).images
    pictures = (theirs.permute(0, 2, 3, 1) * 255).round().int()
    assert (ours.pictures.int() - pictures).abs().max() <= 1
    plain = model.paint(PROMPTS, SEEDS, sampling=QUICK)
    assert (ours.pictures.int() - plain.pictures.int()).abs().max() > 1


@pytest.mark.parametrize("component", ["unet", "vae", "text_encoder"])
def test_each_part_changes_the_picture_by_itself(tiny, everything, component):
    own = {n: w for n, w in everything.items() if n.startswith(f"{component}.")}
    before = tiny.paint(PROMPTS, SEEDS, sampling=QUICK).pictures

    after = tiny.paint(PROMPTS, SEEDS, sampling=QUICK, weights=own).pictures

    assert not torch.equal(after, before)
    assert torch.equal(tiny.paint(PROMPTS, SEEDS, sampling=QUICK).pictures, before)


def test_prompts_are_encoded_with_other_weights_and_then_with_the_own(tiny, everything):
    own = tiny.encode(PROMPTS).tokens

    other = tiny.encode(PROMPTS, weights=everything).tokens

    assert not torch.allclose(other, own, atol=1e-3)
    assert torch.equal(tiny.encode(PROMPTS).tokens, own)


def test_the_models_own_weights_by_name_change_no_bit(tiny):
    same = {n: w.float() for n, w in tiny.folder.stored("unet", "text_encoder").items()}

    assert torch.equal(
        tiny.encode(PROMPTS, weights=same).tokens, tiny.encode(PROMPTS).tokens
    )


def test_two_text_encoders_are_told_apart(tmp_path):
    model = DiffusersModel.load(build_pipeline(tmp_path / "xl", family="xl"))
    own = model.encode(PROMPTS)

    second = model.encode(PROMPTS, weights=moved(model, "text_encoder_2"))

    assert torch.equal(second.tokens[..., :32], own.tokens[..., :32])
    assert not torch.equal(second.tokens[..., 32:], own.tokens[..., 32:])
    assert second.pooled is not None
    assert own.pooled is not None
    assert not torch.equal(second.pooled, own.pooled)


@pytest.mark.parametrize(
    "wrong",
    [
        {"unet.conv_in.weight": torch.zeros(1)},
        {"vae.nothing.weight": torch.zeros(1)},
        {"conv_in.weight": torch.zeros(1)},
    ],
)
def test_what_does_not_fit_is_named(tiny, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Overrides.of(tiny._parts, wrong)
