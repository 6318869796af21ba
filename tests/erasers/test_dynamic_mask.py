from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from tests.fakes import NAME, LinearModel
from unlearnlog.core.prompt import Prompt
from unlearnlog.erasers.dynamic_mask import DynamicMask, Masks, chosen, turned_over
from unlearnlog.erasers.eraser import Request
from unlearnlog.errors import PolicyError
from unlearnlog.models.interface import Sampling

FORGET = tuple(
    Prompt(f"a {noun} by picasso", f"a {noun}", "", parent=f"a cubist {noun}")
    for noun in ("cat", "dog", "tree")
)
SMALL = DynamicMask(
    n_pictures=24, n_kept=5, batch=4, steps=20, rate=0.05, warm_up=3, every=4
)


def request_of(model: LinearModel) -> Request:
    return Request(
        model,
        old={NAME: model.base[NAME] + 0.25},
        forget=(FORGET,),
        keep=("a cat", "a dog"),
        sampling=Sampling(steps=1, guidance=1.0),
        seed=3,
    )


def token(model: LinearModel, text: str) -> torch.Tensor:
    """The mean token that the model hears, float64."""
    return model.encode([text]).tokens[0].double().mean(0)


def heard(t: torch.Tensor, x_t: torch.Tensor) -> torch.Tensor:
    """What the model predicts of the latent alone, float64."""
    return (1 - t.double() / 100) * x_t.double().flatten()


@pytest.mark.parametrize(
    ("keep", "distil"), [(0.25, 0.25), (0.25, 0.0), (0.0, 0.7), (0.0, 0.0)]
)
def test_one_steps_gradient_is_the_formulas_written_the_slow_way(keep, distil):
    model = LinearModel()
    eraser = replace(SMALL, keep=keep, distil=distil)
    scene = eraser.scene(request_of(model))
    new = (model.base[NAME].float() + 0.1).requires_grad_()

    (loss,) = eraser.losses(scene, {NAME: new})
    loss.backward()

    # The same draws, then every term of the sum by itself, in float64.
    again = eraser.scene(request_of(model))
    some, _, _ = again.forgotten(4)
    kin, _ = again.stayed(4)
    w, old = new.detach().double(), scene.request.old[NAME].double()
    expected, n = torch.zeros(8, 6, dtype=torch.float64), 4 * 8
    for i in range(4):
        prompt = FORGET[int(some.rows[i]) % 3]
        named, parent = token(model, prompt.text), token(model, prompt.parent)
        x = heard(some.t[i], some.x_t[i])
        expected += 2 / n * torch.outer((x + w @ named) - (x + w @ parent), named)
        said = token(model, FORGET[int(kin.rows[i]) % 3].parent)
        y = heard(kin.t[i], kin.x_t[i]) + w @ said
        missed = y - kin.noise[i].double().flatten()
        moved = (w - old) @ said
        expected += 2 / n * torch.outer(keep * missed + distil * moved, said)
    assert new.grad is not None
    torch.testing.assert_close(new.grad.double(), expected, rtol=1e-4, atol=1e-6)


def test_the_parent_s_pictures_are_painted_for_its_own_prompts_in_turn():
    model = LinearModel()
    kept = SMALL.scene(request_of(model)).kept

    said = [FORGET[i % 3].parent for i in range(5)]
    latents = model.paint(said, range(3, 8), sampling=Sampling(1, 1.0)).latents
    assert kept.texts == tuple(said)
    assert torch.equal(kept.latents, latents)
    assert torch.equal(kept.text.tokens, model.encode(said).tokens)


def test_the_first_mask_is_the_top_half_of_the_summed_denoising_gradients():
    model = LinearModel()
    request = request_of(model)
    scene = SMALL.scene(request)

    masks = SMALL.gate(scene, SMALL.start(request))

    again = SMALL.scene(request)
    w, total = request.old[NAME].double(), torch.zeros(8, 6, dtype=torch.float64)
    for _ in range(SMALL.warm_up):
        some, _, _ = again.forgotten(4)
        for i in range(4):
            named = token(model, FORGET[int(some.rows[i]) % 3].text)
            y = heard(some.t[i], some.x_t[i]) + w @ named
            missed = y - some.noise[i].double().flatten()
            total += 2 / (4 * 8) * torch.outer(missed, named)
    least = total.abs().flatten().sort().values[24]
    assert isinstance(masks, Masks)
    assert torch.equal(masks.kept[NAME], total.abs() >= least)


