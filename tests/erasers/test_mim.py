from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.fakes import NAME, LinearModel
from unlearnlog.delta import state_after
from unlearnlog.erasers.eraser import Request
from unlearnlog.erasers.mim import Mim, _ForgetSet, _Room
from unlearnlog.erasers.subspace import second_moment
from unlearnlog.errors import PolicyError, TrainingError
from unlearnlog.model.protocol import Sampling
from unlearnlog.prompt import TARGETS, Prompt

FORGET = tuple(
    Prompt(f"a {noun} by picasso", f"a {noun}", f"photo {noun}")
    for noun in ("cat", "dog", "tree")
)
KEPT = ("a cat", "a dog", "", "photo cat")
SMALL = Mim(rank=2, n_pictures=24, batch=4, rate=0.05, max_steps=60, check_every=10)


def request_of(model: LinearModel) -> Request:
    return Request(
        model,
        old=model.base,
        forget=(FORGET,),
        keep=KEPT,
        sampling=Sampling(steps=1, guidance=1.0),
        seed=3,
    )


@pytest.mark.parametrize("mu", [1.0, 0.6, 1.5])
@pytest.mark.parametrize("target", TARGETS)
def test_one_steps_gradient_is_the_formulas_written_the_slow_way(target, mu):
    model = LinearModel()
    request, eraser = request_of(model), replace(SMALL, target=target, mi_mu=mu)
    forget = _ForgetSet.of(eraser, request)
    old = model.base[NAME].float()
    new = (old + 0.1).requires_grad_()

    rng = torch.Generator().manual_seed(9)
    forget.loss(eraser, request, {NAME: new}, rng).backward()

    # The same draws, then every term of the sum by itself, in float64.
    rng = torch.Generator().manual_seed(9)
    chosen = torch.randint(24 - _ForgetSet.N_HELD, (4,), generator=rng)
    t = torch.randint(model.n_steps_trained, (4,), generator=rng)
    noise = torch.randn(4, *model.latent_shape, generator=rng)
    expected = torch.zeros(8, 6, dtype=torch.float64)
    for i in range(4):
        x_t = model.noised(forget.latents[chosen[i]], noise[i : i + 1], t[i : i + 1])
        share = float(1 - t[i] / 100)
        prompt = FORGET[int(chosen[i]) % 3]
        token = model.encode([prompt.text]).tokens[0].double().mean(0)
        other = model.encode([prompt.target(target)]).tokens[0].double().mean(0)
        x = share * x_t.double().flatten()
        named, instead = x + old.double() @ token, x + old.double() @ other
        goal = instead + (1 - mu) * (named - instead)
        residual = x + new.detach().double() @ token - goal
        expected += 2 / (4 * 8) * torch.outer(residual, token)
    assert new.grad is not None
    torch.testing.assert_close(new.grad.double(), expected, rtol=1e-4, atol=1e-6)


def test_erasing_makes_the_named_prompt_predict_what_the_target_predicts():
    model = LinearModel()
    request = request_of(model)
    eraser = replace(SMALL, target="context")

    delta = eraser.erase(request)

    forget = _ForgetSet.of(eraser, request)
    before = forget.nats_left(eraser, request, dict(model.base))
    after = forget.nats_left(eraser, request, state_after(model.base, [delta]))
    assert after < 0.2 * before


def test_the_charge_for_kept_tokens_is_their_mean_change_counted_one_by_one():
    model = LinearModel()
    request = request_of(model)
    moment = second_moment(model.encode(KEPT).tokens)
    rng = torch.Generator().manual_seed(4)
    right = torch.randn(2, 6, generator=rng)
    left = torch.randn(8, 2, generator=rng)
    room = _Room.along(right.double(), moment, request)

    charged = float(room.disturbed({NAME: left}))

    old, change = model.base[NAME].double(), (left @ right).double()
    tokens = model.encode(KEPT).tokens.double().flatten(0, 1)
    moved = sum(float((change @ token).square().sum()) for token in tokens)
    there = sum(float((old @ token).square().sum()) for token in tokens)
    assert charged == pytest.approx(moved / there, rel=1e-4)


def test_a_heavier_charge_moves_kept_tokens_less():
    def moved(keep: float) -> float:
        delta = replace(SMALL, keep=keep, rank=6).erase(request_of(LinearModel()))
        tokens = LinearModel().encode(KEPT).tokens.flatten(0, 1)
        return float((tokens @ delta.patches[NAME].dense().T).square().sum())

    assert moved(10.0) < 0.5 * moved(1e-6)


def test_the_eraser_changes_neither_the_model_nor_the_old_weights():
    model = LinearModel()
    request = request_of(model)
    copy = model.base[NAME].clone()

    SMALL.erase(request)

    assert torch.equal(model.base[NAME], copy)


def test_the_same_seed_gives_the_same_delta():
    one = SMALL.erase(request_of(LinearModel()))

    two = SMALL.erase(request_of(LinearModel()))

    assert one.digest == two.digest


def test_the_delta_has_the_rank_that_was_asked_for():
    delta = SMALL.erase(request_of(LinearModel()))

    assert torch.linalg.matrix_rank(delta.patches[NAME].dense()) <= SMALL.rank


def test_a_rate_that_blows_up_is_an_error_that_names_it():
    eraser = replace(SMALL, rate=1e30)

    with pytest.raises(TrainingError, match=r"nan|inf") as caught:
        eraser.erase(request_of(LinearModel()))

    assert "1e+30" in caught.value.fix


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"target": "nowhere"}, "nowhere"),
        ({"rate": -1.0}, "-1"),
        ({"rate": "fast"}, "fast"),
        ({"n_pictures": 8}, "8"),
        ({"batch": True}, "True"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_their_value(settings, named):
    with pytest.raises(PolicyError, match=named):
        Mim.of(settings)
