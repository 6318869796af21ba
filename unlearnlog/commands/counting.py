"""A model and a judge that count the requested work instead of doing it.

A command that runs on them requests the same work in the same order as on the real
ones, so the cost of a command is counted by the code that does the work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from unlearnlog.core.probe_case import REJECT, Answer
from unlearnlog.models.interface import Painted, Sampling, Text

if TYPE_CHECKING:
    from unlearnlog.core.delta import Weights
    from unlearnlog.judges.judge import Judge
    from unlearnlog.models.diffusers_model import DiffusersModel
    from unlearnlog.models.interface import Method
    from unlearnlog.models.textual_inversion import Vectors


@dataclass
class WorkCount:
    """Amounts of requested work.

    Attributes:
        painted: Pictures painted.
        judged: Pictures judged.
        predicted: Noise predictions, one per latent.
        differentiated: Predictions that a gradient was taken through.
        learned: Pictures trained on, counted once per use.
    """

    painted: int = 0
    judged: int = 0
    predicted: int = 0
    differentiated: int = 0
    learned: int = 0


class CountingModel:
    """A model that counts pictures and predictions, and returns blank ones.

    Encoded prompts, starting noise and all other attributes are the real model's.
    """

    def __init__(self, model: DiffusersModel, tally: WorkCount) -> None:
        """Replace a model, and count into a tally."""
        self._model, self._tally = model, tally

    def __getattr__(self, name: str) -> object:
        """Return an attribute of the real model."""
        found: object = getattr(self._model, name)
        return found

    def beside(self, model: DiffusersModel) -> CountingModel:
        """Replace another model, with the same tally."""
        return CountingModel(model, self._tally)

    def paint(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        *,
        sampling: Sampling,  # noqa: ARG002
        weights: Weights | None = None,  # noqa: ARG002
        progress: Callable[[int], None] | None = None,
        texts: Text | None = None,  # noqa: ARG002
    ) -> Painted:
        """Count the pictures, and return black ones."""
        del prompts
        n = len(seeds)
        self._tally.painted += n
        if progress is not None:
            progress(n)
        pictures = torch.zeros(n, *self._model.picture_shape, dtype=torch.uint8)
        return Painted(torch.zeros(n, *self._model.latent_shape), pictures)

    def eps(
        self,
        x_t: Tensor,
        t: Tensor,  # noqa: ARG002
        text: Text,
        *,
        weights: Weights | None = None,  # noqa: ARG002
    ) -> Tensor:
        """Count the predictions, and predict no noise, with a gradient of nothing."""
        if torch.is_grad_enabled() and text.tokens.requires_grad:
            self._tally.differentiated += len(x_t)
        else:
            self._tally.predicted += len(x_t)
        return torch.zeros_like(x_t) + 0 * text.tokens.sum()

    def encode_with(
        self,
        prompts: Sequence[str],
        vectors: Vectors,
        *,
        weights: Weights | None = None,  # noqa: ARG002
        added: bool = False,  # noqa: ARG002
    ) -> Text:
        """Return blank tokens that depend on the vectors as the real ones do."""
        shape = self._model.encode([""]).tokens.shape[1:]
        nothing = sum(0 * each.sum() for each in vectors)
        return Text(torch.zeros(len(prompts), *shape) + nothing)

    def learner(
        self,
        method: Method,  # noqa: ARG002
        *,
        weights: Weights | None = None,  # noqa: ARG002
        rank: int = 8,  # noqa: ARG002
        generator: torch.Generator,  # noqa: ARG002
    ) -> CountingTrainer:
        """Return a trainer that counts pictures."""
        return CountingTrainer(self._model.base, self._tally)


@dataclass
class CountingTrainer:
    """A trainer that counts pictures and changes no weights.

    Attributes:
        base: The text projections of the model.
        tally: The counts.
        parameters: One number.
    """

    base: Weights
    tally: WorkCount
    parameters: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Set the single parameter."""
        self.parameters = {next(iter(self.base)): torch.zeros(1, requires_grad=True)}

    def loss(self, x0: Tensor, noise: Tensor, t: Tensor, text: Text) -> Tensor:
        """Count the pictures, and return no loss."""
        del noise, t, text
        self.tally.learned += len(x0)
        (number,) = self.parameters.values()
        return 0 * number.sum()

    def begin_with(self, weights: Weights | None) -> None:
        """Do nothing."""

    def weights(self, *, copied: bool = True) -> Weights:
        """Return weights with no cached pictures."""
        del copied
        return another(self.base, self.tally.learned + 1)


@dataclass(frozen=True)
class CountingJudge:
    """A judge that counts pictures and rejects all of them.

    Attributes:
        judge: The judge that it replaces.
        tally: The counts.
    """

    judge: Judge
    tally: WorkCount

    @property
    def name(self) -> str:
        """The real judge's name in entries."""
        return self.judge.name

    @property
    def identity(self) -> str:
        """The real judge's identity: its cached answers count as judged."""
        return self.judge.identity

    def judged(self, painted: Painted) -> list[Answer]:
        """Count the pictures, and reject all of them."""
        self.tally.judged += len(painted.latents)
        return [Answer(REJECT, REJECT)] * len(painted.latents)

    def features(self, painted: Painted) -> Tensor | None:
        """Return random features ``[n, d]``, or None; count the pictures."""
        few = Painted(painted.latents[:1], painted.pictures[:1])
        own = self.judge.features(few)
        if own is None:
            return None
        self.tally.judged += len(painted.latents)
        rng = torch.Generator().manual_seed(self.tally.judged)
        return torch.randn(len(painted.latents), own.shape[1], generator=rng)


def another(base: Weights, n: int) -> Weights:
    """Return weights that no cached picture belongs to."""
    name = next(iter(base))
    return {name: torch.full_like(base[name], float(n % 1024))}
