"""Three tiers of measures of every concept's change, and how well each predicts others.

Tier 0 reads weights and text only, tier 1 predictions on the base's own pictures, tier
2 a judge's answers to new ones. Each costs far more than the one before. How well one
predicts a later one is measured over the concepts, at every entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import torch
from torch import Tensor

from unlearnlog.core.delta import Weights
from unlearnlog.core.probe_case import ProbeCase
from unlearnlog.core.reading import Reading
from unlearnlog.models.interface import Model, Place
from unlearnlog.models.noise_levels import NoiseLevels
from unlearnlog.models.shared_text import SharedText
from unlearnlog.probes.information import N_LEVELS, PromptedPictures, noised, over_cells
from unlearnlog.probes.picture_probe import About, reading
from unlearnlog.probes.rank_correlation import FEWEST, rank_correlation

MOVED: Final = "moved"
"""Tier 0: share by which keys and values of a concept's prompts have moved."""

MOVED_NATS: Final = "moved.nats"
"""Tier 1: nats by which predictions for a concept's prompts have moved."""

_AT_ONCE: Final = 128

Asked = Mapping[str, Sequence[ProbeCase]]
"""Cells that show each concept, by its name."""


@torch.no_grad()
def displacement(
    model: Model, asked: Asked, new: Weights, gone: Iterable[str]
) -> Iterator[Reading]:
    """Yield ``moved`` of each concept: ||dW e|| / ||W e|| over its prompts' tokens e.

    All text projections W count together: with G the sum of dW' dW and H that of W' W,
    it is the root of sum e'Ge / sum e'He. Each place of the network has its own e: what
    its matrices read. There is no reading where joint attention has changed, which
    reads the picture as well.

    Args:
        model: The base.
        asked: Cells of each concept.
        new: Every text projection after the erasure.
        gone: Names of erased concepts, which are meant to move.
    """
    grams = _grams(model, new)
    if grams is None:
        return
    for name, cells in asked.items():
        text = model.encode([cell.prompt for cell in cells])
        moved = whole = torch.zeros(len(cells)).double()
        for place, (change, base) in grams.items():
            tokens = model.read_by(text, place).double()
            moved = moved + _length(tokens, change)
            whole = whole + _length(tokens, base)
        share = (moved / whole).sqrt()
        about = _about(MOVED, name, gone, "ratio")
        yield reading(about, over_cells(share.tolist(), cells), 0.0)


@torch.no_grad()
def nats_moved(
    model: Model,
    asked: Asked,
    latents: Tensor,
    weights: tuple[Weights, Iterable[str]],
) -> Iterator[Reading]:
    """Yield ``moved.nats`` of each concept, on the base's own pictures of it.

    1/2 Int E||eps_theta(x, c) - eps_phi(x, c)||^2, as `drift` for all kept prompts.

    Args:
        model: The base, phi.
        asked: Cells of each concept.
        latents: The base's pictures of all of them, one after another.
        weights: The weights after the erasure, theta; names of erased concepts.
    """
    new, gone = weights
    cells = [cell for each in asked.values() for cell in each]
    errors = []
    prompts = [cell.prompt for cell in cells]
    text = SharedText.of(model.encode(prompts))
    new_text = SharedText.of(model.encode(prompts, weights=new))
    for x_t, t, _ in noised(model, PromptedPictures(tuple(cells), latents)):
        parts = []
        for begin in range(0, len(cells), _AT_ONCE):
            some = slice(begin, begin + _AT_ONCE)
            old = model.eps(x_t[some], t[some], text[some])
            now = model.eps(x_t[some], t[some], new_text[some], weights=new)
            parts.append((now - old).square().flatten(1).sum(1))
        errors.append(torch.cat(parts))
    values = NoiseLevels.of(model, N_LEVELS).integral(torch.stack(errors, 1)).tolist()
    at = 0
    for name, each in asked.items():
        own, at = values[at : at + len(each)], at + len(each)
        yield reading(
            _about(MOVED_NATS, name, gone, "nats"), over_cells(own, each), 0.0
        )


def agreement(readings: Sequence[Reading], gone: Iterable[str]) -> Iterator[Reading]:
    """Yield how well each tier predicts a later one, over kept concepts.

    ``tiers.0-1``, ``tiers.1-2`` and ``tiers.0-2`` are Spearman's correlations; where a
    tier is constant over the concepts there is none.
    """
    erased = {*gone}
    tiers: list[dict[str, float]] = [{}, {}, {}]
    for each in readings:
        if each.concept in erased:
            continue
        if each.probe == MOVED:
            tiers[0][each.concept] = each.value
        elif each.probe == MOVED_NATS:
            tiers[1][each.concept] = each.value
        elif each.probe == "presence" and each.base is not None:
            tiers[2][each.concept] = each.base - each.value
    for one, other in ((0, 1), (1, 2), (0, 2)):
        names = [name for name in tiers[one] if name in tiers[other]]
        a, b = ([tiers[i][name] for name in names] for i in (one, other))
        if len(names) >= FEWEST and len({*a}) > 1 and len({*b}) > 1:
            about = About(f"tiers.{one}-{other}", "(kept)", "none", "correlation")
            yield reading(about, rank_correlation(a, b))


def _grams(model: Model, new: Weights) -> dict[Place, tuple[Tensor, Tensor]] | None:
    """Return G and H of each place.

    None where joint attention has changed, or a tensor that is no text projection:
    then the projections alone do not say how far a prompt moved.
    """
    by_place: dict[Place, list[str]] = {}
    for name, place in model.places.items():
        by_place.setdefault(place, []).append(name)
    base = model.base
    joint = by_place.pop("joint-attention", [])
    beyond = [name for name in new if name not in model.places]
    if any((new[n].double() != base[n].double()).any() for n in (*joint, *beyond)):
        return None
    return {
        place: (
            _gram(new[n].double() - base[n].double() for n in names),
            _gram(base[n].double() for n in names),
        )
        for place, names in by_place.items()
    }


def _gram(matrices: Iterable[Tensor]) -> Tensor:
    """Return the sum of M'M over matrices ``[d_out, d_text]``."""
    return sum((m.T @ m for m in matrices), torch.zeros((), dtype=torch.float64))


def _length(tokens: Tensor, gram: Tensor) -> Tensor:
    """Return the sum over tokens of e'Ge of each prompt, ``[n]``."""
    return ((tokens @ gram) * tokens).flatten(1).sum(1)


def _about(probe: str, name: str, gone: Iterable[str], unit: str) -> About:
    return About(probe, name, "none" if name in {*gone} else "lower", unit)
