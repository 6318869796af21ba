"""A model and a judge that do nothing and count what they are asked for.

Whatever runs on them does the same work as on the real ones, in the same order, so what
a command would cost is counted by the code that will do it.
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
    """How much was asked for.

    Attributes:
        painted: Pictures.
        judged: Pictures that a judge was shown.
        predicted: Predictions of the noise in one latent.
        differentiated: Those of them that a gradient was taken through.
        learned: Pictures that a fine-tune learned from, each time it did.
    """

    painted: int = 0
    judged: int = 0
    predicted: int = 0
    differentiated: int = 0
    learned: int = 0


class CountingModel:
    """A model that counts pictures and predictions, and makes blank ones.

    All else, such as encoded prompts and the starting noise, is the real model's.
    """

    def __init__(self, model: DiffusersModel, tally: WorkCount) -> None:
        """Stand in for a model."""
        self._model, self._tally = model, tally

    def __getattr__(self, name: str) -> object:
        """Return what the real model has."""
        found: object = getattr(self._model, name)
        return found

    def beside(self, model: DiffusersModel) -> CountingModel:
        """Stand in for another model, on the same tally."""
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
    ) -> Text:
        """Return blank tokens that hang on the vectors as the real ones do."""
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
        """Return what counts the pictures that it is to learn from."""
        return CountingTrainer(self._model.base, self._tally)


@dataclass
class CountingTrainer:
    """A copy of a model that learns nothing.

    Attributes:
        base: The text projections of the model.
        tally: Where it counts.
        parameters: One number.
    """

    base: Weights
    tally: WorkCount
    parameters: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with nothing."""
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
        """Return weights that nobody has seen pictures of."""
        del copied
        return another(self.base, self.tally.learned + 1)


@dataclass(frozen=True)
class CountingJudge:
    """A judge that counts the pictures it is shown, and sees nothing in them.

    Attributes:
        judge: Whom it stands in for.
        tally: Where it counts.
    """

    judge: Judge
    tally: WorkCount

    @property
    def name(self) -> str:
        """What an entry calls the judge."""
        return self.judge.name

    @property
    def identity(self) -> str:
        """The judge's own: what it saw before need not be looked at again."""
        return self.judge.identity

    def judged(self, painted: Painted) -> list[Answer]:
        """Count the pictures."""
        self.tally.judged += len(painted.latents)
        return [Answer(REJECT, REJECT)] * len(painted.latents)

    def features(self, painted: Painted) -> Tensor | None:
        """Return vectors if the judge has any, ``[n, d]``; count the pictures."""
        few = Painted(painted.latents[:1], painted.pictures[:1])
        own = self.judge.features(few)
        if own is None:
            return None
        self.tally.judged += len(painted.latents)
        rng = torch.Generator().manual_seed(self.tally.judged)
        return torch.randn(len(painted.latents), own.shape[1], generator=rng)


def another(base: Weights, n: int) -> Weights:
    """Return weights that are nobody's: no picture of them was ever seen."""
    name = next(iter(base))
    return {name: torch.full_like(base[name], float(n % 1024))}
