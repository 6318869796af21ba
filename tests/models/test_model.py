import json
import math
import subprocess
import sys

import numpy as np
import pytest
import torch

from tests.tiny import build_pipeline
from unlearnlog.errors import PromptError
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.interface import Sampling

# diffusers' schedulers hand tensors to numpy, which asks for an argument that torch's
# tensors do not take.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept:DeprecationWarning"
)

PROMPTS = ["a photo of a cat", "a painting of a dog by picasso", "a photo of a cat"]
SEEDS = [0, 1, 2]
QUICK = Sampling(steps=3, guidance=3.0, batch=2)


@pytest.fixture(scope="module")
def painted(tiny):
    return tiny.paint(PROMPTS, SEEDS, sampling=QUICK)


@pytest.fixture(scope="module")
def velocity(tmp_path_factory):
    folder = tmp_path_factory.mktemp("velocity") / "pipeline"
    return DiffusersModel.load(build_pipeline(folder, prediction="v_prediction"))


def noised(model, n=2):
    """Latents of n pictures at timestep 500, with the texts that belong to them."""
    t = torch.full((n,), 500)
    noise = torch.stack([model.latent("noise", seed) for seed in range(n)])
    x0 = torch.stack([model.latent("x0", seed) for seed in range(n)])
    return model.noised(x0, noise, t), t, model.encode(PROMPTS[:n])


def weights_of(model):
    parts = model._parts
    return [
        value.clone()
        for network in (parts.network, parts.vae, *(e for e, _ in parts.encoders))
        for value in network.state_dict().values()
    ]


def test_the_base_is_what_lies_on_disk(tiny):
    stored = tiny.folder.stored("unet")

    assert len(tiny.base) == 8
    assert all(value.dtype == torch.float16 for value in tiny.base.values())
    assert all(torch.equal(stored[name], tiny.base[name]) for name in tiny.base)


def test_the_manifest_names_every_tensor_of_every_component(tiny):
    components = {name.partition(".")[0] for name in tiny.manifest.tensors}

    assert components == {"unet", "vae", "text_encoder"}
    assert tiny.manifest.tensors.keys() > tiny.base.keys()
    assert tiny.manifest.family == "stable-diffusion"
    assert tiny.manifest.source == str(tiny.folder.path)


def test_shapes_are_those_of_the_networks(tiny, painted):
    assert tiny.d_text == tiny.encode([""]).tokens.shape[-1] == 32
    assert tiny.latent_shape == tuple(painted.latents.shape[1:]) == (4, 8, 8)
    assert tiny.picture_shape == tuple(painted.pictures.shape[1:]) == (16, 16, 3)


def test_the_log_snr_falls_with_the_timestep(tiny):
    log_snr = tiny.log_snr

    assert log_snr.shape == (tiny.n_steps_trained,) == (1000,)
    assert log_snr.dtype == torch.float32
    assert (log_snr.diff() < 0).all()


def test_the_log_snr_of_pure_noise_is_finite(tmp_path):
    folder = build_pipeline(tmp_path / "pipeline")
    rewrite_scheduler(folder, rescale_betas_zero_snr=True)

    model = DiffusersModel.load(folder)

    assert math.isfinite(model.log_snr[-1])
    assert model.log_snr[-1] < -10


def test_a_prompt_is_encoded_alike_alone_and_in_company(tiny):
    alone = tiny.encode(["a cat"]).tokens[0]

    together = tiny.encode(["a dog", "a cat", "", "a cat"]).tokens

    assert torch.equal(together[1], alone)
    assert torch.equal(together[3], alone)
    assert not torch.equal(together[0], alone)
    assert together.shape == (4, 77, 32)
    assert together.dtype == torch.float32


def test_no_prompts_encode_to_nothing(tiny):
    assert tiny.encode([]).tokens.shape == (0, 77, 32)


def test_what_was_encoded_is_forgotten_oldest_first(tiny, monkeypatch):
    monkeypatch.setattr("unlearnlog.models.encoding._N_KEPT", 2)
    model = DiffusersModel(tiny.folder, tiny._parts, tiny.base)

    model.encode(["a cat", "a dog", "a cat", "a photo"])

    assert list(model._encoders._kept) == ["a dog", "a photo"]


def test_tokens_are_counted_with_both_marks(tiny):
    assert tiny.n_tokens("") == 2
    assert tiny.n_tokens("a cat") == 4


def test_a_prompt_too_long_to_be_read_whole_is_refused(tiny):
    prompt = "a cat " * 60

    with pytest.raises(PromptError) as caught:
        tiny.encode([prompt])

    assert "122 tokens; the model reads 77" in caught.value.message
    assert prompt not in caught.value.message


