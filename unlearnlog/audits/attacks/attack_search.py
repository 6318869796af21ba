"""The interface of attacks: a white-box search for inputs that recall a concept.

An attack has the erased model's weights, the concept's name and a few pictures of it.
Its result is a value of a few tensors, which is stored and used again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, Literal

import torch

from unlearnlog.core.progress import NoProgress, Progress
from unlearnlog.core.prompt import where_spelt
from unlearnlog.core.suggestions import advice
from unlearnlog.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch import Tensor

    from unlearnlog.core.concept import Concept
    from unlearnlog.core.delta import Weights
    from unlearnlog.models.interface import Text
    from unlearnlog.models.textual_inversion import VectorPromptModel, Vectors

Size = Literal["small", "standard"]


@dataclass(frozen=True)
class AttackBudget:
    """The budget of an attack and of each of its null controls.

    Attributes:
        pictures: Pictures of the concept that it learns from.
        restarts: Candidates, each from another start; the best is taken on pictures of
            their own.
        trials: Pictures that choose between candidates.
        controls: Pictures of each null control.
        steps: Gradient steps of an inversion.
        batch: Pictures under noise in each of them.
        rate: Their step size, as a share of a typical token's length.
        tokens: Tokens of a prefix.
        rounds: Rounds of a prefix's search.
        bank: Pictures under noise that a prefix's loss is taken on, the same in all
            rounds.
        swaps: Swaps of one token that are tried in each round.
    """

    pictures: int = 8
    restarts: int = 1
    trials: int = 16
    controls: int = 48
    steps: int = 60
    batch: int = 8
    rate: float = 0.3
    tokens: int = 3
    rounds: int = 20
    bank: int = 16
    swaps: int = 3

    @property
    def settings(self) -> dict[str, int | float]:
        """Every number by name, as an entry records it."""
        return asdict(self)


BUDGETS: Final[Mapping[str, AttackBudget]] = {
    "small": AttackBudget(),
    "standard": AttackBudget(
        pictures=16,
        restarts=3,
        controls=96,
        steps=200,
        tokens=5,
        rounds=40,
        bank=32,
        swaps=4,
    ),
}


def budget_called(name: str) -> AttackBudget:
    """Return a budget by its name.

    Raises:
        UsageError: There is none of that name.
    """
    if name not in BUDGETS:
        raise UsageError(f"there is no budget '{name}'", fix=advice(name, BUDGETS))
    return BUDGETS[name]


@dataclass(frozen=True)
class AttackPictures:
    """Pictures of the concept that an attack may learn from.

    Attributes:
        prompts: The prompt of each, which names the concept.
        latents: Scaled as the UNet's inputs, ``[n, c, h, w]``.
    """

    prompts: tuple[str, ...]
    latents: Tensor


@dataclass(frozen=True)
class AttackSearch:
    """The inputs of an attack.

    Attributes:
        model: The base.
        weights: Every text projection of the erased state.
        concept: The erased concept.
        sketches: Pictures of it.
        budget: The budget.
        seed: Seed of the random numbers.
        watch: Progress of the work.
    """

    model: VectorPromptModel
    weights: Weights
    concept: Concept
    sketches: AttackPictures
    budget: AttackBudget
    seed: int = 0
    watch: Progress = field(default_factory=NoProgress)

    def source(self, restart: int) -> torch.Generator:
        """Return the generator of one candidate's random numbers."""
        return torch.Generator().manual_seed(self.seed * 1009 + restart)


@dataclass(frozen=True)
class FoundAttack:
    """A candidate that an attack has found.

    Attributes:
        attack: The attack's name.
        names: The concept's name and its other names.
        tensors: Its tensors, by name.
    """

    attack: str
    names: tuple[str, ...]
    tensors: Mapping[str, Tensor]


@dataclass(frozen=True)
class Attack(ABC):
    """A method of attack.

    Attributes:
        name: What the user types and an entry records.
        source: A link to its paper.
    """

    name: ClassVar[str]
    source: ClassVar[str]

    @abstractmethod
    def found(self, search: AttackSearch) -> Iterator[FoundAttack]:
        """Yield a candidate for each restart of the budget."""

    @abstractmethod
    def chance(self, search: AttackSearch, like: FoundAttack) -> Iterator[FoundAttack]:
        """Yield as many random candidates of the same size."""

    @abstractmethod
    def texts(
        self,
        finding: FoundAttack,
        model: VectorPromptModel,
        prompts: Sequence[str],
        weights: Weights | None,
    ) -> Text:
        """Return prompts encoded with a candidate.

        Args:
            finding: The candidate.
            model: The base.
            prompts: Prompts that name the concept.
            weights: Tensors that replace the model's own, by full name.
        """


def names_of(concept: Concept) -> tuple[str, ...]:
    """Return a concept's name and its other names."""
    return (concept.name, *concept.aliases)


def with_mark(prompt: str, names: Sequence[str], mark: str) -> str:
    """Return a prompt with a mark in place of one of the names.

    A prompt without a name gets it behind its last word.

    Example:
        >>> with_mark("a cat by Picasso, on canvas", ("Picasso",), "<*>")
        'a cat by <*> , on canvas'
    """
    found = where_spelt(prompt, sorted(names, key=len, reverse=True))
    if found is None:
        return f"{prompt} {mark}"
    before, behind = prompt[: found.start()], prompt[found.end() :]
    return f"{before}{mark} {behind.lstrip()}".rstrip()


def denoising_loss(
    search: AttackSearch, text: Text, rows: Tensor, noise: Tensor, t: Tensor
) -> Tensor:
    """Return the erased model's denoising loss on pictures under encoded prompts.

    Args:
        search: The model, its weights and the pictures.
        text: Encoded prompts, ``b`` of them.
        rows: The picture of each, int64 ``[b]``.
        noise: Unit normal, ``[b, c, h, w]``.
        t: Timesteps, int64 ``[b]``.

    Returns:
        Mean squared error of the predicted noise.
    """
    x_t = search.model.noised(search.sketches.latents[rows], noise, t)
    predicted = search.model.eps(x_t, t, text, weights=search.weights)
    return (predicted - noise).square().mean()


@dataclass(frozen=True)
class NoisedPictures:
    """The pictures of a batch, with their noise and timesteps."""

    rows: Tensor
    noise: Tensor
    t: Tensor

    @classmethod
    def drawn(
        cls, search: AttackSearch, n: int, source: torch.Generator
    ) -> NoisedPictures:
        """Return ``n`` of them at random, every picture about equally often."""
        total = len(search.sketches.latents)
        order = torch.randperm(total, generator=source)
        return cls(
            order.repeat(-(-n // total))[:n],
            torch.randn(n, *search.model.latent_shape, generator=source),
            torch.randint(0, search.model.n_steps_trained, (n,), generator=source),
        )


def typical_length(vectors: Vectors, words: Tensor) -> tuple[float, ...]:
    """Return the median length of the words' vectors, for each text encoder."""
    return tuple(float(table[words].norm(dim=1).median()) for table in vectors)
