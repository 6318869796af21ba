"""The pictures of a concept that an attack learns from, and the prompts they show.

On the bundled model the renderer makes them, so that the model's own idea of a concept
plays no part and a concept it never learned has pictures too. Of any other model the
base paints them. No prompt is one that probes use, nor a reserved cell.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from unlearnlog.atelier.renderer import rendered
from unlearnlog.audits.attacks.attack_search import AttackPictures
from unlearnlog.concepts.templates import ERASING, ERASING_PHOTOS, PLAIN, spoken
from unlearnlog.core.progress import NoProgress, Progress, counted
from unlearnlog.probes.runner import OTHER_LATENTS, scattered

if TYPE_CHECKING:
    from unlearnlog.concepts.prompts import PromptBook
    from unlearnlog.core.concept import Concept
    from unlearnlog.core.probe_case import ProbeCase
    from unlearnlog.models.interface import Sampling, Tunable

FIRST_SEED: Final = 3_000_000
"""Pictures are rendered from this seed on; nothing else is."""


def sketch_cells(
    book: PromptBook, concept: Concept, n: int, gone: Collection[str] = ()
) -> tuple[ProbeCase, ...]:
    """Return up to ``n`` cells that show a concept, with prompts of their own.

    Args:
        book: The prompts of the world.
        concept: Whose pictures.
        n: How many at most.
        gone: Names of what else is erased, which none of them shows.
    """
    free = [
        cell
        for cell in book.alone(concept, 1, gone)
        if not book.is_reserved(cell.subject, cell.style)
    ]
    return tuple(
        type(cell)(_text(cell, i), i, cell.subject, cell.style)
        for i, cell in enumerate(scattered(free, n))
    )


def rendered_sketches(model: Tunable, cells: Collection[ProbeCase]) -> AttackPictures:
    """Return pictures that the bundled world's renderer makes.

    Raises:
        KeyError: It does not know what they show.
    """
    pictures = [
        rendered(cell.subject, cell.style, seed=FIRST_SEED + cell.seed)
        for cell in cells
    ]
    latents = model.latents_of(torch.from_numpy(np.stack(pictures)))
    return AttackPictures(tuple(cell.prompt for cell in cells), latents)


def painted_sketches(
    model: Tunable,
    cells: Collection[ProbeCase],
    sampling: Sampling,
    watch: Progress | None = None,
) -> AttackPictures:
    """Return pictures that the base paints, while somebody may watch."""
    tell = watch or NoProgress()
    tell.stage("painting what is learnt from", len(cells))
    prompts = tuple(cell.prompt for cell in cells)
    seeds = [cell.seed + OTHER_LATENTS for cell in cells]
    painted = model.paint(prompts, seeds, sampling=sampling, progress=counted(tell))
    return AttackPictures(prompts, painted.latents)


def _text(cell: ProbeCase, i: int) -> str:
    forms = ERASING_PHOTOS if cell.style == PLAIN else ERASING
    text = forms[i % len(forms)].text
    return spoken(text, subject=cell.subject, style=cell.style)