def test_a_latent_is_a_function_of_prompt_and_seed(tiny):
    first = tiny.latent("a cat", 3)

    tiny.latent("a dog", 4)

    assert torch.equal(tiny.latent("a cat", 3), first)
    assert not torch.equal(tiny.latent("a cat", 4), first)
    assert not torch.equal(tiny.latent("a dog", 3), first)
    assert first.shape == (4, 8, 8)


def test_latents_are_unit_normal(tiny):
    values = torch.stack([tiny.latent("a cat", seed) for seed in range(64)])

    assert abs(values.mean()) < 0.04  # 5 standard errors of 16,384 draws
    assert abs(values.std() - 1) < 0.03


def test_noised_latents_have_the_stated_log_snr(tiny):
    one = torch.ones(1, 4, 8, 8)
    t = torch.tensor([250])

    signal = tiny.noised(one, torch.zeros_like(one), t)
    noise = tiny.noised(torch.zeros_like(one), one, t)

    measured = (signal.double().square() / noise.double().square()).log()
    expected = torch.full_like(measured, tiny.log_snr[250].item())
    torch.testing.assert_close(measured, expected, atol=1e-5, rtol=0)


def test_one_timestep_stands_for_all(tiny):
    x_t, t, text = noised(tiny)

    assert torch.equal(tiny.eps(x_t, t[0], text), tiny.eps(x_t, t, text))


def test_the_base_by_name_predicts_what_the_base_predicts(tiny):
    asked = noised(tiny)

    assert torch.equal(tiny.eps(*asked, weights=tiny.base), tiny.eps(*asked))


def test_other_weights_predict_other_noise_and_then_are_gone(tiny, changed):
    asked = noised(tiny)
    before, weights = tiny.eps(*asked), weights_of(tiny)

    other = tiny.eps(*asked, weights=changed)

    assert not torch.allclose(other, before)
    assert torch.equal(tiny.eps(*asked), before)
    assert all(map(torch.equal, weights_of(tiny), weights))


def test_a_prediction_that_fails_leaves_the_weights_alone(tiny, changed):
    x_t, t, text = noised(tiny)
    weights = weights_of(tiny)

    with pytest.raises(RuntimeError):
        tiny.eps(x_t, t, text[:, :, :5], weights=changed)

    assert all(map(torch.equal, weights_of(tiny), weights))


def test_the_gradient_reaches_the_weights_and_nothing_else(tiny):
    weights = {name: w.float().requires_grad_() for name, w in tiny.base.items()}

    tiny.eps(*noised(tiny), weights=weights).square().mean().backward()

    assert all(w.grad is not None and w.grad.abs().sum() > 0 for w in weights.values())
    assert all(p.grad is None for p in tiny._parts.network.parameters())


