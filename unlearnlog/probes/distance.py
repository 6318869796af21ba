"""Frechet and kernel distances between sets of pictures of kept prompts.

Both distances are taken between the base's pictures and the edited model's, of the same
kept prompts and from the same latents, in the judge's features. Their base is the
distance between two sets of the base's own pictures from other latents, the level of
chance. A finite sample inflates the Frechet distance, so only readings of the same n
can be compared.

Source:
    Frechet distance, https://arxiv.org/abs/1706.08500. KID, the squared maximum mean
    discrepancy under a cubic kernel, https://arxiv.org/abs/1801.01401.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

from unlearnlog.core.reading import Reading
from unlearnlog.probes.picture_probe import About, reading
from unlearnlog.probes.statistics import Estimate, jackknife

SOURCE: Final = "https://arxiv.org/abs/1706.08500"


def frechet(first: Tensor, second: Tensor) -> float:
    """Return ||m1 - m2||^2 + tr(C1 + C2 - 2 (C1 C2)^1/2) of two sets of features.

    Args:
        first: Features ``[n, d]``.
        second: Features ``[m, d]``.
    """
    between = (first.double().mean(0) - second.double().mean(0)).square().sum()
    one, other = _factor(first), _factor(second)
    # tr (C1 C2)^1/2 is the sum of the singular values of F1 F2', where C = F'F.
    shared = torch.linalg.svdvals(one @ other.T).sum()
    apart = between + one.square().sum() + other.square().sum() - 2 * shared
    return float(apart.clamp(min=0))


def _factor(features: Tensor) -> Tensor:
    """Return F with F'F = the covariance of features, of at most d rows."""
    rows = features.double()
    factor: Tensor = (rows - rows.mean(0)) / (len(rows) - 1) ** 0.5
    if len(factor) <= factor.shape[1]:
        return factor
    triangle: Tensor = torch.linalg.qr(factor, mode="r").R
    return triangle


def kernel_distance(first: Tensor, second: Tensor) -> float:
    """Return the unbiased squared discrepancy under the kernel (x'y / d + 1)^3.

    Row i of both sets comes from the same latent, so the two are not independent: pairs
    of one latent are left out of every sum.

    Args:
        first: Features ``[n, d]``.
        second: Features ``[n, d]``.
    """
    one, other = first.double(), second.double()
    n, d = one.shape

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return (x @ y.T / d + 1) ** 3

    total = kernel(one, one) + kernel(other, other) - 2 * kernel(one, other)
    return float((total.sum() - total.diagonal().sum()) / (n * (n - 1)))


def distances(base: Tensor, new: Tensor, again: Tensor) -> tuple[Reading, ...]:
    """Return ``fd`` and ``kid`` between the features of two sets of pictures.

    Args:
        base: Features of the base's pictures, ``[n, d]``.
        new: Features of the edited model's, from the same latents.
        again: Features of the base's pictures from other latents.
    """
    measures: tuple[tuple[str, Callable[[Tensor, Tensor], float]], ...] = (
        ("fd", frechet),
        ("kid", kernel_distance),
    )
    return tuple(
        reading(
            About(name, "(kept)", "lower", "distance"),
            _estimate(measure, base, new),
            measure(base, again),
        )
        for name, measure in measures
    )


def _estimate(
    measure: Callable[[Tensor, Tensor], float], base: Tensor, new: Tensor
) -> Estimate:
    return jackknife(lambda rows: measure(base[rows], new[rows]), len(base))
