import math

import pytest
import torch

from tests.probes.mixture import SHARE, mixture
from unlearnlog.core.concept import Concept
from unlearnlog.core.probe_case import ProbeCase
from unlearnlog.core.prompt import Prompt
from unlearnlog.models.interface import Sampling
from unlearnlog.probes.information import PromptedPictures
from unlearnlog.probes.judge_posterior import judge_information, log_posterior

NAMES = tuple(f"style-{i}" for i in range(16))
FAR_APART = {name: 8.0 * i - 60 for i, name in enumerate(NAMES)}
DEAF = {SHARE: torch.zeros(())}


def painted(model, n, style="style-3", weights=None):
    cells = tuple(
        ProbeCase(f"cat-{i % 8} by {style}", i, f"cat-{i % 8}", style) for i in range(n)
    )
    made = model.paint(
        [c.prompt for c in cells],
        [c.seed for c in cells],
        sampling=Sampling(1, 1.0),
        weights=weights,
    )
    return PromptedPictures.of(cells, made, range(n))


def read(model, after, before, rivals=NAMES):
    prompts = [
        Prompt(
            cell.prompt,
            cell.subject,
            "a photo",
            # The last is the anchor, which is no style; here it is one more rival.
            tuple(
                f"{cell.subject} by {r}"
                for r in (*rivals, "style-15")
                if r != "style-3"
            ),
        )
        for cell in before.cells
    ]
    (found,) = judge_information(
        model,
        Concept("style-3", "style"),
        prompts=prompts,
        before=before,
        after=after,
    )
    return found


def test_styles_far_apart_say_the_logarithm_of_how_many_there_are_and_no_more():
    model = mixture(FAR_APART)
    pictures = painted(model, 40)

    found = read(model, pictures, pictures)

    assert found.value == pytest.approx(math.log(16), rel=1e-3)
    assert found.value <= math.log(16) + 1e-7  # what float32 rounds away
    assert (found.base, found.unit, found.n) == (found.value, "nats", 40)


def test_what_shows_by_chance_still_says_its_share():
    """A model that ignores the name paints it in one picture of sixteen."""
    model = mixture(FAR_APART)
    after = painted(model, 320, weights=DEAF)
    own = (after.latents.flatten() - FAR_APART["style-3"]).abs() < 4

    found = read(model, after, painted(model, 320))

    assert found.value == pytest.approx(float(own.float().mean()) * math.log(16), 0.02)
    assert 0 < found.value < 0.2 * found.base


def test_a_picture_of_something_else_says_nothing_of_the_concept():
    model = mixture(FAR_APART)

    found = read(model, painted(model, 20, "style-9"), painted(model, 20))

    assert found.value == pytest.approx(0, abs=1e-9)


def test_styles_that_are_one_and_the_same_say_nothing():
    model = mixture(dict.fromkeys(NAMES, 0.5))
    pictures = painted(model, 10)

    found = read(model, pictures, pictures)

    # Seventeen equal rivals: q is 1/17 for each, one part of it for none of them.
    assert found.value == pytest.approx(math.log(16 / 17) / 17, abs=1e-6)


def test_the_posterior_of_two_gaussians_is_the_one_of_bayes_rule_on_average():
    model = mixture({"left": -1.2, "right": 1.2})
    pictures = painted(model, 400, "left")
    asked = [(c.prompt, c.prompt.replace("left", "right")) for c in pictures.cells]

    logs = log_posterior(model, pictures, asked)

    x = pictures.latents.flatten()
    exact = torch.sigmoid(-2 * 1.2 * x / 0.36)  # that it was the left one
    assert torch.allclose(logs.exp().sum(1), torch.ones(400))
    assert float(logs[:, 0].exp().mean()) == pytest.approx(
        float(exact.mean()), abs=0.05
    )


def test_what_is_pruned_has_no_part_in_the_posterior():
    """Two prompts of three were predicted to the end that no digit depended on."""
    model = mixture({name: 0.5 * i for i, name in enumerate(NAMES)})
    pictures = painted(model, 60)
    asked = [[f"{c.subject} by {name}" for name in NAMES] for c in pictures.cells]

    logs = log_posterior(model, pictures, asked)

    exact = log_posterior(model, pictures, asked, margin=math.inf)
    assert logs.isinf().any()
    assert exact.isfinite().all()
    assert torch.allclose(logs.exp(), exact.exp(), atol=1e-5)


def test_prompts_without_rivals_are_not_compared():
    model = mixture(FAR_APART)
    pictures = painted(model, 2)
    prompts = [Prompt(c.prompt, c.subject, "a photo") for c in pictures.cells]

    concept = Concept("style-3", "style")
    found = judge_information(
        model, concept, prompts=prompts, before=pictures, after=pictures
    )

    assert found == ()
