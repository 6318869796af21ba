"""The whole path on a tiny random model of each family with a transformer."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import Final

import pytest
import torch
from diffusers import DiffusionPipeline
from safetensors.torch import load_file, save_file

from tests.family_parts import PROMPTS, SEEDS, STEPS, apart
from tests.family_table import FAMILY
from tests.policy_texts import ANY_BASE, policy_text
from unlearnlog.errors import ModelError
from unlearnlog.ledger.repository import Repository
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.families import FAMILIES
from unlearnlog.models.interface import Sampling
from unlearnlog.models.sampling import generator

STOCK: Final = """
import json, sys, torch
from diffusers import DiffusionPipeline
pipe = DiffusionPipeline.from_pretrained(sys.argv[1])
assert "unlearnlog" not in sys.modules
latents, options = torch.load(sys.argv[2]), json.loads(sys.argv[3])
drawn = [torch.Generator().manual_seed(seed) for seed in options.pop("seeds")]
made = pipe(latents=latents, generator=drawn, output_type="pt", **options).images
torch.save((made * 255).round().to(torch.uint8).permute(0, 2, 3, 1), sys.argv[4])
"""
"""Paints in a process that knows nothing of this package."""

FAST: Final = ("stable-diffusion-3", "pixart-sigma")
EVERY: Final = [
    name if name in FAST else pytest.param(name, marks=pytest.mark.slow)
    for name in FAMILY
]


def unseen(eraser: str) -> str:
    """Return a policy without a judge."""
    return policy_text(
        "tiny",
        eraser,
        judge="none",
        sampling={"steps": 2, "guidance": 1.0},
        probes={"alike": 6},
        require=ANY_BASE,
    )


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Write each family's tiny pipeline once; nothing changes it."""
    made = {}

    def of(name):
        if name not in made:
            made[name] = FAMILY[name].saved(tmp_path_factory.mktemp(name) / "model")
        return made[name]

    return of


def options(name, model, guidance):
    """Return the arguments of the stock pipeline for the two pictures."""
    height, width, _ = model.picture_shape
    return {
        "prompt": [*PROMPTS],
        "num_inference_steps": STEPS,
        "height": height,
        "width": width,
        FAMILY[name].scale: guidance,
        "seeds": [drawn.initial_seed() for drawn in steps_of_noise()],
        **FAMILY[name].more,
    }


def steps_of_noise():
    """Return the generators of schedulers that add noise as they go."""
    pairs = zip(PROMPTS, SEEDS, strict=True)
    return [generator(*pair, use="step") for pair in pairs]


def latents_of(name, model):
    """Return the starting noise of the two pictures, as the stock pipeline takes it."""
    pairs = zip(PROMPTS, SEEDS, strict=True)
    found = torch.stack([model.latent(*pair) for pair in pairs])
    return FAMILY[name].given(found)


def weights_at_head(folder, model):
    ledger = Repository.find(folder)
    return ledger.weights(ledger.resolve("HEAD"), model.base)


