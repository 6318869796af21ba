from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from tests.fakes import NAME, LinearModel
from unlearnlog.core.delta import state_after
from unlearnlog.core.prompt import Prompt
from unlearnlog.erasers.eraser import Request
from unlearnlog.erasers.forget_me_not import MARKS, ForgetMeNot
from unlearnlog.errors import ConceptError, PolicyError
from unlearnlog.models.interface import Sampling

PICASSO = tuple(
    Prompt(f"a {noun} by pablo picasso now", f"a {noun} now", "", named="pablo picasso")
    for noun in ("cat", "dog")
)
MONET = (Prompt("monet", "", "", named="monet"),)
SMALL = ForgetMeNot(
    marks=MARKS[0], project=False, n_pictures=20, batch=4, steps=30, rate=0.05
)


def request_of(model: LinearModel) -> Request:
    return Request(
        model,
        old=model.base,
        forget=(PICASSO, MONET),
        keep=("a cat", "a dog"),
        sampling=Sampling(steps=1, guidance=1.0),
        seed=3,
    )


@pytest.mark.parametrize(
    ("marks", "of_picasso", "of_monet"),
    [
        ("name and end", {4, 5, 7}, {1, 2}),
        ("name", {4, 5}, {1}),
        ("name to padding", {4, 5, 7}, {1, 2, 3, 4, 5, 6, 7}),
    ],
)
def test_the_name_s_tokens_are_marked_and_the_prompt_s_end(marks, of_picasso, of_monet):
    request = request_of(LinearModel())
    texts = ["a cat by pablo picasso now", "monet", "a cat"]

    found = replace(SMALL, marks=marks).marked(request, texts, 8)

    places = [{*row.nonzero()[:, 0].tolist()} for row in found]
    assert places == [of_picasso, of_monet, set()]


@pytest.mark.parametrize("marks", MARKS)
def test_one_steps_gradient_is_the_formulas_written_the_slow_way(marks):
    model = LinearModel()
    eraser = replace(SMALL, marks=marks)
    scene = eraser.scene(request_of(model))
    new = (model.base[NAME].float() + 0.1).requires_grad_()

    (loss,) = eraser.losses(scene, {NAME: new})
    loss.backward()

    # The same draws; the softmax and its derivative entry by entry, in float64.
    some, _, _ = eraser.scene(request_of(model)).forgotten(4)
    w = new.detach().double()
    total, slopes = 0.0, torch.zeros(8, 6, dtype=torch.float64)
    for row, x_t in zip(some.rows.tolist(), some.x_t.double(), strict=True):
        said = scene.forget.texts[row]
        (marked,) = eraser.marked(scene.request, [said], 8)
        tokens, x = model.encode([said]).tokens[0].double(), x_t.flatten()
        odds = [math.exp(float(x @ w @ token) / 8**0.5) for token in tokens]
        p = [each / sum(odds) for each in odds]
        for j in marked.nonzero()[:, 0].tolist():
            total += p[j] ** 2
            for place, token in enumerate(tokens):
                slope = p[j] * ((place == j) - p[place])
                slopes += p[j] * slope * torch.outer(x, token) / 8**0.5
    assert loss.item() == pytest.approx(total**0.5, rel=1e-5)
    assert new.grad is not None
    expected = slopes / total**0.5
    torch.testing.assert_close(new.grad.double(), expected, rtol=1e-4, atol=1e-6)


def test_erasing_takes_the_attention_from_the_name_and_leaves_it_to_the_rest():
    model = LinearModel()
    request = request_of(model)

    delta = SMALL.erase(request)

    some, text, _ = SMALL.scene(request).forgotten(16)
    said = [SMALL.scene(request).forget.texts[row] for row in some.rows.tolist()]
    marks = SMALL.marked(request, said, 8)
    new = state_after(model.base, [delta])
    (before,) = model.attention(some.x_t, some.t, text, marks).values()
    (after,) = model.attention(some.x_t, some.t, text, marks, weights=new).values()
    assert after.mean() < 0.5 * before.mean()


def test_a_name_that_the_model_does_not_read_to_its_end_is_refused():
    long = Prompt("a b c d e f picasso", "a b c d e f", "", named="picasso")
    request = replace(request_of(LinearModel()), forget=((long,),), names=("Picasso",))

    with pytest.raises(ConceptError, match="'Picasso' ends at token 8"):
        SMALL.erase(request)


def test_the_same_seed_gives_the_same_delta_and_another_seed_another():
    one, two = (SMALL.erase(request_of(LinearModel())) for _ in range(2))
    other = SMALL.erase(replace(request_of(LinearModel()), seed=4))

    assert one.digest == two.digest != other.digest


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"marks": "everything"}, "everything"),
        ({"rate": 0.0}, "0.0"),
        ({"steps": -1}, "-1"),
        ({"n_pictures": 16}, "16"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_their_value(settings, named):
    with pytest.raises(PolicyError, match=named):
        ForgetMeNot.of(settings)
