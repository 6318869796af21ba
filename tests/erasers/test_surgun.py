from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from tests.fakes import NAME, LinearModel
from unlearnlog.core.prompt import Prompt
from unlearnlog.erasers.eraser import Request
from unlearnlog.erasers.forget_set import Noised
from unlearnlog.erasers.surgun import SurgUn
from unlearnlog.errors import PolicyError
from unlearnlog.models.interface import Sampling, Text

FORGET = tuple(
    Prompt(f"a {noun} by picasso", f"a {noun}", "", named="picasso")
    for noun in ("cat", "dog", "tree")
)
KEPT = ("a cat", "a dog", "a tree", "sky", "a house by monet")
SMALL = SurgUn(project=False, n_pictures=24, n_kept=10, batch=4, steps=20, rate=0.05)
BLOCKS = {
    f"unet.up.{i}.attn2.{which}.weight": (i, scale)
    for i, which, scale in (
        (0, "to_k", 0.5),
        (0, "to_v", 1.0),
        (1, "to_k", 1.0),
        (1, "to_v", 2.0),
        (2, "to_v", 1.5),
    )
}


class ThreeBlocks(LinearModel):
    """Each block hears the token at one place only: words, not a mean of them."""

    def __init__(self):
        super().__init__()
        rng = torch.Generator().manual_seed(6)
        draw = [torch.randn(8, self.d_text, generator=rng) for _ in BLOCKS]
        self.base = dict(zip(BLOCKS, (each.half() for each in draw), strict=True))

    def eps(self, x_t, t, text, *, weights=None):
        share = (1 - t / self.n_steps_trained).reshape(-1, 1, 1, 1)
        total = share * x_t
        for name, (i, scale) in BLOCKS.items():
            matrix = (weights or self.base)[name].float()
            said = scale * text.tokens[:, 1 + i]
            total = total + (said @ matrix.T).reshape(-1, *self.latent_shape)
        return total


def request_of(model: LinearModel) -> Request:
    return Request(
        model,
        old=model.base,
        forget=(FORGET,),
        keep=KEPT,
        sampling=Sampling(steps=1, guidance=1.0),
        seed=3,
    )


def error(
    some: Noised, i: int, text: Text, w: torch.Tensor
) -> tuple[float, torch.Tensor]:
    """One picture's mean square and its gradient, in float64."""
    said = text.tokens[i].double().mean(0)
    x = (1 - float(some.t[i]) / 100) * some.x_t[i].double().flatten()
    missed = x + w @ said - some.noise[i].double().flatten()
    return float(missed.square().mean()), 2 / 8 * torch.outer(missed, said)


@pytest.mark.parametrize(("distract", "k"), [(1.0, 10.0), (0.3, 1.0), (2.0, 0.1)])
def test_one_steps_gradient_is_the_formulas_written_the_slow_way(distract, k):
    model = LinearModel()
    eraser = replace(SMALL, distract=distract, sharpness=k)
    scene = eraser.scene(request_of(model))
    new = (model.base[NAME].float() + 0.1).requires_grad_()

    (loss,) = eraser.losses(scene, {NAME: new})
    loss.backward()

    again = eraser.scene(request_of(model))
    some, text, _ = again.forgotten(4)
    other = eraser.distractors(again, some.t)
    w, value = new.detach().double(), 0.0
    expected = torch.zeros(8, 6, dtype=torch.float64)
    for i in range(4):
        of_concept, down = error(some, i, text, w)
        of_other, up = error(other, i, text, w)
        odds = math.exp(k * (of_other - of_concept))
        value += (distract * of_other + math.log(1 + odds) / k) / 4
        pull = odds / (1 + odds)
        expected += ((distract + pull) * up - pull * down) / 4
    assert loss.item() == pytest.approx(value, rel=1e-4)
    assert new.grad is not None
    torch.testing.assert_close(new.grad.double(), expected, rtol=1e-3, atol=1e-5)


def test_a_distractor_has_its_pair_s_noise_level_and_a_kept_picture_under_it():
    scene = SMALL.scene(request_of(LinearModel()))
    t = torch.tensor([3, 50, 99])

    other = SMALL.distractors(scene, t)

    assert torch.equal(other.t, t)
    latents = scene.kept.latents[other.rows]
    assert torch.equal(other.x_t, scene.request.model.noised(latents, other.noise, t))


