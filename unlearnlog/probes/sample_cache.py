"""What was painted and judged before, so that no probe paints a picture twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor

    from unlearnlog.core.delta import Weights
    from unlearnlog.core.probe_case import Answer, ProbeCase
    from unlearnlog.models.interface import Sampling


class SampleCache(Protocol):
    """Pictures of some states, by what they show; anything in it may vanish.

    A picture is a function of the weights (None for the base's), of how it is painted,
    of its prompt and of its seed: that is what it is found by.
    """

    def answers(
        self, cells: Sequence[ProbeCase], sampling: Sampling, weights: Weights | None
    ) -> Sequence[Answer | None]:
        """Return what the judge saw in each picture; None where it never looked."""
        ...

    def keep_answers(
        self,
        cells: Sequence[ProbeCase],
        answers: Sequence[Answer],
        sampling: Sampling,
        weights: Weights | None,
    ) -> None:
        """Write down what the judge saw."""
        ...

    def latents(
        self, cells: Sequence[ProbeCase], sampling: Sampling, weights: Weights | None
    ) -> Tensor | None:
        """Return these very pictures' latents, ``[n, c, h, w]``, or None."""
        ...

    def keep_latents(
        self,
        cells: Sequence[ProbeCase],
        latents: Tensor,
        sampling: Sampling,
        weights: Weights | None,
    ) -> None:
        """Put the pictures' latents away."""
        ...


class NoSampleCache:
    """Remembers nothing."""

    def answers(
        self,
        cells: Sequence[ProbeCase],
        sampling: Sampling,  # noqa: ARG002
        weights: Weights | None,  # noqa: ARG002
    ) -> Sequence[Answer | None]:
        """Return None for each cell."""
        return [None] * len(cells)

    def keep_answers(
        self,
        cells: Sequence[ProbeCase],
        answers: Sequence[Answer],
        sampling: Sampling,
        weights: Weights | None,
    ) -> None:
        """Forget them."""

    def latents(
        self,
        cells: Sequence[ProbeCase],  # noqa: ARG002
        sampling: Sampling,  # noqa: ARG002
        weights: Weights | None,  # noqa: ARG002
    ) -> Tensor | None:
        """Return None."""
        return None

    def keep_latents(
        self,
        cells: Sequence[ProbeCase],
        latents: Tensor,
        sampling: Sampling,
        weights: Weights | None,
    ) -> None:
        """Forget them."""
