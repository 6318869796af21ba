"""The base's posterior over the prompts of a picture, and the information in it.

The base predicts a picture's noise best under the prompt that made it; over prompts
that name one concept each, its errors are log-likelihoods and Bayes' rule makes them a
posterior. Unlike a difference of predictions it is bounded, whatever the denoiser does.

Source:
    Likelihoods from denoising errors: Kong et al., ICLR 2024,
    https://arxiv.org/abs/2310.07972; as a posterior over prompts: Diffusion Classifier,
    https://arxiv.org/abs/2303.16203. One concept's term of the information is ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from unlearnlog.core.concept import Concept
from unlearnlog.core.probe_case import ProbeCase
from unlearnlog.core.prompt import Prompt
from unlearnlog.core.reading import Reading
from unlearnlog.models.interface import Model
from unlearnlog.models.noise_levels import NoiseLevels
from unlearnlog.models.shared_text import SharedText
from unlearnlog.probes.information import N_LEVELS, PromptedPictures, noised, over_cells
from unlearnlog.probes.picture_probe import About, reading

PRUNE_MARGIN: Final = 25.0
"""Nats behind the best after a level from which on a prompt is pruned."""

_ORDER: Final = (1, 8, 3, 6, 2, 7, 4, 5, 0, 9)
"""Levels, those that separate prompts best first; pruned prompts cost no more."""

_AT_ONCE: Final = 128


def judge_information(
    model: Model,
    concept: Concept,
    *,
    prompts: Sequence[Prompt],
    before: PromptedPictures,
    after: PromptedPictures,
) -> tuple[Reading, ...]:
    """Return ``judge-mi``: nats by which pictures show the concept, to the base.

    With q the base's posterior over the concept and its rivals and p(c) one over the
    number of concepts among them, it is the mean of ``q(c|x) log(q(c|x) / p(c))``: the
    concept's own term of the information. At most the log of that number; 0 when the
    concept does not show. A rival that is no concept, the anchor, takes part in q only.

    Args:
        model: The base; it judges its own pictures and the erased model's alike.
        concept: What was erased.
        prompts: The prompt of each picture, with its rivals.
        before: The base's pictures.
        after: Those of the weights after the erasure.
    """
    if not all(prompt.rivals for prompt in prompts):
        return ()
    new, base = (seen_in(model, prompts, each) for each in (after, before))
    return (judge_reading(concept, base, new, after.cells),)


def judge_reading(
    concept: Concept, base: Tensor, new: Tensor, cells: Sequence[ProbeCase]
) -> Reading:
    """Return ``judge-mi`` of the nats of each picture.

    Args:
        concept: What was erased.
        base: Nats of the base's pictures, ``[n]``.
        new: Nats of the pictures after the erasure, ``[n]``.
        cells: The cells of both.
    """
    about = About("judge-mi", concept.name, "lower", "nats")
    before = base.tolist()
    return reading(about, over_cells(new.tolist(), cells), sum(before) / len(before))


def seen_in(
    model: Model, prompts: Sequence[Prompt], pictures: PromptedPictures
) -> Tensor:
    """Return the nats by which each picture shows its prompt's concept, ``[n]``.

    Args:
        model: The base, as the judge.
        prompts: The prompt of each picture, all with as many rivals.
        pictures: The pictures.
    """
    logs = log_posterior(model, pictures, [(p.text, *p.rivals) for p in prompts])
    n_concepts = torch.tensor([len(p.rivals) for p in prompts])
    return _term(logs[:, 0], n_concepts)


def _term(log_q: Tensor, n_concepts: Tensor) -> Tensor:
    """Return q log(q n); 0 for q of 0."""
    return torch.where(log_q.isfinite(), log_q.exp() * (log_q + n_concepts.log()), 0.0)


@torch.no_grad()
def log_posterior(
    model: Model,
    pictures: PromptedPictures,
    asked: Sequence[Sequence[str]],
    *,
    margin: float = PRUNE_MARGIN,
) -> Tensor:
    """Return the log-probability that each prompt made a picture, ``[n, prompts]``.

    Args:
        model: The model that predicts the noise.
        pictures: The pictures.
        asked: For each picture the prompts that may have made it, as many for each.
        margin: Nats behind the best after a level from which on a prompt is pruned.

    Returns:
        Minus infinity where a prompt was pruned.
    """
    levels = NoiseLevels.of(model, N_LEVELS)
    flat = [text for texts in asked for text in texts]
    encoded = SharedText.of(model.encode(flat))
    n, k = len(asked), len(asked[0])
    nats = torch.zeros(n, k)
    draws = list(zip(noised(model, pictures), levels.widths, strict=True))
    order = [i for i in _ORDER if i < len(draws)]
    for (x_t, t, noise), width in (draws[i] for i in order):
        picture, prompt = nats.isfinite().nonzero(as_tuple=True)
        for begin in range(0, len(picture), _AT_ONCE):
            some = slice(begin, begin + _AT_ONCE)
            i, j = picture[some], prompt[some]
            guess = model.eps(x_t[i], t[i], encoded[i * k + j]).cpu()
            errors = (guess - noise[i]).square().flatten(1).sum(1)
            nats[i, j] -= width / 2 * errors
        behind = nats.max(1, keepdim=True).values - nats
        nats[behind > margin] = -math.inf
    return nats.log_softmax(1)