def test_texts_that_come_twice_count_twice(tiny):
    words = ["a cat", "a dog", "a cat", "a cat"]
    x_t, t = torch.randn(4, *tiny.latent_shape), torch.tensor([10, 500, 900, 300])
    name, weight = next(iter(tiny.base.items()))
    found = []

    for parts in ([slice(0, 4)], [slice(i, i + 1) for i in range(4)]):
        new = {name: weight.float().requires_grad_()}
        guess = [
            tiny.eps(x_t[p], t[p], tiny.encode(words[p]), weights=new) for p in parts
        ]
        torch.cat(guess).square().sum().backward()
        found.append((torch.cat(guess).detach(), new[name].grad))

    (together, one), (apart, other) = found
    torch.testing.assert_close(together, apart, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_a_guess_without_a_gradient_is_the_one_with_it_and_can_be_learnt_from(tiny):
    x_t, t = torch.randn(2, *tiny.latent_shape), torch.tensor([10, 500])
    text = tiny.encode(["a cat", "a dog"])

    with torch.no_grad():
        plain = tiny.eps(x_t, t, text)

    assert not plain.is_inference()
    torch.testing.assert_close(plain, tiny.eps(x_t, t, text), rtol=1e-4, atol=1e-5)


def test_the_gradient_agrees_with_a_small_step(tiny):
    asked = noised(tiny)
    name = next(name for name in tiny.base if name.endswith("to_v.weight"))
    weight = tiny.base[name].float().requires_grad_()

    def loss(value):
        return tiny.eps(*asked, weights={name: value}).double().square().sum()

    (slope,) = torch.autograd.grad(loss(weight), weight)
    step = 1e-2 * slope / slope.norm()
    with torch.no_grad():
        measured = (loss(weight + step) - loss(weight - step)) / 2
    assert measured == pytest.approx((slope * step).sum().item(), rel=0.02)


@pytest.mark.parametrize(
    "wrong",
    [
        {"unet.nothing": torch.zeros(1)},
        {"conv_in.bias": torch.zeros(16)},
        {"unet.conv_in.bias": torch.zeros(3)},
    ],
)
def test_weights_that_do_not_fit_are_refused(tiny, wrong):
    with pytest.raises(ValueError, match="the model has"):
        tiny.eps(*noised(tiny), weights=wrong)


def test_a_predicted_velocity_is_turned_into_noise(velocity):
    x_t, t, text = noised(velocity)
    (predicted,) = velocity._parts.network(
        x_t, t, encoder_hidden_states=text.tokens, return_dict=False
    )
    share = velocity._parts.scheduler.alphas_cumprod[500]

    eps = velocity.eps(x_t, t, text)

    expected = share.sqrt() * predicted + (1 - share).sqrt() * x_t
    torch.testing.assert_close(eps, expected, atol=1e-5, rtol=1e-5)


def test_the_same_words_and_seeds_paint_the_same_picture(tiny, painted):
    again = tiny.paint(PROMPTS, SEEDS, sampling=QUICK)

    assert torch.equal(again.latents, painted.latents)
    assert torch.equal(again.pictures, painted.pictures)
    assert painted.pictures.dtype == torch.uint8
    assert not torch.equal(painted.pictures[0], painted.pictures[2])


def test_painting_changes_no_weights(tiny, changed):
    weights = weights_of(tiny)

    tiny.paint(PROMPTS, SEEDS, sampling=QUICK, weights=changed)

    assert all(map(torch.equal, weights_of(tiny), weights))


def test_other_weights_paint_other_pictures(tiny, painted, changed):
    other = tiny.paint(PROMPTS, SEEDS, sampling=QUICK, weights=changed)

    assert not torch.equal(other.pictures, painted.pictures)


def test_a_picture_hardly_depends_on_its_company(tiny, painted):
    alone = tiny.paint(PROMPTS[1:2], SEEDS[1:2], sampling=QUICK)

    assert furthest(alone.pictures[0], painted.pictures[1]) <= 1


def test_painted_latents_can_be_trained_on(tiny, painted):
    weights = {name: w.float().requires_grad_() for name, w in tiny.base.items()}
    t = torch.full((3,), 100)
    x_t = tiny.noised(painted.latents, torch.zeros_like(painted.latents), t)

    tiny.eps(x_t, t, tiny.encode(PROMPTS), weights=weights).mean().backward()

    assert all(w.grad is not None for w in weights.values())


def test_progress_counts_up_to_the_number_of_pictures(tiny):
    told: list[int] = []

    tiny.paint(PROMPTS, SEEDS, sampling=QUICK, progress=told.append)

    assert told == sorted(told)
    assert len(told) == 2 * QUICK.steps
    assert told[-1] == len(PROMPTS)


def test_nothing_asked_paints_nothing(tiny):
    painted = tiny.paint([], [], sampling=QUICK)

    assert painted.latents.shape == (0, 4, 8, 8)
    assert painted.pictures.shape == (0, 16, 16, 3)


def test_every_picture_needs_a_seed(tiny):
    with pytest.raises(ValueError, match="3 prompts but 2 seeds"):
        tiny.paint(PROMPTS, [0, 1], sampling=QUICK)


SCHEDULERS = [
    "DPMSolverMultistepScheduler",
    "DDIMScheduler",
    "PNDMScheduler",
    "EulerDiscreteScheduler",
    "HeunDiscreteScheduler",
]


@pytest.mark.parametrize("guidance", [3.0, 1.0])
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_a_picture_is_the_pipelines_own(tmp_path, changed, prediction, guidance):
    folder = build_pipeline(tmp_path / "pipeline", prediction=prediction)

    ours, theirs = both(folder, changed, Sampling(4, guidance))

    assert furthest(ours, theirs) <= 1


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_a_picture_is_the_pipelines_own_with_its_scheduler(
    tmp_path, changed, scheduler
):
    folder = build_pipeline(tmp_path / "pipeline")
    rewrite_index(folder, scheduler)
    rewrite_scheduler(folder, algorithm_type="dpmsolver++", clip_sample=False)

    ours, theirs = both(folder, changed, Sampling(4, 3.0))

    assert furthest(ours, theirs) <= 1


@pytest.mark.filterwarnings("ignore:The configuration file of this sch:FutureWarning")
@pytest.mark.filterwarnings(
    "ignore:The configuration file of this sch:DeprecationWarning"
)
def test_an_old_scheduler_file_is_read_as_the_pipeline_reads_it(tmp_path, changed):
    folder = build_pipeline(tmp_path / "pipeline")
    rewrite_index(folder, "DDIMScheduler")
    rewrite_scheduler(folder, steps_offset=0, clip_sample=True)

    ours, theirs = both(folder, changed, Sampling(4, 3.0))

    assert furthest(ours, theirs) <= 1


def test_a_sampler_that_adds_noise_still_paints_from_prompt_and_seed(tmp_path):
    folder = build_pipeline(tmp_path / "pipeline")
    rewrite_index(folder, "EulerAncestralDiscreteScheduler")
    model = DiffusersModel.load(folder)

    first = model.paint(PROMPTS, SEEDS, sampling=QUICK)
    alone = model.paint(PROMPTS[1:2], SEEDS[1:2], sampling=QUICK)

    assert furthest(alone.pictures[0], first.pictures[1]) <= 1


@pytest.mark.slow
def test_a_process_without_this_package_paints_the_same_picture(
    tiny, changed, tmp_path
):
    tiny.checkout(changed, tmp_path / "out")
    latents = torch.stack(list(map(tiny.latent, PROMPTS, SEEDS)))
    torch.save(latents, tmp_path / "latents.pt")
    program = f"""
import sys, numpy, torch
from diffusers import StableDiffusionPipeline
pipeline = StableDiffusionPipeline.from_pretrained({str(tmp_path / "out")!r})
latents = torch.load({str(tmp_path / "latents.pt")!r})
done = pipeline({PROMPTS!r}, latents=latents, num_inference_steps=4,
                guidance_scale=3.0, output_type="np")
numpy.save({str(tmp_path / "pictures.npy")!r}, done.images)
assert "unlearnlog" not in sys.modules
"""

    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)

    theirs = np.load(tmp_path / "pictures.npy") * 255
    ours = tiny.paint(PROMPTS, SEEDS, sampling=Sampling(4, 3.0), weights=changed)
    assert furthest(ours.pictures, torch.from_numpy(theirs.round())) <= 1


