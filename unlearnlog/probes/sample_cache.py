"""The cache of pictures and of a judge's answers to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import torch

from unlearnlog.core.delta import state_digest
from unlearnlog.core.digest import digest_of

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

    @property
    def keeps(self) -> bool:
        """Whether answers that were stored are returned."""
        ...

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

    def scores(
        self, cells: Sequence[ProbeCase], sampling: Sampling, weights: Weights | None
    ) -> Sequence[float | None]:
        """Return how well each picture fits its prompt; None where it is not known."""
        ...

    def keep_scores(
        self,
        cells: Sequence[ProbeCase],
        scores: Sequence[float],
        sampling: Sampling,
        weights: Weights | None,
    ) -> None:
        """Store how well pictures fit their prompts."""
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


class MemorySampleCache:
    """A cache of one worker's unit: it begins empty and ends with the unit.

    Attributes:
        base: The text projections of the base, which states are compared with.
    """

    keeps = True

    def __init__(self, base: Weights) -> None:
        """Begin empty."""
        self.base = base
        self._answers: dict[tuple[str, Sampling], dict[ProbeCase, Answer]] = {}
        self._scores: dict[tuple[str, Sampling], dict[ProbeCase, float]] = {}
        self._latents: dict[
            tuple[str, Sampling], dict[tuple[ProbeCase, ...], Tensor]
        ] = {}

    def answers(
        self, cells: Sequence[ProbeCase], sampling: Sampling, weights: Weights | None
    ) -> Sequence[Answer | None]:
        """Return the judge's answer to each picture; None where there is none."""
        known = self._answers.get(self._key(sampling, weights), {})
        return [known.get(cell) for cell in cells]

    def keep_answers(
        self,
        cells: Sequence[ProbeCase],
        answers: Sequence[Answer],
        sampling: Sampling,
        weights: Weights | None,
    ) -> None:
        """Store the judge's answers."""
        known = self._answers.setdefault(self._key(sampling, weights), {})
        known.update(zip(cells, answers, strict=True))

    def scores(
        self, cells: Sequence[ProbeCase], sampling: Sampling, weights: Weights | None
    ) -> Sequence[float | None]:
        """Return how well each picture fits its prompt; None where it is not known."""
        known = self._scores.get(self._key(sampling, weights), {})
        return [known.get(cell) for cell in cells]

    def keep_scores(
        self,
        cells: Sequence[ProbeCase],
        scores: Sequence[float],
        sampling: Sampling,
        weights: Weights | None,
    ) -> None:
        """Store how well pictures fit their prompts."""
        known = self._scores.setdefault(self._key(sampling, weights), {})
        known.update(zip(cells, scores, strict=True))

    def latents(
        self, cells: Sequence[ProbeCase], sampling: Sampling, weights: Weights | None
    ) -> Tensor | None:
        """Return the latents of exactly these pictures, ``[n, c, h, w]``, or None."""
        return self._latents.get(self._key(sampling, weights), {}).get(tuple(cells))

    def keep_latents(
        self,
        cells: Sequence[ProbeCase],
        latents: Tensor,
        sampling: Sampling,
        weights: Weights | None,
    ) -> None:
        """Store the pictures' latents."""
        known = self._latents.setdefault(self._key(sampling, weights), {})
        known[tuple(cells)] = latents

    def _key(self, sampling: Sampling, weights: Weights | None) -> tuple[str, Sampling]:
        changed = {
            name: tensor
            for name, tensor in (weights or {}).items()
            if name not in self.base or not torch.equal(tensor, self.base[name])
        }
        return state_digest(changed, digest_of(b"")), sampling
