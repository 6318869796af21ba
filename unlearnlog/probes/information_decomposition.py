"""Information that two concepts share, and that is unique to each of them.

Two values of one variable, such as two styles, never stand in one prompt, so no prompt
has the information of both: the chain rule goes through their family, and their
nearness is how often the base takes the pictures of one for the other's. A style and a
subject do stand in one prompt; their joint information is decomposed (PID). Every value
is a difference of losses on common noise: a difference of predictions is no information
for a prompt that is not the picture's own.

Source:
    Chain rule: Cover and Thomas, "Elements of Information Theory", 2.5. Edge: Lin,
    "Divergence measures based on the Shannon entropy", 1991. Decomposition: Williams
    and Beer, 2010, https://arxiv.org/abs/1004.2515; of pictures: Dewan et al.,
    "Diffusion PID", NeurIPS 2024, https://arxiv.org/abs/2406.05191.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from unlearnlog.core.delta import Weights
from unlearnlog.core.prompt import Prompt
from unlearnlog.models.interface import Model
from unlearnlog.models.noise_levels import NoiseLevels
from unlearnlog.probes.estimators import doubt, losses
from unlearnlog.probes.information import (
    N_LEVELS,
    PromptedPictures,
    noised,
    over_cells,
    under,
)
from unlearnlog.probes.statistics import Estimate, clustered_mean


@dataclass(frozen=True)
class ChainRule:
    """The information of pictures on a concept beyond its context, in nats.

    Attributes:
        shared: The information on its family.
        unique: The information on the concept beyond its family.
        whole: The sum of both, picture by picture.
    """

    shared: Estimate
    unique: Estimate
    whole: Estimate


@dataclass(frozen=True)
class InformationParts:
    """The information of two concepts in one prompt on its pictures, in nats.

    That of the first alone is ``redundant + first``, of the second alone ``redundant +
    second``, and of both together the sum of all four.

    Attributes:
        redundant: The smaller of the two alone. As Williams and Beer define it, equal
            amounts count as shared whatever they are about.
        first: The information of the first only.
        second: The information of the second only; it or ``first`` is 0.
        synergy: The information that neither has without the other.
    """

    redundant: Estimate
    first: Estimate
    second: Estimate
    synergy: Estimate


def chain(
    model: Model,
    prompts: Sequence[Prompt],
    pictures: PromptedPictures,
    *,
    weights: Weights | None = None,
) -> ChainRule:
    """Return the information on a concept in its family's part and its own.

    shared = i(x; family | context), unique = i(x; concept) - i(x; family).

    Args:
        model: The model that computes the losses.
        prompts: For each picture its prompt, with its context and its ``parent``, the
            words that name only the family (`PromptBook.parent_phrase`).
        pictures: Painted for the prompts, without guidance.
        weights: Other weights than the base's; None for those.

    Raises:
        ValueError: A prompt has no parent.
    """
    lacking = [prompt.text for prompt in prompts if not prompt.parent]
    if lacking:
        message = f"{lacking[0]!r} has no parent: its family is unknown"
        raise ValueError(message)
    texts = [[p.context, p.parent, p.text] for p in prompts]
    context, family, concept = losses_under(model, pictures, texts, weights=weights)
    return ChainRule(
        shared=_over(context - family, pictures),
        unique=_over(family - concept, pictures),
        whole=_over(context - concept, pictures),
    )


def edge(
    model: Model,
    one: tuple[PromptedPictures, Sequence[str]],
    other: tuple[PromptedPictures, Sequence[str]],
    *,
    weights: Weights | None = None,
) -> Estimate:
    """Return how near two values of one variable are: 1 - JS / log 2.

    0 for two that never meet, about 1 for one and the same.

    Args:
        model: The model that computes the losses.
        one: Pictures of one value, and for each the prompt with the other's name.
        other: As many pictures of the other, and the prompts with the first's name.
        weights: Other weights than the base's; None for those.

    Raises:
        ValueError: There are not as many pictures of both.
    """
    n, m = len(one[0].cells), len(other[0].cells)
    if n != m:
        message = f"{n} pictures of one and {m} of the other are not half and half"
        raise ValueError(message)
    doubts = []
    for pictures, strange in (one, other):
        texts = [[c.prompt, s] for c, s in zip(pictures.cells, strange, strict=True)]
        doubts.append(doubt(*losses_under(model, pictures, texts, weights=weights)))
    return near(doubts[0], doubts[1], (one[0], other[0]))


def near(
    one: Tensor, other: Tensor, pictures: tuple[PromptedPictures, PromptedPictures]
) -> Estimate:
    """Return the edge between two values from the `doubt` about the pictures of each.

    Pictures are clustered by the subject of two styles, or by the style of two
    subjects; the two values themselves are no clusters.
    """
    cells = [cell for each in pictures for cell in each.cells]
    are_styles = all(len({c.style for c in each.cells}) == 1 for each in pictures)
    found = clustered_mean(
        torch.cat([one, other]).tolist(),
        [cell.subject if are_styles else cell.style for cell in cells],
        ["all"] * len(cells),
    )
    return replace(found, low=max(0.0, found.low))


def decomposition(
    model: Model,
    texts: Sequence[tuple[str, str, str, str]],
    pictures: PromptedPictures,
    *,
    weights: Weights | None = None,
) -> InformationParts:
    """Return the parts of the information of two concepts in one prompt.

    Specific information is averaged over the pictures first, and redundancy is the
    smaller of the two averages: a minimum picture by picture would call noise shared.

    Args:
        model: The model that computes the losses.
        texts: For each picture the prompts with both concepts, with the first alone,
            with the second alone, and with neither.
        pictures: Painted for the prompts with both, without guidance.
        weights: Other weights than the base's; None for those.
    """
    return atoms_of(losses_under(model, pictures, texts, weights=weights), pictures)


def atoms_of(nats: Tensor, pictures: PromptedPictures) -> InformationParts:
    """Return the parts from losses under both, either, and neither, ``[4, n]``.

    Args:
        nats: Losses under the prompts with both, the first, the second and neither.
        pictures: The pictures of the losses.
    """
    both, first, second, neither = nats
    alone = (neither - first, neither - second)
    less, more = sorted(alone, key=lambda nats: float(nats.mean()))
    nothing = Estimate(0.0, 0.0, 0.0, len(pictures.cells))
    rest = _over(more - less, pictures)
    first_says_more = more is alone[0]
    return InformationParts(
        redundant=_over(less, pictures),
        first=rest if first_says_more else nothing,
        second=nothing if first_says_more else rest,
        synergy=_over(neither - both - more, pictures),
    )


@torch.no_grad()
def losses_under(
    model: Model,
    pictures: PromptedPictures,
    texts: Sequence[Sequence[str]],
    *,
    weights: Weights | None = None,
) -> Tensor:
    """Return the loss of each picture under each of its prompts, ``[prompts, n]``.

    In nats, float64; `chain`, `edge` and `decomposition` are differences of them.

    Args:
        model: The model that computes the losses.
        pictures: The pictures.
        texts: For each picture its prompts, as many for each.
        weights: Other weights than the base's; None for those.
    """
    denoisers = [
        under(model, column, weights=weights) for column in zip(*texts, strict=True)
    ]
    levels = NoiseLevels.of(model, N_LEVELS)
    return losses(denoisers, noised(model, pictures), levels)


def _over(nats: Tensor, pictures: PromptedPictures) -> Estimate:
    return over_cells(nats.tolist(), pictures.cells)
