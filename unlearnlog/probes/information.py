"""Readings in nats: information of erased prompts, and the drift of kept ones.

Source:
    Kong et al., ICLR 2024, https://arxiv.org/abs/2310.07972: information as an integral
    over noise levels. Readings over two sets of weights are ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import torch
from torch import Tensor

from unlearnlog.core.concept import Concept
from unlearnlog.core.delta import Weights
from unlearnlog.core.probe_case import ProbeCase
from unlearnlog.core.prompt import Prompt
from unlearnlog.core.reading import Reading
from unlearnlog.models.interface import Model, Painted
from unlearnlog.models.noise_levels import NoiseLevels
from unlearnlog.models.shared_text import SharedText
from unlearnlog.probes.estimators import (
    Denoiser,
    Nats,
    difference_map,
    distances,
    information,
    losses,
)
from unlearnlog.probes.picture_probe import About, Better, reading
from unlearnlog.probes.statistics import Estimate, clustered_mean

SOURCE: Final = "https://arxiv.org/abs/2310.07972"
N_LEVELS: Final = 10
SEED: Final = 9_973
"""First seed of the noise bank, far from the seeds of pictures."""


@dataclass(frozen=True)
class PromptedPictures:
    """Pictures of one set of weights with the prompts they were painted for.

    They remember what was predicted of them, since several readings need the same.

    Attributes:
        cells: The cells, with their prompts.
        latents: The pictures' latents, ``[n, c, h, w]``.
    """

    cells: tuple[ProbeCase, ...]
    latents: Tensor
    _denoisers: dict[tuple[str, ...], list[tuple[Weights | None, Denoiser]]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def under(
        self, model: Model, texts: Sequence[str], *, weights: Weights | None = None
    ) -> Denoiser:
        """Return a model under prompts as a denoiser of these pictures' noise bank.

        Args:
            model: One model for all calls.
            texts: A prompt for each picture.
            weights: Tensors that replace the model's own.
        """
        known = self._denoisers.setdefault(tuple(texts), [])
        for state, denoiser in known:
            if state is weights:
                return denoiser
        made = _remembering(under(model, texts, weights=weights))
        known.append((weights, made))
        return made

    @classmethod
    def of(
        cls, cells: Sequence[ProbeCase], painted: Painted, at: Sequence[int]
    ) -> PromptedPictures:
        """Return some of the painted pictures."""
        return cls(tuple(cells[i] for i in at), painted.latents[list(at)])


def self_information(
    model: Model,
    concept: Concept,
    *,
    prompts: Sequence[Prompt],
    before: PromptedPictures,
    after: tuple[PromptedPictures, Weights],
) -> tuple[Reading, ...]:
    """Return ``self-mi``: the prompt's nats beyond its context, by both estimates.

    Both are read on each state's own pictures. ``self-mi`` is the mean squared
    difference of the two predictions, never negative, and holds for an optimal
    denoiser. ``self-mi.two-loss`` is the difference of the two prompts' losses, which
    may be below 0; after an edit it is the honest one. The ``gap`` is its excess over
    the other, near 0 for a calibrated model.
    """
    now, weights = after
    base = _beyond_context(model, prompts, before, None)
    new = _beyond_context(model, prompts, now, weights)
    readings = []
    estimates: tuple[tuple[str, Better, Tensor, Tensor], ...] = (
        ("self-mi", "lower", base.difference, new.difference),
        ("self-mi.two-loss", "lower", base.two_loss, new.two_loss),
        ("self-mi.gap", "none", base.gap, new.gap),
    )
    for probe, better, old_values, new_values in estimates:
        about = About(probe, concept.name, better, "nats")
        estimate = over_cells(new_values.tolist(), now.cells)
        readings.append(reading(about, estimate, float(old_values.mean())))
    return tuple(readings)


@torch.no_grad()
def avoidance(
    model: Model, concept: Concept, *, before: PromptedPictures, weights: Weights
) -> tuple[Reading, ...]:
    """Return ``gain`` and ``shift``, which separate avoidance from damage.

    With L the denoising loss on the base's pictures of the concept, in nats: ``gain``
    is L(empty prompt) - L(its prompt), the prompt's help. ``shift`` is the rise of
    L(empty prompt), which has no name in it. The gain falls without a shift: the model
    avoids the concept. The shift rises: the model has lost it.

    Args:
        model: The base, which painted ``before``.
        concept: What was erased.
        before: The base's pictures of the concept.
        weights: The weights after the erasure.
    """
    texts = [cell.prompt for cell in before.cells]
    nothing = [""] * len(texts)
    levels = NoiseLevels.of(model, N_LEVELS)
    asked = [
        before.under(model, text, weights=state)
        for state in (None, weights)
        for text in (nothing, texts)
    ]
    empty, named, new_empty, new_named = losses(asked, noised(model, before), levels)
    readings = []
    for probe, values, base in (
        ("gain", new_empty - new_named, float((empty - named).mean())),
        ("shift", new_empty - empty, 0.0),
    ):
        about = About(probe, concept.name, "lower", "nats")
        estimate = over_cells(values.tolist(), before.cells)
        readings.append(reading(about, estimate, base))
    return tuple(readings)


@torch.no_grad()
def bound_information(
    model: Model,
    concept: Concept,
    *,
    texts: Sequence[tuple[str, str]],
    before: PromptedPictures,
    weights: Weights,
) -> tuple[Reading, ...]:
    """Return ``bound-mi``: nats between the prompt and the target that replaces it.

    1/2 Int E||eps_theta(x, c) - eps_phi(x, target)||^2 on the base's pictures, which
    `mim` minimises: 0 when the erased prompt's noise is the base's for the target. Its
    base is the same with phi for theta.

    Args:
        model: The base, phi.
        concept: What was erased.
        texts: For each picture the prompt and the target's prompt.
        before: The base's pictures of the concept.
        weights: The weights after the erasure, theta.
    """
    named = [text for text, _ in texts]
    goal = before.under(model, [target for _, target in texts])
    old, new = distances(
        [before.under(model, named), before.under(model, named, weights=weights)],
        goal,
        noised(model, before),
        NoiseLevels.of(model, N_LEVELS),
    )
    about = About("bound-mi", concept.name, "lower", "nats")
    estimate = over_cells(new.tolist(), before.cells)
    return (reading(about, estimate, float(old.mean())),)


@torch.no_grad()
def drift(
    model: Model, kept: PromptedPictures, weights: Weights
) -> tuple[Reading, ...]:
    """Return ``drift``, nats by which kept prompts and the empty one moved."""
    prompts = [cell.prompt for cell in kept.cells]
    readings = []
    both = {"(kept)": prompts, "(empty prompt)": [""] * len(prompts)}
    for concept, texts in both.items():
        (values,) = distances(
            [under(model, texts, weights=weights)],
            under(model, texts),
            noised(model, kept),
            NoiseLevels.of(model, N_LEVELS),
        )
        about = About("drift", concept, "lower", "nats")
        readings.append(reading(about, over_cells(values.tolist(), kept.cells), 0.0))
    return tuple(readings)


@torch.no_grad()
def information_map(
    model: Model,
    prompts: Sequence[Prompt],
    pictures: PromptedPictures,
    *,
    weights: Weights | None = None,
) -> Tensor:
    """Return the prompts' information by latent pixel, in nats, ``[n, h, w]``.

    The difference form: a map sums to its picture's ``self-mi``.
    """
    return difference_map(
        under(model, [p.text for p in prompts], weights=weights),
        under(model, [p.context for p in prompts], weights=weights),
        noised(model, pictures),
        NoiseLevels.of(model, N_LEVELS),
    )


@torch.no_grad()
def _beyond_context(
    model: Model,
    prompts: Sequence[Prompt],
    pictures: PromptedPictures,
    weights: Weights | None,
) -> Nats:
    """Return i(x; text | context) of each picture, by both estimators, in nats."""
    return information(
        pictures.under(model, [p.text for p in prompts], weights=weights),
        pictures.under(model, [p.context for p in prompts], weights=weights),
        noised(model, pictures),
        NoiseLevels.of(model, N_LEVELS),
    )


def under(
    model: Model, texts: Sequence[str], *, weights: Weights | None = None
) -> Denoiser:
    """Return a model under prompts, one a picture, as a denoiser."""
    encoded = SharedText.of(model.encode(texts, weights=weights))

    def denoiser(x_t: Tensor, t: Tensor) -> Tensor:
        rows = torch.arange(len(x_t)) % len(texts)
        return model.eps(x_t, t, encoded[rows], weights=weights)

    return denoiser


def _remembering(denoiser: Denoiser) -> Denoiser:
    """Return a denoiser that predicts once for each group of levels of one bank."""
    kept: dict[tuple[int, ...], Tensor] = {}

    def predicted(x_t: Tensor, t: Tensor) -> Tensor:
        steps = tuple(t.tolist())
        if steps not in kept:
            kept[steps] = denoiser(x_t, t)
        return kept[steps]

    return predicted


def noised(
    model: Model, pictures: PromptedPictures, n_levels: int = N_LEVELS
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield noised latents, timesteps and noise, one triple a level.

    The noise depends on the level and on each picture's prompt and seed, not on the
    other pictures: any two states are compared under the same noise.
    """
    for level, step in enumerate(NoiseLevels.of(model, n_levels).steps):
        seeds = [SEED + n_levels * cell.seed + level for cell in pictures.cells]
        pairs = zip(pictures.cells, seeds, strict=True)
        noise = torch.stack([model.latent(cell.prompt, seed) for cell, seed in pairs])
        t = torch.full((len(seeds),), step)
        yield model.noised(pictures.latents, noise, t), t, noise


def over_cells(values: Sequence[float], cells: Sequence[ProbeCase]) -> Estimate:
    """Return the mean over pictures, clustered by subject and by style."""
    return clustered_mean(
        values, [cell.subject for cell in cells], [cell.style for cell in cells]
    )
