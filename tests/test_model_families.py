"""The whole path on a tiny random model of each family with a transformer."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Final

import pytest
import torch
from diffusers import DiffusionPipeline

from tests.family_parts import PROMPTS, SEEDS, STEPS, apart
from tests.family_table import FAMILY
from unlearnlog.ledger.repository import Repository
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.families import FAMILIES
from unlearnlog.models.family_rules.packing import packed
from unlearnlog.models.interface import Sampling
from unlearnlog.models.sampling import generator

POLICY: Final = """
name = "tiny"
judge = "none"
[eraser]
name = "{eraser}"
[sampling]
steps = 1
guidance = 1.0
[probes]
erased = 1
renamed = 0
family = 0
kept = 1
kept_share = 0.1
information = 0
[require]
base_presence = 0.0
"""

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
    return packed(found) if FAMILY[name].packs else found


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
    (tmp_path / "tiny.toml").write_text(POLICY.format(eraser=eraser))
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