def test_a_turnover_exchanges_the_smallest_inside_for_the_largest_outside():
    mask = torch.tensor([[1, 1, 1, 1, 0], [0, 0, 0, 1, 0]]).bool()
    scores = torch.tensor([[5.0, 1.0, 4.0, 2.0, 9.0], [0.0, 3.0, 8.0, 6.0, 7.0]])

    found = turned_over(mask, scores, 0.4)  # two of five

    assert found.tolist() == [
        [True, False, True, False, True],
        [False, False, True, True, False],
    ]


def test_a_turnover_exchanges_one_number_at_least_and_no_more_than_there_are():
    scores = torch.arange(4.0)
    most = torch.tensor([True, True, True, False])

    assert turned_over(most, scores, 0.01).tolist() == [False, True, True, True]
    assert turned_over(most, scores, 1.0).tolist() == [False, True, True, True]


def test_of_equal_scores_the_first_are_chosen():
    assert chosen(torch.zeros(2, 3), 0.5).tolist() == [[True] * 3, [False] * 3]
    assert chosen(torch.tensor([0.0, 2.0]), 0.1).tolist() == [False, True]


def test_masks_are_turned_over_on_time_by_what_was_seen_in_between():
    eraser = replace(SMALL, steps=10, every=2, turnover=1.0, until=0.4)
    masks = Masks(eraser, {"w": torch.tensor([True, True, False, False])})
    seen = torch.tensor([1.0, -5.0, 3.0, -4.0])
    used = []
    for step in range(6):
        gradients = {"w": seen.clone() if step < 2 else -seen.flip(0)}
        masks(step, gradients)
        used.append(gradients["w"].tolist())

    # Step 2 swaps int(.905 * 2) = 1 by the sums of steps 0 and 1: 1 leaves, 4 enters.
    # At .4 of 10 steps it is over.
    assert used == [[1.0, -5.0, 0.0, 0.0]] * 2 + [[0.0, -3.0, 0.0, -1.0]] * 4


def test_turnover_falls_as_a_cosine_and_ends_at_its_share_of_the_steps():
    masks = Masks(replace(SMALL, steps=100, every=20, until=0.8), {})

    due = {step: masks.due(step) for step in range(100) if masks.due(step)}

    assert due == {
        step: pytest.approx(0.1 * (1 + math.cos(math.pi * step / 100)))
        for step in (20, 40, 60)
    }


def test_what_was_never_in_a_mask_does_not_change_at_all(monkeypatch):
    seen = []
    call = Masks.__call__

    def noted(self, step, gradients):
        call(self, step, gradients)
        seen.append(self.kept[NAME].clone())

    monkeypatch.setattr(Masks, "__call__", noted)
    change = SMALL.erase(request_of(LinearModel())).patches[NAME].dense()

    ever = torch.stack(seen).any(0)
    assert not torch.equal(seen[0], seen[-1])
    assert all(int(mask.sum()) == 24 for mask in seen)
    assert not ever.all()
    assert torch.equal(change != 0, ever)


def test_erasing_leads_the_named_prompt_to_its_parent():
    model = LinearModel()
    request = request_of(model)
    eraser = replace(SMALL, steps=60, share=0.9, rate=0.02)

    new = request.old[NAME] + eraser.erase(request).patches[NAME].dense()

    def missed(w: torch.Tensor) -> float:
        gaps = [token(model, p.text) - token(model, p.parent) for p in FORGET]
        return float(sum((w.double() @ gap).square().sum() for gap in gaps))

    assert missed(new) < 0.3 * missed(request.old[NAME])


def test_the_same_seed_gives_the_same_delta_and_another_seed_another():
    one, two = (SMALL.erase(request_of(LinearModel())) for _ in range(2))
    other = SMALL.erase(replace(request_of(LinearModel()), seed=4))

    assert one.digest == two.digest != other.digest


def test_the_work_counts_the_warm_up():
    small, work = SMALL.rehearsal()

    assert SMALL.work(2).steps == 23
    assert SMALL.work(2).pictures == 53
    assert (small.warm_up, small.steps, work.steps) == (1, 2, 3)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"change": "factors"}, "its change is 'factors'"),
        ({"project": True}, "projection"),
        ({"share": 1.5}, "1.5"),
        ({"share": 0.0}, "0.0"),
        ({"turnover": 2.0}, "2.0"),
        ({"until": 1.1}, "1.1"),
        ({"keep": -0.5}, "-0.5"),
        ({"warm_up": 0}, "warm_up is 0"),
        ({"n_kept": 0}, "n_kept is 0"),
        ({"target": "nowhere"}, "nowhere"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_their_value(settings, named):
    with pytest.raises(PolicyError, match=named):
        DynamicMask.of(settings)


def test_both_weights_may_be_zero():
    eraser = DynamicMask.of({"keep": 0.0, "distil": 0.0})

    assert eraser.settings["distil"] == 0
    assert eraser.settings["keep"] == 0
