"""The cache of pictures and of a judge's answers to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor

    from unlearnlog.core.delta import Weights
    from unlearnlog.core.probe_case import Answer, ProbeCase
    from unlearnlog.models.interface import Sampling


class SampleCache(Protocol):
    """A cache of pictures and answers; any item may vanish.

    A picture is a function of the weights (None for the base's), of the sampling, of
    its prompt and of its seed: these are its key.
    """

    def answers(
        self, cells: Sequence[ProbeCase], sampling: Sampling, weights: Weights | None
    ) -> Sequence[Answer | None]:
        """Return the judge's answer to each picture; None where there is none."""
        ...

    def keep_answers(
        self,
        cells: Sequence[ProbeCase],
        answers: Sequence[Answer],
        sampling: Sampling,
        weights: Weights | None,
    ) -> None:
        """Store the judge's answers."""
        ...

    def latents(
        self, cells: Sequence[ProbeCase], sampling: Sampling, weights: Weights | None
    ) -> Tensor | None:
        """Return the latents of exactly these pictures, ``[n, c, h, w]``, or None."""
        ...

    def keep_latents(
        self,
        cells: Sequence[ProbeCase],
        latents: Tensor,
        sampling: Sampling,
        weights: Weights | None,
    ) -> None:
        """Store the pictures' latents."""
        ...
