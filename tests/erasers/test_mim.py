from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.fakes import NAME, LinearModel
from unlearnlog.core.delta import state_after
from unlearnlog.core.prompt import TARGETS, Prompt
from unlearnlog.erasers.eraser import Request
from unlearnlog.erasers.forget_set import ForgetSet
from unlearnlog.erasers.mim import WEIGHTINGS, Mim
from unlearnlog.errors import PolicyError, TrainingError
from unlearnlog.models.interface import Sampling
from unlearnlog.models.noise_levels import density

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


def forget_set(eraser: Mim, request: Request) -> ForgetSet:
    return ForgetSet.of(request, eraser.target, n=eraser.n_pictures, n_family=0)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("mu", [1.0, 0.6, 1.5])
@pytest.mark.parametrize("target", TARGETS)
def test_one_steps_gradient_is_the_formulas_written_the_slow_way(target, mu, weighting):
    model = LinearModel()
    request = request_of(model)
    eraser = replace(SMALL, target=target, mi_mu=mu, weighting=weighting)
    forget = forget_set(eraser, request)
    old = model.base[NAME].float()
    new = (old + 0.1).requires_grad_()

    rng = torch.Generator().manual_seed(9)
    eraser.loss(request, forget, {NAME: new}, rng).backward()

    # The same draws, then every term of the sum by itself, in float64.
    rng = torch.Generator().manual_seed(9)
    chosen = torch.randint(24 - ForgetSet.N_HELD, (4,), generator=rng)
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
        weight = float(density(model)[t[i]]) if weighting == "nats" else 1.0
        expected += weight * 2 / (4 * 8) * torch.outer(residual, token)
    assert new.grad is not None
    torch.testing.assert_close(new.grad.double(), expected, rtol=1e-4, atol=1e-6)


def test_erasing_makes_the_named_prompt_predict_what_the_target_predicts():
    model = LinearModel()
    request = request_of(model)
    eraser = replace(SMALL, target="context")

    delta = eraser.erase(request)

    forget = forget_set(eraser, request)
    before = eraser.nats_left(request, forget, dict(model.base))
    after = eraser.nats_left(request, forget, state_after(model.base, [delta]))
    assert after < 0.2 * before


def test_pictures_painted_anew_replace_a_share_of_what_is_learnt_and_no_held_one():
    model = LinearModel()
    request = request_of(model)
    forget = forget_set(SMALL, request)
    moved = {NAME: model.base[NAME].float() + 3}

    rng = torch.Generator().manual_seed(2)
    again = forget.repainted(request, moved, 0.5, rng)

    changed = (again.latents != forget.latents).flatten(1).any(1)
    assert int(changed.sum()) == round(0.5 * forget.n_learnt)
    assert not changed[forget.n_learnt :].any()
    assert forget.repainted(request, moved, 0.0, rng) is forget


def test_on_policy_the_pictures_are_painted_by_the_weights_as_they_are(monkeypatch):
    painters = []
    paint = LinearModel.paint

    def noted(self, prompts, seeds, **options):
        painters.append(options.get("weights"))
        return paint(self, prompts, seeds, **options)

    monkeypatch.setattr(LinearModel, "paint", noted)
    replace(SMALL, on_policy=1.0, patience=9).erase(request_of(LinearModel()))

    erased = [weights[NAME] for weights in painters if weights is not None]
    assert len(erased) == SMALL.max_steps // SMALL.check_every - 1
    assert not torch.equal(erased[0], erased[-1])


def test_a_family_s_prompts_are_made_to_paint_what_stays_of_it():
    model = LinearModel()
    pairs = (("a cubist cat", "a cat by braque"), ("a cubist dog", "a dog by braque"))
    request = replace(request_of(model), families=(pairs,))
    eraser = replace(
        SMALL, target="context", rank=6, leak=1e3, keep=1e-3, n_family=24, rate=0.01
    )

    def missed(eraser: Mim) -> float:
        new = state_after(model.base, [eraser.erase(request)])[NAME].float()
        old, total = model.base[NAME].float(), 0.0
        for text, stays in pairs:
            said, goal = (model.encode([t]).tokens[0].mean(0) for t in (text, stays))
            total += float((new @ said - old @ goal).square().sum())
        return total

    assert missed(eraser) < 0.8 * missed(replace(eraser, n_family=0))


def test_a_heavier_charge_moves_kept_tokens_less():
    def moved(keep: float) -> float:
        delta = replace(SMALL, keep=keep, rank=6).erase(request_of(LinearModel()))
        tokens = LinearModel().encode(KEPT).tokens.flatten(0, 1)
        return float((tokens.double() @ delta.patches[NAME].dense().T).square().sum())

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
        ({"weighting": "odd"}, "odd"),
        ({"on_policy": 1.5}, "1.5"),
        ({"n_family": -1}, "-1"),
        ({"batch": True}, "True"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_their_value(settings, named):
    with pytest.raises(PolicyError, match=named):
        Mim.of(settings)
