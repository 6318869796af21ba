import pytest
import torch

from tests.erasers.slowly import (
    FORGET,
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
from unlearnlog.core.prompt import TARGETS
from unlearnlog.erasers.sdd import Sdd
from unlearnlog.errors import PolicyError


@pytest.mark.parametrize("target", TARGETS)
def test_one_steps_gradient_is_the_formulas_written_the_slow_way(target):
    """The goal is of the new weights and has no gradient of its own."""
    eraser = Sdd(target=target, **SMALL)

    (found,), new, scene = step_of(eraser, request_of())

    expected = torch.zeros(8, 6).double()
    for picture in seen_by(scene.forget.learnt, 4)[0]:
        prompt = prompt_of(picture)
        token, other = mean_token(prompt.text), mean_token(prompt.target(target))
        residual = (picture.x + new @ token) - (picture.x + new @ other)
        expected += descent(residual, token, 4)
    assert_same(found, expected)


def test_the_result_is_the_average_of_the_parameters_along_the_way():
    request, n = request_of(), 5
    settings = {**SMALL, "target": "context"}

    found = Sdd(**{**settings, "steps": n, "average": 0.7}).erase(request)

    mean = torch.zeros(8, 6).double()
    for steps in range(1, n + 1):
        eraser = Sdd(**{**settings, "steps": steps, "average": 1e-9})
        mean = 0.7 * mean + 0.3 * eraser.erase(request).patches[NAME].dense()
    assert_same(found.patches[NAME].dense(), mean)


def test_the_prompts_noise_comes_nearer_to_the_targets():
    request = request_of()
    eraser = Sdd(**{**SMALL, "steps": 50, "target": "context"})

    new = request.old[NAME].double() + eraser.erase(request).patches[NAME].dense()

    def apart(weights: torch.Tensor) -> float:
        rows = (mean_token(p.text) - mean_token(p.context) for p in FORGET)
        return sum(float((weights @ row).square().sum()) for row in rows)

    assert apart(new) < 0.7 * apart(request.old[NAME].double())


@pytest.mark.parametrize("average", [0.0, 1.0, 1.5, -0.1])
def test_an_average_that_is_no_share_is_refused(average):
    with pytest.raises(PolicyError, match=f"sdd's average is {average}"):
        Sdd.of({"average": average})
