import pytest
import torch

from tests.erasers.slowly import (
    FORGET,
    SEED,
    SMALL_KEPT,
    assert_same,
    descent,
    mean_token,
    prompt_of,
    request_of,
    seen,
    step_of,
)
from tests.fakes import NAME
from unlearnlog.erasers.restricted_gradient import RestrictedGradient, without
from unlearnlog.errors import PolicyError


def mixed_by_hand(forget, keep, alpha):
    """Write both projections over lists of numbers."""
    f, k = forget.flatten().tolist(), keep.flatten().tolist()
    dot = sum(a * b for a, b in zip(f, k, strict=True))
    ff, kk = sum(a * a for a in f), sum(b * b for b in k)
    pairs = zip(f, k, strict=True)
    mixed = [
        (a - min(0, dot / kk) * b) + alpha * (b - min(0, dot / ff) * a)
        for a, b in pairs
    ]
    return torch.tensor(mixed, dtype=torch.float64).reshape(forget.shape)


@pytest.mark.parametrize(
    ("forget", "limit"), [("ascent", 1e9), ("ascent", 1e-3), ("target", 1.1)]
)
def test_one_steps_gradient_is_the_formulas_written_the_slow_way(forget, limit):
    request = request_of()
    eraser = RestrictedGradient(forget=forget, limit=limit, **SMALL_KEPT)

    (one, two), new, scene = step_of(eraser, request)
    found = eraser.mix([(-1.0, {NAME: one}), (0.0, {NAME: two})])[NAME]

    rng = torch.Generator().manual_seed(SEED)
    old, error = request.old[NAME].double(), 0.0
    first, second = torch.zeros(2, 8, 6).double()
    for picture in seen(scene.forget.learnt, 4, rng):
        prompt = prompt_of(picture)
        token, other = mean_token(prompt.text), mean_token(prompt.target("context"))
        goal = picture.noise if forget == "ascent" else picture.x + old @ other
        residual = picture.x + new @ token - goal
        error += float(residual.square().sum()) / (4 * 8)
        first += descent(residual, token, 4)
    if forget == "ascent":
        first = -first / (error if error > limit else 1)
    for picture in seen(scene.kept.latents, 4, rng):
        token = mean_token(scene.kept.texts[picture.row])
        second += descent(picture.x + new @ token - picture.noise, token, 4)
    assert_same(one, first)
    assert_same(two, second)
    assert_same(found, mixed_by_hand(first, second, 1.6))


@pytest.mark.parametrize("seed", range(6))
def test_two_directions_over_all_tensors_are_mixed_as_one_row(seed):
    rng = torch.Generator().manual_seed(seed)
    forget, keep = torch.randn(2, 14, generator=rng).double()
    halves = [
        {"a": each[:6].reshape(2, 3), "b": each[6:].reshape(4, 2)}
        for each in (forget, keep)
    ]

    found = RestrictedGradient(alpha=0.8).mix([(0.0, half) for half in halves])

    whole = torch.cat([found["a"].flatten(), found["b"].flatten()])
    expected = mixed_by_hand(forget, keep, 0.8)
    torch.testing.assert_close(whole, expected, rtol=1e-12, atol=1e-14)


def test_a_direction_that_speaks_against_the_other_is_made_square_to_it():
    one, other = torch.tensor([1.0, -1]).double(), torch.tensor([0.0, 2]).double()

    assert torch.equal(without(one, other), torch.tensor([1.0, 0]).double())


def test_directions_that_agree_are_left_as_they_are():
    one, other = torch.tensor([1.0, 1]).double(), torch.tensor([0.0, 2]).double()

    assert torch.equal(without(one, other), one)


def test_where_one_direction_is_nothing_the_other_is_left_as_it_is():
    one = torch.tensor([1.0, -3]).double()

    assert torch.equal(without(one, torch.zeros(2).double()), one)


def test_keeping_more_moves_kept_noise_less():
    def worse(alpha: float) -> float:
        request = request_of()
        settings = {**SMALL_KEPT, "forget": "target", "steps": 40}
        eraser = RestrictedGradient(alpha=alpha, **settings)
        change = eraser.erase(request).patches[NAME].dense()
        new, total = request.old[NAME].double() + change, 0.0
        scene = eraser.scene(request)
        rng = torch.Generator().manual_seed(7)
        for picture in seen(scene.kept.latents, 50, rng):
            token = mean_token(scene.kept.texts[picture.row])
            guess = picture.x + new @ token
            total += float((guess - picture.noise).square().sum())
        return total

    assert worse(5.0) < worse(0.05)


def test_what_stays_can_be_the_concepts_own_prompts_without_it():
    """The published program keeps "a person" where it forgets "a naked person"."""
    eraser = RestrictedGradient(stays="target", **SMALL_KEPT)

    scene = eraser.scene(request_of())

    assert {*scene.kept.texts} == {prompt.context for prompt in FORGET}
    assert {*scene.forget.texts} == {prompt.text for prompt in FORGET}


def test_what_stays_cannot_be_the_empty_prompt_alone():
    with pytest.raises(PolicyError, match="they become the empty prompt"):
        RestrictedGradient.of({"stays": "target", "target": "unconditional"})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"stays": "all"}, "no stays 'all'"),
        ({"forget": "faster"}, "no forget 'faster'"),
        ({"alpha": 0.0}, r"alpha is 0\.0"),
        ({"limit": -1.0}, r"limit is -1\.0"),
        ({"n_kept": 0}, "n_kept is 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_their_value(settings, said):
    with pytest.raises(PolicyError, match=said):
        RestrictedGradient.of(settings)