def test_each_family_with_rules_has_a_tiny_pipeline():
    with_rules = {family.name for family in FAMILIES if family.rules is not None}

    assert with_rules == {*FAMILY}


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_our_painting_is_the_stock_pipelines(folders, name, guidance):
    model = DiffusersModel.load(folders(name), side=FAMILY[name].side)
    pipeline = DiffusionPipeline.from_pretrained(folders(name))
    pipeline.set_progress_bar_config(disable=True)

    made = model.paint(PROMPTS, SEEDS, sampling=Sampling(STEPS, guidance))

    given = options(name, model, guidance)
    del given["seeds"]
    latents, drawn = latents_of(name, model), steps_of_noise()
    theirs = pipeline(
        latents=latents, generator=drawn, output_type="pt", **given
    ).images
    theirs = (theirs * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
    assert apart(made.pictures, theirs) <= 1
    assert made.pictures.float().std() > 1


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("eraser", ["ridge", "mim"])
def test_a_concept_is_erased_checked_out_and_given_back(
    typed, tmp_path, folders, name, eraser
):
    model = DiffusersModel.load(folders(name), side=FAMILY[name].side)
    (tmp_path / "tiny.toml").write_text(unseen(eraser))
    assert typed("init", "--model", str(folders(name))).code == 0
    if model.side is not None:
        assert typed("config", "set", "side", str(model.side)).code == 0

    added = typed("add", "Picasso", "--policy", "tiny.toml", "--json")
    taken = typed("checkout", "HEAD", "-o", str(tmp_path / "out"))

    assert added.code in (0, 1), added.err
    assert taken.code == 0, taken.err
    weights = weights_at_head(tmp_path, model)
    moved = [n for n, own in model.base.items() if not torch.equal(weights[n], own)]
    assert moved
    changed = model.paint(
        PROMPTS, SEEDS, sampling=Sampling(STEPS, 4.0), weights=weights
    )
    torch.save(latents_of(name, model), tmp_path / "latents.pt")
    given = json.dumps(options(name, model, 4.0))
    files = (tmp_path / "latents.pt", given, tmp_path / "made.pt")
    subprocess.run(
        [sys.executable, "-c", STOCK, str(tmp_path / "out"), *map(str, files)],
        check=True,
        capture_output=True,
    )
    assert apart(changed.pictures, torch.load(tmp_path / "made.pt")) <= 1

    assert typed("revert", "HEAD").code == 0

    given_back = weights_at_head(tmp_path, model)
    assert all(torch.equal(given_back[n], own) for n, own in model.base.items())


def test_with_offloading_encoders_come_and_go_and_nothing_else_changes(folders):
    model = DiffusersModel.load(folders("stable-diffusion-3"))
    sparing = DiffusersModel.load(folders("stable-diffusion-3"), offloads=True)
    shelf = sparing._parts.speakers
    assert shelf.n_here == 0

    one, other = (
        each.paint(PROMPTS, SEEDS, sampling=Sampling(2, 4.0))
        for each in (model, sparing)
    )

    assert torch.equal(one.latents, other.latents)
    assert torch.equal(one.pictures, other.pictures)
    assert shelf.n_here == 0
    assert sparing.manifest == model.manifest


def test_an_encoder_that_changed_meanwhile_is_not_loaded_again(folders, tmp_path):
    folder = shutil.copytree(folders("stable-diffusion-3"), tmp_path / "model")
    model = DiffusersModel.load(folder, offloads=True)
    file = folder / "text_encoder_3" / "model.safetensors"
    tensors = {name: 2 * tensor for name, tensor in load_file(file).items()}
    save_file(tensors, file)

    with pytest.raises(ModelError, match="was changed after the model was loaded"):
        model.encode(["a cat"])


@pytest.mark.parametrize("name", EVERY)
def test_noise_and_nats_come_of_the_prediction(folders, name):
    """The noise of a prediction for noised latents is that of its own formula."""
    model = DiffusersModel.load(folders(name), side=FAMILY[name].side)
    x0, noise = torch.randn(2, *model.latent_shape), torch.randn(2, *model.latent_shape)
    t = torch.tensor([100, 900])
    text = model.encode([*PROMPTS])

    x_t = model.noised(x0, noise, t)
    predicted = model.eps(x_t, t, text)

    assert predicted.shape == x_t.shape
    assert torch.isfinite(predicted).all()
    assert not torch.equal(predicted[:1], model.eps(x_t[:1], t[:1], text[[1]]))
    kept, lost = (each.flatten() for each in model._backbone.scales(t))
    torch.testing.assert_close(
        model._backbone.log_snr[t], 2 * (kept / lost).log(), rtol=1e-3, atol=1e-3
    )
    assert (model._backbone.log_snr.diff() < 0).all()


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_fine_tune_learns_and_leaves_the_model_alone(folders, name, method):
    model = DiffusersModel.load(folders(name), side=FAMILY[name].side)
    x0, noise = torch.randn(2, *model.latent_shape), torch.randn(2, *model.latent_shape)
    t, text = torch.tensor([300, 700]), model.encode([*PROMPTS])
    before = model.eps(x0, t, text)
    learner = model.learner(method, generator=torch.Generator().manual_seed(0))
    rate = {"full": 1e-3, "lora": 1e-2}[method]
    optimiser = torch.optim.Adam([*learner.parameters.values()], lr=rate)
    losses = []

    for _ in range(4):
        optimiser.zero_grad()
        loss = learner.loss(x0, noise, t, text)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())

    assert losses[-1] < losses[0]
    assert torch.equal(model.eps(x0, t, text), before)
    moved = model.eps(x0, t, text, weights=learner.weights())
    assert not torch.equal(moved, before)


@pytest.mark.parametrize(
    "name",
    [
        "pixart-sigma",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("sana", "hunyuan-dit")),
    ],
)
def test_attention_to_marked_tokens_is_a_share_of_each_position(folders, name):
    model = DiffusersModel.load(folders(name), side=FAMILY[name].side)
    x_t, t = torch.randn(2, *model.latent_shape), torch.tensor([500, 500])
    text = model.encode([*PROMPTS])
    marks = torch.ones(text.tokens.shape[:2], dtype=torch.bool)
    marks &= True if text.mask is None else text.mask

    found = model.attention(x_t, t, text, marks)

    layers = {n.rpartition(".to_")[0] for n in model.base}
    assert found.keys() == layers
    for each in found.values():
        assert len(each) == int(marks.sum())
        assert (each >= 0).all()
        whole = each[: int(marks[0].sum())].sum(0)
        assert (whole <= 1 + 1e-4).all()
        if text.more is None:
            torch.testing.assert_close(whole, torch.ones_like(whole))
