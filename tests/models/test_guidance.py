"""UNets that have guidance built in: told its scale, painted without a second half."""

import pytest
import torch
from diffusers import (
    LCMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
)

from tests.policy_texts import ANY_BASE, policy_text
from tests.tiny import build_pipeline, rebuild_unet
from unlearnlog.core.reading_registry import INFORMATION
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.interface import Sampling
from unlearnlog.models.noise_levels import NoiseLevels
from unlearnlog.models.sampling import guidance_embedding

PIPELINES = {"1.5": StableDiffusionPipeline, "xl": StableDiffusionXLPipeline}
PROMPTS = ["a painting of a cat by picasso", "a photo of a dog"]


def policy(judge, nats):
    return policy_text(
        "tiny",
        "ridge",
        judge=judge,
        sampling={"steps": 2},
        probes={"alike": 6, "information": nats},
        require=ANY_BASE,
    )


def distilled(folder, family="1.5"):
    """Write a tiny pipeline whose UNet is told the scale, as distilled ones are."""
    return rebuild_unet(build_pipeline(folder, family=family), time_cond_proj_dim=17)


@pytest.fixture(scope="module", params=PIPELINES)
def both(request, tmp_path_factory):
    family = request.param
    folder = distilled(tmp_path_factory.mktemp("lcm") / family, family)
    pipeline = PIPELINES[family].from_pretrained(folder, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline, DiffusersModel.load(folder)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("guidance", [8.0, 1.0])
def test_it_is_painted_as_its_pipeline_paints_it(both, guidance):
    """It was painted with guidance outside of it and told nothing of a scale.

    The mean latent was off by 3.5; a pipeline asks such a UNet once, and tells it.
    """
    pipeline, model = both
    latents = torch.stack([model.latent(prompt, 5) for prompt in PROMPTS])

    ours = model.paint(PROMPTS, [5, 5], sampling=Sampling(3, guidance)).latents

    theirs = pipeline(
        PROMPTS,
        num_inference_steps=3,
        guidance_scale=guidance,
        latents=latents,
        output_type="latent",
    ).images
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_the_scale_is_embedded_to_the_bit_as_the_pipeline_does(both):
    pipeline, _ = both

    for guidance, width in ((8.0, 256), (1.0, 17), (0.5, 2 * 3)):
        scale = torch.tensor([guidance - 1])
        theirs = pipeline.get_guidance_scale_embedding(scale, embedding_dim=width)
        assert torch.equal(guidance_embedding(guidance, width), theirs)


def test_it_predicts_and_learns_as_it_does_without_guidance(both):
    """Its prediction is the one that a pipeline asks for at a scale of 1."""
    pipeline, model = both
    x_t, t = torch.stack([model.latent("x", 0)]), torch.tensor([300])
    text = model.encode(PROMPTS[:1])
    told = pipeline.get_guidance_scale_embedding(torch.zeros(1), 17)
    added = None
    if text.pooled is not None:
        size = torch.tensor([[16, 16, 0, 0, 16, 16]])
        added = {"text_embeds": text.pooled, "time_ids": size}

    with torch.no_grad():
        ours = model.eps(x_t, t, text)
        theirs = pipeline.unet(
            x_t, t, text.tokens, timestep_cond=told, added_cond_kwargs=added
        ).sample
    learner = model.learner("full", generator=torch.Generator().manual_seed(0))
    loss = learner.loss(torch.zeros_like(x_t), x_t, t, text)
    loss.backward()

    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    condition = learner.parameters["time_embedding.cond_proj.weight"]
    assert condition.grad is not None
    assert condition.grad.abs().max() > 0


def test_it_says_why_it_tells_no_nats_and_has_noise_levels_to_train_on(both):
    _, model = both

    assert model.no_nats == "guidance is built into its UNet (time_cond_proj_dim)"
    assert len(NoiseLevels.of(model, 10).steps) == 10


def test_it_is_no_judge_and_add_says_so_before_it_paints(typed, tmp_path):
    model = distilled(tmp_path / "model")
    (tmp_path / "tiny.toml").write_text(policy(judge="base", nats=0))
    assert typed("init", "--model", str(model)).code == 0

    done = typed("add", "Picasso", "--policy", "tiny.toml")

    assert done.code == 2
    assert "cannot judge: guidance is built into its UNet" in done.err
    assert "give the folder of a CLIP model, --judge FOLDER" in done.err
    assert typed("log", "--json").json() == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("judge", "why"),
    [
        (
            "auto",
            "there is no reading of ua: the model cannot judge, guidance is",
        ),
        ("none", "there is no reading of self-mi: no nats: guidance is built"),
    ],
)
def test_a_policy_that_needs_what_it_cannot_tell_is_undecided(
    typed, tmp_path, judge, why
):
    """It was refused outright where a policy asked for nats, whether needed or not."""
    model = distilled(tmp_path / "model")
    limits = (
        '[[limits]]\nreading = "ua"\nat_least = 0.9\n'
        '[[limits]]\nreading = "self-mi"\nat_most = 1.0\n'
    )
    (tmp_path / "tiny.toml").write_text(policy(judge=judge, nats=2) + limits)
    typed("init", "--model", str(model))

    open_ = typed("add", "Picasso", "--policy", "tiny.toml")
    done = typed("add", "Picasso", "--policy", "tiny.toml", "--accept-undecided")

    assert open_.code == 3
    assert why in " ".join(open_.err.split())
    assert done.code == 0
    (entry,) = typed("log", "--json").json()
    read = {reading["probe"] for reading in entry["readings"]}
    assert "drift" in read
    assert not read & set(INFORMATION)
    shown = " ".join(typed("show").out.split())
    assert "no nats guidance is built into its UNet (time_cond_proj_dim)" in shown


@pytest.mark.slow
def test_without_limits_a_concept_is_erased_from_it(typed, tmp_path):
    model = distilled(tmp_path / "model")
    (tmp_path / "tiny.toml").write_text(policy(judge="none", nats=0))
    typed("init", "--model", str(model))

    typed("add", "Picasso", "--policy", "tiny.toml")

    assert len(typed("log", "--json").json()) == 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_the_scheduler_of_consistency_models_paints_it(tmp_path):
    folder = distilled(tmp_path / "model")
    pipeline = StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float32)
    pipeline.scheduler = LCMScheduler.from_config(pipeline.scheduler.config)
    pipeline.save_pretrained(tmp_path / "lcm")

    model = DiffusersModel.load(tmp_path / "lcm")

    latents = model.latent(PROMPTS[0], 0)[None]
    ours = model.paint(PROMPTS[:1], [0], sampling=Sampling(1, 8.0)).latents
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(
        PROMPTS[0],
        num_inference_steps=1,
        guidance_scale=8.0,
        latents=latents,
        output_type="latent",
    ).images
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
