"""The training pictures: every cell of the world, rendered once and kept on disk."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from unlearnlog.atelier.bundled_concepts import world
from unlearnlog.atelier.renderer import rendered
from unlearnlog.atelier.styles import STYLES
from unlearnlog.atelier.subjects import SIZE, SUBJECTS
from unlearnlog.concepts.concept_set import ConceptSet
from unlearnlog.concepts.templates import EMPTY, PLAIN

STYLE_NAMES: Final = tuple(STYLES)
SUBJECT_NAMES: Final = (*SUBJECTS, EMPTY)
PER_CELL: Final = 160
FRESH_SEED: Final = 1_000_000
"""Seeds from here on are never trained on."""


@dataclass(frozen=True)
class Pictures:
    """Rendered pictures with their exact labels.

    Attributes:
        pixels: Shape ``[n, 64, 64, 3]``, 0 to 255.
        styles: Index into ``STYLE_NAMES``, shape ``[n]``.
        subjects: Index into ``SUBJECT_NAMES``, shape ``[n]``.
    """

    pixels: NDArray[np.uint8]
    styles: NDArray[np.int64]
    subjects: NDArray[np.int64]


@dataclass(frozen=True)
class Syllabus:
    """The training data of a model.

    Attributes:
        seen: The concepts; those held out are never shown.
        per_cell: Pictures of each cell.
    """

    seen: ConceptSet
    per_cell: int = PER_CELL


def known(pictures: Pictures, seen: ConceptSet | None = None) -> NDArray[np.intp]:
    """Return a mask of the pictures that show only known concepts.

    Args:
        pictures: Labelled pictures.
        seen: The concepts of the training; None for the bundled ones.
    """
    seen = seen or world()
    styles = [name == PLAIN or name in seen.styles for name in STYLE_NAMES]
    subjects = [name == EMPTY or name in seen.subjects for name in SUBJECT_NAMES]
    keep = np.asarray(styles)[pictures.styles] & np.asarray(subjects)[pictures.subjects]
    return np.flatnonzero(keep)


def training_pictures(runs: Path, per_cell: int = PER_CELL) -> Pictures:
    """Return ``per_cell`` pictures of every cell, rendered once."""
    path = runs / f"pictures-{per_cell}.npy"
    if not path.exists():
        runs.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.npy")
        np.save(partial, np.concatenate(_rendered_rows(range(per_cell))))
        partial.replace(path)
    return _labelled(np.load(path, mmap_mode="r"), per_cell)


def fresh_pictures(per_cell: int, seed: int = FRESH_SEED) -> Pictures:
    """Return pictures of every cell that no training uses."""
    rows = _rendered_rows(range(seed, seed + per_cell))
    return _labelled(np.concatenate(rows), per_cell)


def _rendered_rows(seeds: range) -> list[NDArray[np.uint8]]:
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(_row, STYLE_NAMES, [seeds] * len(STYLE_NAMES)))


def _row(style: str, seeds: range) -> NDArray[np.uint8]:
    row = [rendered(s, style, seed=seed) for s in SUBJECT_NAMES for seed in seeds]
    return np.stack(row)


def _labelled(pixels: NDArray[np.uint8], per_cell: int) -> Pictures:
    n_styles, n_subjects = len(STYLE_NAMES), len(SUBJECT_NAMES)
    assert pixels.shape == (n_styles * n_subjects * per_cell, SIZE, SIZE, 3)
    styles = np.arange(n_styles).repeat(n_subjects * per_cell)
    subjects = np.tile(np.arange(n_subjects).repeat(per_cell), n_styles)
    return Pictures(pixels, styles, subjects)