def test_the_ascent_ends_once_the_distractors_fit_better():
    """Without its brake it would not: the step of Adam is the same at every size."""
    request = request_of(LinearModel())
    eraser = replace(SMALL, distract=1e-6, change="full", steps=50)

    short, long = (replace(eraser, steps=n).erase(request).norm for n in (40, 160))

    assert long < 1.5 * short


def test_blocks_are_ranked_by_the_ratio_of_energies_counted_one_by_one():
    model = ThreeBlocks()
    eraser = replace(SMALL, looks=3)
    request = request_of(model)

    found = {
        n: replace(eraser, n_blocks=n).blocks(eraser.scene(request)) for n in (1, 2, 9)
    }

    again = eraser.scene(request)
    ratio = {}
    concept, others = [0.0] * 3, [0.0] * 3
    for _ in range(3):
        some, text, _ = again.forgotten(4)
        count(model, concept, some, text)
        some, text = again.stayed(4)
        count(model, others, some, text)
    for i in range(3):
        ratio[f"unet.up.{i}.attn2"] = concept[i] / others[i]
    ranked = sorted(ratio, key=lambda block: -ratio[block])
    assert found == {1: {*ranked[:1]}, 2: {*ranked[:2]}, 9: {*ranked}}


def count(model: ThreeBlocks, energy: list[float], some: Noised, text: Text) -> None:
    """Add each block's squared gradient, matrix by matrix, in float64."""
    w = {name: value.double() for name, value in model.base.items()}
    for i, scale in BLOCKS.values():
        gradient = torch.zeros(8, 6, dtype=torch.float64)
        for b in range(4):
            x = (1 - float(some.t[b]) / 100) * some.x_t[b].double().flatten()
            said = text.tokens[b].double()
            for other, (j, size) in BLOCKS.items():
                x = x + w[other] @ (size * said[1 + j])
            missed = x - some.noise[b].double().flatten()
            gradient += 2 / (4 * 8) * torch.outer(missed, scale * said[1 + i])
        energy[i] += float(gradient.square().sum())


@pytest.mark.parametrize("project", [False, True])
@pytest.mark.parametrize("change", ["full", "factors"])
def test_only_the_chosen_blocks_change(change, project):
    request = request_of(ThreeBlocks())
    eraser = replace(SMALL, n_blocks=2, change=change, project=project)

    delta = eraser.erase(request)

    blocks = eraser.blocks(eraser.scene(request))
    moved = {name: bool(patch.dense().any()) for name, patch in delta.patches.items()}
    assert moved == {name: name.rpartition(".to_")[0] in blocks for name in BLOCKS}
    assert len({*moved.values()}) == 2


def test_erasing_lets_the_prompt_paint_others_rather_than_the_concept():
    model = LinearModel()
    request = request_of(model)
    eraser = replace(SMALL, steps=100, batch=16, change="full", rate=0.02)

    new = {NAME: model.base[NAME] + eraser.erase(request).patches[NAME].dense().float()}

    def lead(weights: dict[str, torch.Tensor]) -> float:
        scene = replace(eraser, batch=256).scene(request)
        some, text, _ = scene.forgotten(256)
        other = eraser.distractors(scene, some.t)
        own = (scene.eps(some, text, weights) - some.noise).square().mean()
        others = (scene.eps(other, text, weights) - other.noise).square().mean()
        return float(own - others)

    assert lead(new) > lead({NAME: model.base[NAME].float()})


def test_the_same_seed_gives_the_same_delta_and_another_seed_another():
    one, two = (SMALL.erase(request_of(LinearModel())) for _ in range(2))
    other = SMALL.erase(replace(request_of(LinearModel()), seed=4))

    assert one.digest == two.digest != other.digest


def test_the_work_counts_the_looks_at_blocks():
    small, work = SMALL.rehearsal()

    assert SMALL.work(2).steps == 24
    assert (small.looks, small.steps, work.steps) == (1, 2, 3)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"n_blocks": 0}, "n_blocks is 0"),
        ({"looks": 0}, "looks is 0"),
        ({"sharpness": -1.0}, "-1.0"),
        ({"distract": 0.0}, "0.0"),
        ({"n_kept": 0}, "n_kept is 0"),
        ({"change": "some"}, "some"),
        ({"project": 1}, "1"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_their_value(settings, named):
    with pytest.raises(PolicyError, match=named):
        SurgUn.of(settings)


def test_a_setting_that_is_a_yes_or_no_takes_one():
    assert SurgUn.of({"project": True}).project
    assert not SurgUn.of({"project": False}).project
