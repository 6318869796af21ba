"""What the posterior prunes decides nothing, for any concept of the bundled model."""

import math

import pytest
import torch

from unlearnlog.atelier.bundled_concepts import book, world
from unlearnlog.commands.session_opening import bundled_model
from unlearnlog.models.interface import Sampling
from unlearnlog.probes.information import PromptedPictures
from unlearnlog.probes.judge_posterior import log_posterior
from unlearnlog.probes.runner import scattered

N = 4
"""Pictures of each concept."""


@pytest.mark.slow
@pytest.mark.parametrize("name", [*world().styles, *world().subjects])
def test_the_posterior_is_that_over_every_level(name):
    model, concept = bundled_model(), world().concepts[name]
    cells = scattered(book().erased(concept, 1), N)
    prompts = book().information(cells, concept)
    made = model.paint(
        [cell.prompt for cell in cells],
        [cell.seed for cell in cells],
        sampling=Sampling(10, 1.0),
    )
    asked = [(prompt.text, *prompt.rivals) for prompt in prompts]
    pictures = PromptedPictures.of(cells, made, range(len(cells)))

    logs = log_posterior(model, pictures, asked)

    exact = log_posterior(model, pictures, asked, margin=math.inf)
    assert torch.allclose(logs.exp(), exact.exp(), atol=1e-3)
    assert logs.isinf().float().mean() > 0.3
