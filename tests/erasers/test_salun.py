import pytest
import torch

from tests.erasers.slowly import (
    SEED,
    SMALL_KEPT,
    assert_same,
    descent,
    mean_token,
    prompt_of,
    request_of,
    seen,
    seen_by,
    step_of,
)
from tests.fakes import NAME
from unlearnlog.erasers.salun import Salun, most_salient
from unlearnlog.errors import PolicyError, TrainingError


@pytest.mark.parametrize("alpha", [0.0, 0.5])
@pytest.mark.parametrize("target", ["sibling", "anchor", "context"])
def test_one_steps_gradient_is_the_formulas_written_the_slow_way(target, alpha):
    eraser = Salun(target=target, alpha=alpha, **SMALL_KEPT)

    (found,), new, scene = step_of(eraser, request_of())

    rng = torch.Generator().manual_seed(SEED)
    expected = torch.zeros(8, 6).double()
    for picture in seen(scene.forget.learnt, 4, rng):
        prompt = prompt_of(picture)
        token, other = mean_token(prompt.text), mean_token(prompt.target(target))
        residual = (picture.x + new @ token) - (picture.x + new @ other)
        expected += descent(residual, token, 4)
    for picture in seen(scene.kept.latents, 4, rng):
        token = mean_token(scene.kept.texts[picture.row])
        residual = picture.x + new @ token - picture.noise
        expected += alpha * descent(residual, token, 4)
    assert_same(found, expected)


def salient_by_hand(eraser, scene, old):
    """Sum the gradient of the guided loss over two batches; mark the larger half."""
    total, g = torch.zeros(8, 6).double(), eraser.guidance
    empty = mean_token("")
    for batch in seen_by(scene.forget.learnt, 4, 4):
        for picture in batch:
            token = mean_token(prompt_of(picture).text)
            named, free = picture.x + old @ token, picture.x + old @ empty
            residual = (1 + g) * named - g * free - picture.noise
            total += descent(residual, (1 + g) * token - g * empty, 4)
    sizes = total.abs().flatten().tolist()
    first = sorted(range(48), key=lambda i: -sizes[i])[: round(48 * eraser.salient)]
    return torch.tensor([float(i in first) for i in range(48)]).reshape(8, 6)


@pytest.mark.parametrize("salient", [0.25, 0.5, 1.0])
def test_the_mask_is_where_the_guided_losss_gradient_is_largest(salient):
    request = request_of()
    eraser = Salun(salient=salient, **SMALL_KEPT)
    scene, change = eraser.scene(request), eraser.start(request)

    gradients = {NAME: torch.ones(8, 6)}
    eraser.gate(scene, change)(0, gradients)

    expected = salient_by_hand(eraser, scene, request.old[NAME].double())
    assert torch.equal(gradients[NAME], expected)


def test_weights_outside_the_mask_never_move_and_the_others_do():
    request = request_of()
    eraser = Salun(**SMALL_KEPT)
    mask = salient_by_hand(
        eraser, eraser.scene(request), request.old[NAME].double()
    ).bool()

    change = eraser.erase(request).patches[NAME].dense()

    assert not change[~mask].any()
    assert change[mask].all()


def test_the_mask_compares_all_tensors_with_each_other():
    gradients = {"small": torch.tensor([1.0, -2.0]), "large": torch.tensor([[9.0, -8]])}

    mask = most_salient(gradients, 0.5)

    assert not mask["small"].any()
    assert torch.equal(mask["large"], torch.ones(1, 2))


def test_equal_weights_still_give_the_share_that_was_asked_for():
    mask = most_salient({"flat": torch.ones(10)}, 0.3)

    assert int(mask["flat"].sum()) == 3


def test_with_nothing_kept_there_is_nothing_to_learn_from():
    with pytest.raises(TrainingError, match="learns from kept prompts"):
        Salun(**SMALL_KEPT).erase(request_of(keep=("",)))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"change": "factors"}, "its change is factors"),
        ({"salient": 0.0}, r"salient is 0\.0"),
        ({"salient": 1.1}, r"salient is 1\.1"),
        ({"alpha": -0.5}, r"alpha is -0\.5"),
        ({"n_kept": 0}, "n_kept is 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_their_value(settings, said):
    with pytest.raises(PolicyError, match=said):
        Salun.of(settings)