def both(folder, weights, sampling):
    """Paint by this package from a folder, and by diffusers from its checkout."""
    from diffusers import StableDiffusionPipeline

    model = DiffusersModel.load(folder)
    ours = model.paint(PROMPTS, SEEDS, sampling=sampling, weights=weights)
    model.checkout(weights, folder.parent / "out")
    pipeline = StableDiffusionPipeline.from_pretrained(folder.parent / "out")
    pipeline.set_progress_bar_config(disable=True)
    done = pipeline(
        PROMPTS,
        latents=torch.stack(list(map(model.latent, PROMPTS, SEEDS))),
        num_inference_steps=sampling.steps,
        guidance_scale=sampling.guidance,
    )
    return ours.pictures, torch.from_numpy(np.stack([np.array(i) for i in done.images]))


def furthest(one, other):
    """Largest difference between two pictures, in steps of 1/255."""
    return (one.double() - other.double()).abs().max().item()


def rewrite_scheduler(folder, **changes):
    file = folder / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def rewrite_index(folder, scheduler):
    file = folder / "model_index.json"
    index = json.loads(file.read_text()) | {"scheduler": ["diffusers", scheduler]}
    file.write_text(json.dumps(index))


def test_a_prompt_is_shortened_to_whole_words_that_are_read_to_the_end(tiny):
    prompt = "a painting of a cat by Picasso " * 20

    cut = tiny.shortened(prompt)

    assert prompt.startswith(f"{cut} ")
    assert len(tiny.encode([cut])) == 1
    longer = prompt[: prompt.index(" ", len(cut) + 1)]
    with pytest.raises(PromptError):
        tiny.encode([longer])


def test_a_word_that_is_too_long_is_cut_within(tiny):
    word = "wouldn't'y'all've" * 30

    cut = tiny.shortened(word)

    assert cut
    assert word.startswith(cut)
    assert len(tiny.encode([cut])) == 1


def test_a_prompt_that_is_read_whole_is_not_shortened(tiny):
    assert tiny.shortened("a cat  by Picasso ") == "a cat  by Picasso "


@pytest.mark.parametrize("prompt", ["a \ud800 cat", "\udcff"])
def test_a_prompt_with_half_of_a_character_is_refused_by_what_can_be_seen(tiny, prompt):
    """An argument in another encoding was a TypeError of the tokenizer's."""
    with pytest.raises(PromptError, match="half of a character") as error:
        tiny.encode([prompt])

    assert error.value.message.isprintable()
    with pytest.raises(PromptError):
        tiny.shortened(prompt)
