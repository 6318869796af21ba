"""Every family paints as its own pipeline does, and can be erased from."""

import subprocess
import sys

import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline

from tests.tiny import build_pipeline
from unlearnlog.concepts.concept_set import GENERAL, ConceptSet
from unlearnlog.concepts.prompts import PromptBook
from unlearnlog.erasers.eraser import Request
from unlearnlog.erasers.mim import Mim
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.interface import Sampling

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept:DeprecationWarning"
)

FAMILIES = ("1.5", "2.1", "xl")
PIPELINES = {
    "1.5": StableDiffusionPipeline,
    "2.1": StableDiffusionPipeline,
    "xl": StableDiffusionXLPipeline,
}
PROMPT = "a painting of a cat by picasso"
QUICK = Sampling(steps=3, guidance=3.0)


@pytest.fixture(scope="module", params=FAMILIES)
def family(request):
    return request.param


@pytest.fixture(scope="module")
def folder(family, tmp_path_factory):
    prediction = "v_prediction" if family == "2.1" else "epsilon"
    return build_pipeline(
        tmp_path_factory.mktemp(family) / "model", prediction=prediction, family=family
    )


@pytest.fixture(scope="module")
def model(folder):
    return DiffusersModel.load(folder)


def plain(pipeline, latents, **options):
    """Paint with the pipeline itself, one picture, as its user would."""
    made = pipeline(
        PROMPT,
        num_inference_steps=3,
        guidance_scale=3.0,
        latents=latents,
        output_type="latent",
        **options,
    )
    return made.images


@pytest.mark.parametrize("weights", ["base", "other"])
def test_it_paints_what_its_own_pipeline_paints(family, model, tmp_path, weights):
    other = {name: (2 * old.float()).half() for name, old in model.base.items()}
    held = model.base if weights == "base" else other
    model.checkout(held, tmp_path / "out")
    pipeline = PIPELINES[family].from_pretrained(tmp_path / "out", dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)

    mine = model.paint([PROMPT], [5], sampling=QUICK, weights=held).latents

    theirs = plain(pipeline, model.latent(PROMPT, 5)[None])
    torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)


def test_an_erasure_moves_the_named_prompt_towards_its_target(model):
    world = ConceptSet.read(GENERAL)
    book = PromptBook(world)
    eraser = Mim(n_pictures=20, batch=4, max_steps=30, check_every=10, target="context")
    request = Request(
        model,
        old=model.base,
        forget=(book.forget(world.concepts["Picasso"])[:12],),
        keep=book.keep({"Picasso"})[:12],
        sampling=Sampling(steps=2, guidance=1.0),
        seed=0,
    )

    delta = eraser.erase(request)

    assert set(delta.patches) == set(model.base)
    assert all(patch.dense().isfinite().all() for patch in delta.patches.values())
    assert delta.norm > 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_half_precision_unet_predicts_nearly_the_same_and_trains_in_float32(
    folder, model, dtype
):
    half = DiffusersModel.load(folder, dtype=dtype)
    x_t = torch.stack([model.latent("x", seed) for seed in range(2)])
    t = torch.full((2,), 400)
    prompts = [PROMPT, ""]
    weights = {name: w.float().requires_grad_() for name, w in half.base.items()}

    guess = half.eps(x_t, t, half.encode(prompts), weights=weights)
    guess.square().mean().backward()

    exact = model.eps(x_t, t, model.encode(prompts))
    assert guess.dtype == torch.float32
    error = (guess - exact).norm() / exact.norm()
    assert error < 0.05
    for weight in weights.values():
        assert weight.grad is not None
        assert weight.grad.dtype == torch.float32
        assert weight.grad.abs().max() > 0


def test_saving_memory_changes_neither_noise_nor_gradient(folder, model):
    sparing = DiffusersModel.load(folder)
    assert sparing.save_memory()
    assert sparing.save_memory()
    assert not sparing.save_memory()
    x_t = torch.stack([model.latent("x", seed) for seed in range(3)])
    t = torch.full((3,), 400)
    found = []
    for each in (model, sparing):
        weights = {
            name: (1.5 * w.float()).requires_grad_() for name, w in each.base.items()
        }
        text = each.encode([PROMPT, "", "a cat"])
        guess = each.eps(x_t, t, text, weights=weights)
        guess.square().mean().backward()
        found.append((guess, {name: w.grad for name, w in weights.items()}))

    (plainly, gradients), (sparingly, same) = found
    torch.testing.assert_close(sparingly, plainly)
    for name, gradient in gradients.items():
        assert gradient is not None
        torch.testing.assert_close(same[name], gradient, rtol=1e-4, atol=1e-7)


@pytest.mark.slow
def test_loading_the_code_of_models_prints_nothing():
    """Pipelines import image processors, and transformers remarks on them."""
    code = "import unlearnlog.models.diffusers_model"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)

    assert (done.stdout, done.stderr) == (b"", b"")
