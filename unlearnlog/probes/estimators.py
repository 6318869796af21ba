"""Estimators of information in nats from predictions of noise.

A denoiser takes noised latents and timesteps and predicts the noise in them; a model
under a prompt is one, and so is a formula. Two estimates of the named prompt's
information on a picture x beyond the plain one's:

    difference  1/2 Int E||plain - named||^2                    never negative
    two-loss    1/2 Int E[||eps - plain||^2 - ||eps - named||^2]   log p(x|named)/p(x)

Their means over pictures of the named prompt are the same for an optimal denoiser. The
two-loss form holds for each picture and each prompt, also one that is not the picture's
own, and is the honest one after an edit; the difference form varies less.

Source:
    Kong et al., "Interpretable Diffusion via Information Decomposition", ICLR 2024,
    https://arxiv.org/abs/2310.07972.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from unlearnlog.models.noise_levels import NoiseLevels

Denoiser = Callable[[Tensor, Tensor], Tensor]
"""A function that predicts the noise ``[n, c, h, w]`` in noised latents at timesteps.

It may get several levels at once: the same pictures again and again, in the same order,
``[levels x n, c, h, w]``, with their timesteps ``[levels x n]``.
"""

AT_ONCE: Final = 64
"""Noised pictures in one prediction: those of several levels, if few."""

Noised = tuple[Tensor, Tensor, Tensor]
"""Noised latents ``[n, c, h, w]``, their timesteps ``[n]``, and the noise in them."""


@dataclass(frozen=True)
class Nats:
    """The information of a prompt on each picture beyond another's, by both estimates.

    Attributes:
        difference: From the squared difference of predictions, ``[n]``, float64.
        two_loss: From the difference of squared errors, ``[n]``, float64.
    """

    difference: Tensor
    two_loss: Tensor

    @property
    def gap(self) -> Tensor:
        """The two-loss estimate minus the difference estimate, ``[n]``."""
        return self.two_loss - self.difference


def information(
    named: Denoiser, plain: Denoiser, bank: Iterable[Noised], levels: NoiseLevels
) -> Nats:
    """Return the information of ``named`` on each picture beyond ``plain``, in nats.

    Args:
        named: Predicts under the prompt that names something.
        plain: Predicts under the prompt that does not, the empty one or a context: then
            the information is conditional on it.
        bank: The pictures under noise, one item a level, in the levels' order.
        levels: The levels of the integral.
    """

    def measure(x_t: Tensor, t: Tensor, noise: Tensor) -> list[Tensor]:
        one, other = named(x_t, t), plain(x_t, t)
        apart = summed((one - other).square())
        # ||eps - other||^2 - ||eps - one||^2, with no large numbers that cancel.
        return [apart, summed((one - other) * (2 * noise - one - other))]

    difference, two_loss = _integrals(bank, measure, levels)
    return Nats(difference, two_loss)


def losses(
    denoisers: Sequence[Denoiser], bank: Iterable[Noised], levels: NoiseLevels
) -> Tensor:
    """Return each denoiser's loss on each picture in nats, ``[denoisers, n]``, float64.

    1/2 Int E||eps - guess||^2: minus the log-likelihood but for a constant, so only
    differences of losses on the same bank have a meaning.
    """

    def measure(x_t: Tensor, t: Tensor, noise: Tensor) -> list[Tensor]:
        return [summed((noise - each(x_t, t)).square()) for each in denoisers]

    return _integrals(bank, measure, levels)


def distances(
    denoisers: Sequence[Denoiser],
    goal: Denoiser,
    bank: Iterable[Noised],
    levels: NoiseLevels,
) -> Tensor:
    """Return 1/2 Int E||guess - goal||^2 in nats, ``[denoisers, n]``, float64."""

    def measure(x_t: Tensor, t: Tensor, noise: Tensor) -> list[Tensor]:  # noqa: ARG001
        wanted = goal(x_t, t)
        return [summed((each(x_t, t) - wanted).square()) for each in denoisers]

    return _integrals(bank, measure, levels)


def _integrals(
    bank: Iterable[Noised],
    measure: Callable[[Tensor, Tensor, Tensor], Sequence[Tensor]],
    levels: NoiseLevels,
) -> Tensor:
    """Return the integrals of a measure of each picture, ``[k, n]``, float64.

    Args:
        bank: The pictures under noise, one item a level.
        measure: Returns ``k`` numbers for each noised picture.
        levels: The levels of the integral.
    """
    found = []
    for group in _several(bank):
        measured = torch.stack(
            [*measure(*(torch.cat(part) for part in zip(*group, strict=True)))]
        )
        found.append(measured.reshape(len(measured), len(group), -1))
    by_level = torch.cat(found, 1).movedim(1, 2)  # [k, n, levels]
    return torch.stack([levels.integral(each) for each in by_level])


def _several(bank: Iterable[Noised]) -> Iterator[list[Noised]]:
    """Yield levels in groups that make a batch."""
    group: list[Noised] = []
    for item in bank:
        group.append(item)
        if len(item[0]) * (len(group) + 1) > AT_ONCE:
            yield group
            group = []
    if group:
        yield group


def difference_map(
    named: Denoiser, plain: Denoiser, bank: Iterable[Noised], levels: NoiseLevels
) -> Tensor:
    """Return the information of ``named`` by latent pixel, in nats, ``[n, h, w]``.

    The difference form without its sum over latent pixels: a map sums to the picture's
    nats.
    """
    apart = [
        (named(x_t, t) - plain(x_t, t)).double().square().sum(1) for x_t, t, _ in bank
    ]
    by_pixel = torch.stack(apart, 3)  # [n, h, w, levels]
    return levels.integral(by_pixel.flatten(0, 2)).reshape(by_pixel.shape[:3])


def doubt(one: Tensor, other: Tensor) -> Tensor:
    """Return the entropy of which of two prompts made each picture, in bits, ``[n]``.

    The entropy of Bayes' posterior with even odds. Its mean over pictures of both, half
    of each, is 1 - JS / log 2: 1 for one and the same distribution, 0 for two that
    never meet. A picture that is not what its prompt asked for counts at most 1 here.
    With few levels the losses are noisy, which adds doubt about pictures that are far
    apart and takes some from those that are near.

    Args:
        one: Losses under one prompt in nats, ``[n]``.
        other: Losses under the other, ``[n]``.
    """
    log_odds = other - one
    share = log_odds.sigmoid()
    nats = -share * logsigmoid(log_odds) - (1 - share) * logsigmoid(-log_odds)
    return nats / math.log(2)


def summed(squares: Tensor) -> Tensor:
    """Return the sum over each latent, ``[n]``, float64."""
    return squares.flatten(1).sum(1, dtype=torch.float64)
