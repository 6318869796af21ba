import pytest
import torch

from tests.erasers.slowly import (
    KEPT,
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
from unlearnlog.erasers.esd import Esd
from unlearnlog.errors import PolicyError


@pytest.mark.parametrize("eta", [1.0, 2.0])
@pytest.mark.parametrize("target", TARGETS)
def test_one_steps_gradient_is_the_formulas_written_the_slow_way(target, eta):
    request = request_of()
    eraser = Esd(target=target, eta=eta, **SMALL)

    (found,), new, scene = step_of(eraser, request)

    old, expected = request.old[NAME].double(), torch.zeros(8, 6).double()
    for picture in seen_by(scene.forget.learnt, 4)[0]:
        prompt = prompt_of(picture)
        token, other = mean_token(prompt.text), mean_token(prompt.target(target))
        named, instead = picture.x + old @ token, picture.x + old @ other
        goal = named - eta * (named - instead)
        expected += descent(picture.x + new @ token - goal, token, 4)
    assert_same(found, expected)


def test_more_negative_guidance_moves_the_weights_further():
    def moved(eta: float) -> float:
        eraser = Esd(eta=eta, project=False, **SMALL)
        return float(eraser.erase(request_of()).patches[NAME].norm)

    assert moved(4.0) > 1.2 * moved(1.0)


def test_what_kept_prompts_use_is_kept_by_default():
    def moved(eraser: Esd) -> float:
        delta = eraser.erase(request_of()).patches[NAME].dense()
        return sum(float((delta @ mean_token(text)).norm()) for text in KEPT)

    assert moved(Esd(**SMALL)) < 0.2 * moved(Esd(project=False, **SMALL))


def test_a_guidance_of_zero_is_refused():
    with pytest.raises(PolicyError, match=r"esd's eta is 0\.0"):
        Esd.of({"eta": 0.0})
