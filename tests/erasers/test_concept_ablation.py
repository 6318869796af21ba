import pytest
import torch

from tests.erasers.slowly import (
    FORGET,
    SEED,
    SMALL,
    assert_same,
    descent,
    mean_token,
    prompt_of,
    request_of,
    seen_by,
    step_of,
)
from tests.fakes import NAME
from unlearnlog.erasers.concept_ablation import ConceptAblation
from unlearnlog.errors import PolicyError


@pytest.mark.parametrize("prior", [0.0, 0.7])
@pytest.mark.parametrize("target", ["anchor", "context"])
def test_one_steps_gradient_is_the_formulas_written_the_slow_way(target, prior):
    eraser = ConceptAblation(target=target, prior=prior, **SMALL)

    (found,), new, scene = step_of(eraser, request_of())

    expected = torch.zeros(8, 6).double()
    first, second = seen_by(scene.forget.learnt, 4, 4)
    for picture in first:
        prompt = prompt_of(picture)
        token, other = mean_token(prompt.text), mean_token(prompt.target(target))
        residual = (picture.x + new @ token) - (picture.x + new @ other)
        expected += descent(residual, token, 4)
    for picture in second:
        other = mean_token(prompt_of(picture).target(target))
        residual = picture.x + new @ other - picture.noise
        expected += prior * descent(residual, other, 4)
    assert_same(found, expected)


def test_pictures_are_the_anchors_each_from_a_seed_of_its_own():
    request = request_of()

    forget = ConceptAblation(**SMALL).scene(request).forget

    seeds = [SEED + i for i in range(24)]
    anchors = [FORGET[i % 3].anchor for i in range(24)]
    painted = request.model.paint(anchors, seeds, sampling=request.sampling)
    assert torch.equal(forget.latents, painted.latents)
    assert forget.texts == tuple(FORGET[i % 3].text for i in range(24))


def test_the_prior_keeps_the_anchors_pictures_denoised():
    def error(prior: float) -> float:
        request = request_of()
        free = {**SMALL, "steps": 40, "project": False}
        eraser = ConceptAblation(prior=prior, **free)
        change = eraser.erase(request).patches[NAME].dense()
        new, total = request.old[NAME].double() + change, 0.0
        for picture in seen_by(eraser.scene(request).forget.latents, 50)[0]:
            guess = picture.x + new @ mean_token(prompt_of(picture).anchor)
            total += float((guess - picture.noise).square().sum())
        return total

    assert error(1.0) < 0.8 * error(0.0)


def test_a_prior_of_less_than_nothing_is_refused():
    ConceptAblation.of({"prior": 0.0})

    with pytest.raises(PolicyError, match=r"concept-ablation's prior is -1\.0"):
        ConceptAblation.of({"prior": -1.0})
