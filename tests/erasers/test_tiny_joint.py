"""Erasers on tiny pipelines with joint attention, as diffusers builds them."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.tiny_families import SIDE, saved
from unlearnlog.core.prompt import Prompt
from unlearnlog.erasers.eraser import Request
from unlearnlog.erasers.eraser_table import ERASERS
from unlearnlog.erasers.row_alignment import ReadPrompt, paired_rows
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.interface import Sampling

FAMILIES = ("stable-diffusion-3", "flux")
ENTRY = "transformer.context_embedder.weight"
POOLED = "transformer.time_text_embed.text_embedder.linear_1.weight"
FORGET = (
    Prompt(
        "a painting of a cat by picasso",
        "a painting of a cat",
        "a photo of a cat",
        named="picasso",
        parent="a painting of a cat",
        sibling="a painting of a cat by monet",
    ),
    Prompt(
        "a painting by picasso",
        "a painting",
        "a photo",
        named="picasso",
        parent="a painting",
        sibling="a painting by monet",
    ),
)
KEPT = ("a photo of a dog", "a painting by monet")


@pytest.fixture(scope="module", params=FAMILIES)
def model(request, tmp_path_factory) -> DiffusersModel:
    folder = tmp_path_factory.mktemp("tiny") / request.param
    return DiffusersModel.load(saved(request.param, folder), side=SIDE)


def request_of(model: Any) -> Request:
    how = Sampling(steps=1, guidance=1.0)
    return Request(
        model,
        model.base,
        (FORGET,),
        KEPT,
        how,
        seed=3,
        names=("picasso",),
        others=("monet",),
    )


def joint(model: Any) -> set[str]:
    return {n for n, place in model.places.items() if place == "joint-attention"}


def edited(model: Any, delta: Any) -> dict[str, torch.Tensor]:
    """Return the whole state after a delta, before its rounding to half precision."""
    moved = {name: patch.dense() for name, patch in delta.patches.items()}
    return {n: (w.double() + moved.get(n, 0)).float() for n, w in model.base.items()}


@pytest.mark.parametrize("name", ["ridge", "uce"])
def test_a_closed_form_changes_the_entry_and_the_pooled_vector_s_way(model, name):
    delta = ERASERS[name].of({}).on(model).erase(request_of(model))

    assert set(delta.patches) == {ENTRY, POOLED}
    assert len(joint(model)) == 4
    assert set(model.base) == {ENTRY, POOLED, *joint(model)}


def test_after_it_the_prompt_is_predicted_much_as_its_target_is(model):
    """On the last word alone, without the pooled vector, most of the way is left."""
    request, prompt = request_of(model), FORGET[0]
    rng = torch.Generator().manual_seed(4)
    x_t = torch.randn(1, model.latent_shape[0], 8, 8, generator=rng)
    t = torch.tensor([700])
    named, goal = (model.encode([p]) for p in (prompt.text, prompt.anchor))

    delta = ERASERS["ridge"].of({"ridge": 0.01}).on(model).erase(request)

    with torch.no_grad():
        target = model.eps(x_t, t, goal)
        before = (model.eps(x_t, t, named) - target).norm()
        new = edited(model, delta)
        after = (model.eps(x_t, t, named, weights=new) - target).norm()
    assert after < 0.2 * before


def test_the_rows_of_each_encoder_are_solved_together(model):
    """The formula of the ridge edit, summed pair by pair in float64."""
    eraser: Any = ERASERS["ridge"].of({}).on(model)
    d = model.d_text
    system = eraser.ridge * torch.eye(d).double()
    moved = system.clone()
    for prompt in FORGET:
        tokens = model.encode([prompt.text, prompt.anchor]).tokens.double()
        begin, end = map(len, prompt.around)
        one, other = (
            ReadPrompt.of(text, model.tokenized(text), None)
            for text in (prompt.text, prompt.anchor)
        )
        rows = paired_rows(one, other, (begin, end), "all")
        weight = eraser.erase_scale / (len(FORGET) * len(rows.here))
        for here, there in zip(rows.here, rows.there, strict=True):
            erased, goal = tokens[0, here], tokens[1, there]
            system += weight * torch.outer(erased, erased)
            moved += weight * torch.outer(goal, erased)
    for kept in model.encode(KEPT).tokens.double():
        system += kept.T @ kept / len(kept)
        moved += kept.T @ kept / len(kept)
    old = model.base[ENTRY].double()
    expected = old @ moved @ torch.linalg.inv(system) - old

    delta = eraser.erase(request_of(model))

    torch.testing.assert_close(
        delta.patches[ENTRY].dense(), expected, rtol=1e-3, atol=1e-5
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mim", "esd"])
@pytest.mark.parametrize("where", ["joint", "entry", "both"])
def test_training_changes_what_it_is_set_to(model, name, where):
    eraser = ERASERS[name].of({"where": where}).on(model).rehearsal()[0]

    delta = eraser.erase(request_of(model))

    entry = {ENTRY, POOLED} if where != "joint" else set()
    rest = joint(model) if where != "entry" else set()
    assert set(delta.patches) == entry | rest
    assert all(patch.norm > 0 for patch in delta.patches.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in ERASERS if n != "forget-me-not"])
def test_every_eraser_that_reads_no_map_of_attention_erases(model, name):
    eraser = ERASERS[name].of({}).on(model).rehearsal()[0]

    delta = eraser.erase(request_of(model))

    changed = set(delta.patches)
    assert changed
    assert changed <= set(model.base)
    assert all(torch.isfinite(w).all() for w in edited(model, delta).values())


@pytest.mark.slow
def test_training_lowers_the_nats_to_the_target(tmp_path):
    """The nats that mim reads on its held-out pictures fall by training."""
    model = DiffusersModel.load(
        saved("stable-diffusion-3", tmp_path / "sd3"), side=SIDE
    )
    seen: list[float] = []

    class Watch:
        def stage(self, name, total):
            """Begin nothing."""

        def advance(self, units, numbers):  # noqa: ARG002
            seen.extend(v for k, v in numbers.items() if k == "nats left")

    mim: Any = ERASERS["mim"].of({}).on(model)
    eraser = replace(mim, n_pictures=24, n_family=0, max_steps=41, rate=0.02)

    eraser.erase(replace(request_of(model), watch=Watch()))

    assert seen[-1] < 0.9 * seen[0]
