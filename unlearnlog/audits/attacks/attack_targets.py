"""Pictures of a concept for attacks to learn from, with their prompts.

For the bundled model the renderer makes them, so that they are independent of the model
and a concept that it never learned has pictures too. For any other model the base
paints them. No prompt is one that probes use, nor a reserved cell.
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
"""First seed of these pictures, far from all other seeds."""


def sketch_cells(
    book: PromptBook, concept: Concept, n: int, gone: Collection[str] = ()
) -> tuple[ProbeCase, ...]:
    """Return up to ``n`` cells that show a concept, with prompts of their own.

    Args:
        book: The prompts of all concepts.
        concept: The concept.
        n: Number of cells, at most.
        gone: Names of other erased concepts, which none of them shows.
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
    """Return pictures by the bundled model's renderer.

    Raises:
        KeyError: It has no such style or subject.
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
    """Return pictures that the base paints."""
    progress = watch or NoProgress()
    progress.stage("painting pictures to learn from", len(cells))
    prompts = tuple(cell.prompt for cell in cells)
    seeds = [cell.seed + OTHER_LATENTS for cell in cells]
    painted = model.paint(prompts, seeds, sampling=sampling, progress=counted(progress))
    return AttackPictures(prompts, painted.latents)


def _text(cell: ProbeCase, i: int) -> str:
    forms = ERASING_PHOTOS if cell.style == PLAIN else ERASING
    text = forms[i % len(forms)].text
    return spoken(text, subject=cell.subject, style=cell.style)
