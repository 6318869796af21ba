import pytest
import torch

from tests.erasers.slowly import SMALL, assert_same, request_of
from tests.fakes import NAME, LinearModel
from unlearnlog.core.patch import GRID
from unlearnlog.erasers.esd import Esd
from unlearnlog.erasers.trainable_change import FullChange, ThinChange, fence_of

OTHER = NAME.replace("to_v", "to_k")


def started(kind, request, fence=None):
    return (
        FullChange.of(request, fence)
        if kind == "full"
        else ThinChange.lora(request, 4, fence)
    )


def moved_at_random(change):
    rng = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in change.parameters.values():
            parameter.add_(torch.randn(parameter.shape, generator=rng))
    return change


def relative_change(change, tokens) -> float:
    """Say how far tokens move at most, each beside its own length."""
    moves = (tokens @ change.T).norm(dim=1) / tokens.norm(dim=1)
    return float(moves.max() / change.norm())


@pytest.mark.parametrize("kind", ["full", "factors"])
def test_training_begins_with_no_change_at_all(kind):
    request = request_of()

    change = started(kind, request)

    assert torch.equal(change.moved(request.old)[NAME], request.old[NAME].float())
    assert not change.delta(1.0).patches[NAME].dense().any()
    assert all(p.requires_grad for p in change.parameters.values())


def test_a_thin_change_can_begin_to_move_because_its_right_factor_is_not_zero():
    request = request_of()
    change = ThinChange.lora(request, 4)

    total = change.moved(request.old)[NAME].sum()
    (gradient,) = torch.autograd.grad(total, [change.lefts[NAME]])

    assert gradient.any()


def test_a_small_projection_does_not_make_the_next_ones_factors_thinner():
    model = LinearModel()
    old = {OTHER: torch.zeros(2, 6), NAME: model.base[NAME]}

    change = ThinChange.lora(request_of(model, old=old), 4)

    assert [len(right) for right in change.rights.values()] == [2, 4]


@pytest.mark.parametrize("kind", ["full", "factors"])
def test_the_delta_is_what_the_weights_moved_by(kind):
    request = request_of()
    change = moved_at_random(started(kind, request, fence_of(request, 0.1)))

    delta = change.delta(1.0).patches[NAME].dense()

    old = request.old[NAME].double()
    assert_same(change.moved(request.old)[NAME].detach().double(), old + delta)


@pytest.mark.parametrize("strength", [0.5, 2.0, -1.0])
@pytest.mark.parametrize("kind", ["full", "factors"])
def test_strength_scales_the_delta_in_proportion(kind, strength):
    request = request_of()
    change = moved_at_random(started(kind, request))

    one = change.delta(1.0).patches[NAME].dense()
    scaled = change.delta(strength).patches[NAME].dense()

    size = float(one.abs().max().sqrt()) + 1
    torch.testing.assert_close(scaled, strength * one, rtol=0, atol=16 * size * GRID)


def test_the_fence_is_the_ridge_projection_written_the_slow_way():
    request = request_of(keep=("a cat", "photo cat"))

    fence = fence_of(request, 0.01)

    rows = [row for text in request.keep for row in request.model.encode([text]).tokens]
    tokens = torch.cat(rows).double()  # [16, 6]
    moment = torch.zeros(6, 6).double()
    for token in tokens:
        moment += torch.outer(token, token) / len(tokens)
    ridge = 0.01 * sum(moment[i, i] for i in range(6)) / 6
    one = torch.eye(6).double()
    expected = one - moment @ torch.linalg.inv(moment + ridge * one)
    torch.testing.assert_close(fence.double(), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", ["full", "factors"])
def test_training_behind_the_fence_leaves_kept_tokens_where_they_are(kind):
    """The lower the ridge, the less they move: with it in proportion."""
    kept = request_of(keep=("a cat",))
    tokens = kept.model.encode(kept.keep).tokens[0].double()
    settings = {**SMALL, "change": kind}

    free = Esd(project=False, **settings).erase(kept).patches[NAME].dense()
    moved = {}
    for ridge in (1e-2, 1e-3):
        eraser = Esd(project=True, fence=ridge, **settings)
        change = eraser.erase(kept).patches[NAME].dense()
        moved[ridge] = relative_change(change, tokens)
        assert change.norm() > 0.1 * free.norm()

    assert relative_change(free, tokens) > 0.1
    assert moved[1e-2] < 5e-2
    assert moved[1e-3] < 0.2 * moved[1e-2]


def test_training_behind_the_fence_is_projecting_each_gradient():
    """With a fence P that is a projection, a step on the value is W - rate G P."""
    request = request_of()
    tokens = request.model.encode(["a cat"]).tokens[0].double()
    basis = torch.linalg.svd(tokens, full_matrices=False)[2][:4]
    projection = torch.eye(6).double() - basis.T @ basis
    change = FullChange.of(request, projection.float())
    weights = request.old[NAME].double()
    rng = torch.Generator().manual_seed(2)
    goal = torch.randn(8, 6, generator=rng).double()

    for _ in range(5):
        loss = (change.moved(request.old)[NAME] - goal.float()).pow(4).mean()
        (gradient,) = torch.autograd.grad(loss, [change.values[NAME]])
        with torch.no_grad():
            change.values[NAME].sub_(0.1 * gradient)
        weights = weights - 0.1 * (4 * (weights - goal) ** 3 / 48) @ projection

    assert_same(change.moved(request.old)[NAME].detach().double(), weights)
    assert not torch.allclose(weights, request.old[NAME].double(), atol=0.01)


def test_a_fence_round_nothing_shuts_nothing():
    assert torch.equal(fence_of(request_of(keep=()), 0.01), torch.eye(6))
