"""The forget set and the retain set: pictures that the base paints, and caches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Self

import torch
from torch import Tensor

from unlearnlog.core.digest import canonical_json
from unlearnlog.errors import TrainingError

if TYPE_CHECKING:
    from unlearnlog.core.delta import Weights
    from unlearnlog.core.prompt import Prompt, Target
    from unlearnlog.erasers.eraser import Request
    from unlearnlog.models.interface import Text


@dataclass(frozen=True)
class ForgetSet:
    """Pictures with the prompts that are no longer to paint them.

    First come those of the families, then those of the concepts, of which the last
    `N_HELD` are held out.

    Attributes:
        latents: Shape ``[n, c, h, w]``.
        text: The prompt that names the concept, or its family, for each picture.
        target: The prompt to be painted instead, for each picture.
        texts: ``text`` in words.
    """

    latents: Tensor
    text: Text
    target: Text
    texts: tuple[str, ...]

    N_HELD: ClassVar[int] = 16

    @classmethod
    def of(
        cls,
        request: Request,
        target: Target,
        *,
        n: int,
        n_family: int = 0,
        of_target: bool = False,
    ) -> Self:
        """Return the forget set, painted by the base.

        A family's pictures are painted for the members that stay: under noise at every
        level, they are the goal of its prompt.

        Args:
            request: What is erased.
            target: What is painted instead.
            n: Pictures of each concept.
            n_family: Pictures of what stays of each family.
            of_target: Whether the pictures show the targets, not the concepts.
        """
        kin = [
            (*pairs[i % len(pairs)], request.seed + i // len(pairs))
            for i in range(n_family)
            for pairs in request.families
        ]
        named = [
            (prompt.text, prompt.target(target), seed)
            for prompt, seed in drawn(request, n)
        ]
        shown = [text for text, _, _ in named], [seed for *_, seed in named]
        if of_target:  # prompts may share one, so each picture has its own seed
            instead = [instead for _, instead, _ in named]
            shown = instead, [request.seed + i for i in range(len(named))]
        latents = [
            painted(request, [stays for _, stays, _ in kin], [s for *_, s in kin]),
            painted(request, *shown),
        ]
        texts = [text for text, _, _ in kin + named]
        encode = request.model.encode
        return cls(
            latents=torch.cat(latents),
            text=encode(texts),
            target=encode([instead for _, instead, _ in kin + named]),
            texts=tuple(texts),
        )

    def read_by(self, request: Request) -> tuple[Tensor, Tensor]:
        """Return what projections of one place read of prompts and of their targets."""
        if request.place is None:
            return self.text.tokens, self.target.tokens
        read = request.model.read_by
        return read(self.text, request.place), read(self.target, request.place)

    @property
    def learnt(self) -> Tensor:
        """The pictures of the training."""
        return self.latents[: self.n_learnt]

    @property
    def n_learnt(self) -> int:
        """The number of pictures of the training; the others are held out."""
        return len(self.latents) - self.N_HELD

    def repainted(
        self, request: Request, weights: Weights, share: float, rng: torch.Generator
    ) -> Self:
        """Return the set with a share of the training repainted by other weights."""
        n = round(share * self.n_learnt)
        if not n:
            return self
        chosen = torch.randperm(self.n_learnt, generator=rng)[:n]
        seeds = torch.randint(1 << 30, (n,), generator=rng).tolist()
        texts = [self.texts[i] for i in chosen.tolist()]
        how = request.sampling
        held = request.with_fixed(weights)
        now = request.model.paint(texts, seeds, sampling=how, weights=held)
        latents = self.latents.clone()
        latents[chosen] = now.latents
        return replace(self, latents=latents)


@dataclass(frozen=True)
class KeptSet:
    """Pictures with the prompts that are to go on painting them.

    Attributes:
        latents: Shape ``[n, c, h, w]``.
        text: The prompt of each picture.
        texts: ``text`` in words.
    """

    latents: Tensor
    text: Text
    texts: tuple[str, ...]

    @classmethod
    def of(cls, request: Request, n: int) -> Self:
        """Return pictures of kept prompts, spread over all of them, by the base.

        Raises:
            TrainingError: Nothing is kept.
        """
        said = [text for text in request.stay or request.keep if text]
        if n and not said:
            raise TrainingError(
                "the eraser learns from kept prompts, and there are none",
                fix="name concepts that stay in the file of concepts",
            )
        places = [i * len(said) // n for i in range(n)]
        texts = [said[place % len(said)] for place in places]
        seeds = [request.seed + i for i in range(n)]
        latents = painted(request, texts, seeds)
        return cls(latents, request.model.encode(texts), tuple(texts))


@dataclass(frozen=True)
class Noised:
    """A batch of noised pictures.

    Attributes:
        rows: Their indices in their set, int64 ``[b]``.
        x_t: The pictures with the noise, ``[b, c, h, w]``.
        t: Their timesteps, int64 ``[b]``.
        noise: The noise itself, unit normal ``[b, c, h, w]``.
    """

    rows: Tensor
    x_t: Tensor
    t: Tensor
    noise: Tensor

    @classmethod
    def drawn(
        cls, request: Request, latents: Tensor, batch: int, rng: torch.Generator
    ) -> Self:
        """Return random pictures under random noise of random levels."""
        model = request.model
        rows = torch.randint(len(latents), (batch,), generator=rng)
        t = torch.randint(model.n_steps_trained, (batch,), generator=rng)
        noise = torch.randn(batch, *model.latent_shape, generator=rng)
        return cls(rows, model.noised(latents[rows], noise, t), t, noise)

    def __getitem__(self, part: slice) -> Self:
        """Return a part of the batch."""
        return type(self)(
            self.rows[part], self.x_t[part], self.t[part], self.noise[part]
        )


def drawn(request: Request, n: int) -> list[tuple[Prompt, int]]:
    """Return ``n`` prompts of each concept with their seeds.

    Concepts take turns, so that any run of pictures shows all of them.
    """
    return [
        (group[turn % len(group)], request.seed + turn // len(group))
        for turn in range(n)
        for group in request.forget
    ]


def painted(request: Request, texts: Sequence[str], seeds: Sequence[int]) -> Tensor:
    """Return the base's latents for prompts and seeds, ``[n, c, h, w]``.

    As many batches as there are processes are painted at once. Each is cached then, so
    a command that is stopped here and typed again resumes.
    """
    if not texts:
        return torch.empty(0, *request.model.latent_shape)
    request.watch.stage("painting the forget set", len(texts))
    n = request.sampling.batch
    batches = [
        ForgetBatch(request, (*texts[i : i + n],), (*seeds[i : i + n],))
        for i in range(0, len(texts), n)
    ]
    found = {batch: request.shelf.get(batch.key) for batch in batches}
    missing = [batch for batch in batches if found[batch] is None]
    for begin in range(0, len(missing), request.ranks.size):
        some = missing[begin : begin + request.ranks.size]
        made = request.model.paint(
            [text for batch in some for text in batch.texts],
            [seed for batch in some for seed in batch.seeds],
            sampling=request.sampling,
        )
        sizes = [len(batch.texts) for batch in some]
        for batch, latents in zip(some, made.latents.split(sizes), strict=True):
            request.shelf.put(batch.key, latents)
            request.watch.advance(len(latents), {})
            found[batch] = latents
    request.watch.advance(len(texts) - sum(len(b.texts) for b in missing), {})
    return torch.cat([latents for b in batches if (latents := found[b]) is not None])


@dataclass(frozen=True)
class ForgetBatch:
    """Prompts and seeds of pictures that are painted at once."""

    request: Request = field(compare=False)
    texts: tuple[str, ...]
    seeds: tuple[int, ...]

    @property
    def key(self) -> str:
        """The key of the latents in the cache."""
        model, sampling = self.request.model, self.request.sampling
        how = [model.manifest.root, sampling.steps, sampling.guidance]
        return canonical_json([*how, self.texts, self.seeds]).decode()
