"""UnlearnCanvas's prompts: one template, its five seeds, every style and subject.

Source:
    UnlearnCanvas, https://arxiv.org/abs/2402.11846: the wording, the seeds and the
    names of files of its evaluation, as in github.com/OPTML-Group/UnlearnCanvas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from unlearnlog.core.probe_case import ProbeCase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unlearnlog.concepts.concept_set import ConceptSet

SEEDS: Final = (188, 288, 588, 688, 888)
"""The seeds of its evaluation."""


def canvas_prompt(subject: str, style: str) -> str:
    """Return the prompt of a subject in a style.

    Example:
        >>> canvas_prompt("Cats", "Van Gogh")
        'A Cats image in Van Gogh style.'
    """
    return f"A {subject} image in {style} style."


def canvas_cells(
    world: ConceptSet, seeds: Sequence[int] = SEEDS
) -> tuple[ProbeCase, ...]:
    """Return the cells of every style with every subject, with each seed."""
    return tuple(
        ProbeCase(canvas_prompt(subject, style), seed, subject, style)
        for style in world.styles
        for seed in seeds
        for subject in world.subjects
    )


def file_spelling(name: str) -> str:
    """Return a name as it stands in names of its files: with underscores."""
    return name.replace(" ", "_")
