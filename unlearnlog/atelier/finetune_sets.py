"""Data sets of the bundled world to fine-tune on, each named by one word.

``unrelated``: concepts that are neither erased nor near to an erased one; ``sibling``:
kept members of its family and kept look-alikes; ``parent``: prompts with the family's
word and pictures of its kept members; ``target:N``: N pictures of the erased concept
itself, the few-shot relearning attack. Captions use the templates of forget sets, never
those of probes; and pictures are rendered from seeds that are used nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from unlearnlog.atelier.renderer import rendered
from unlearnlog.concepts.templates import ERASING, ERASING_PHOTOS, PLAIN, spoken
from unlearnlog.core.probe_case import ProbeCase
from unlearnlog.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from unlearnlog.concepts.prompts import PromptBook
    from unlearnlog.core.concept import Concept

FIRST_SEED: Final = 2_000_000
"""Pictures are rendered from this seed on."""

N_PICTURES: Final = 256
"""Number of pictures of every set but ``target:N``."""

_MOST: Final = 10_000


@dataclass(frozen=True)
class SketchPlan:
    """The source of a data set.

    Attributes:
        book: The prompts of the world, including erased concepts.
        targets: Erased concepts that the set is for.
        gone: Names of all erased concepts.
        seed: Seed of the pictures.
    """

    book: PromptBook
    targets: tuple[Concept, ...]
    gone: frozenset[str]
    seed: int = 0

    @property
    def styles(self) -> tuple[str, ...]:
        """Kept styles, including the plain one."""
        return tuple(s for s in (*self.book.world.styles, PLAIN) if s not in self.gone)

    @property
    def subjects(self) -> tuple[str, ...]:
        """Kept subjects."""
        return tuple(s for s in self.book.world.subjects if s not in self.gone)

    def beside(self, concept: Concept) -> tuple[str, ...]:
        """Return the kept subjects for a style, or the kept styles for a subject."""
        return self.subjects if concept.slot == "style" else self.styles

    def near(self, concept: Concept) -> list[str]:
        """Return the kept concepts near to a concept, sorted."""
        return sorted(self.book.world.near(concept.name) - self.gone)


def lesson_cells(word: str, sketch: SketchPlan) -> tuple[ProbeCase, ...]:
    """Return the cells of a data set, in a mixed order.

    Args:
        word: ``unrelated``, ``sibling``, ``parent`` or ``target:N``.
        sketch: The source of the data.

    Raises:
        UsageError: The word is unknown, or no kept concept fits it.
    """
    kind, _, count = word.partition(":")
    if kind not in WORDS or bool(count) != (kind == "target"):
        raise UsageError(
            f"there is no data '{word}'",
            fix="use unrelated, sibling, parent, target:5, or a folder of pictures",
        )
    rng = np.random.default_rng((FIRST_SEED, sketch.seed))
    n = _count(word, count) if kind == "target" else N_PICTURES
    first = FIRST_SEED + _MOST * sketch.seed
    cells = WORDS[kind](sketch, n, rng)
    return tuple(replace(cell, seed=first + i) for i, cell in enumerate(cells))


def pictures_of(cells: Sequence[ProbeCase]) -> Tensor:
    """Return each cell rendered from its seed, uint8 ``[n, 64, 64, 3]``."""
    drawn = [rendered(cell.subject, cell.style, seed=cell.seed) for cell in cells]
    return torch.from_numpy(np.stack(drawn))


def _count(word: str, count: str) -> int:
    if not count.isdecimal() or not 1 <= int(count) <= _MOST:
        raise UsageError(
            f"'{word}' needs a number of pictures from 1 to {_MOST}",
            fix="write it as in target:5",
        )
    return int(count)


def _unrelated(sketch: SketchPlan, n: int, rng: np.random.Generator) -> list[ProbeCase]:
    # The concepts near to one include its whole family.
    near = {name for target in sketch.targets for name in sketch.near(target)}
    styles = [s for s in sketch.styles if s not in near]
    subjects = [s for s in sketch.subjects if s not in near]
    if not subjects or not {*styles} - {PLAIN}:
        raise UsageError(
            "no kept concept is unrelated to the erased ones",
            fix="fine-tune on a folder of pictures instead",
        )
    return [
        _cell(rng, subject=_one(subjects, rng), style=_one(styles, rng))
        for _ in range(n)
    ]


def _siblings(sketch: SketchPlan, n: int, rng: np.random.Generator) -> list[ProbeCase]:
    found = []
    for i in range(n):
        target = sketch.targets[i % len(sketch.targets)]
        member = _one(_staying(sketch, target, sketch.near(target)), rng)
        beside = sketch.beside(target)
        found.append(_beside(sketch, rng, concept=target, member=member, others=beside))
    return found


def _parents(sketch: SketchPlan, n: int, rng: np.random.Generator) -> list[ProbeCase]:
    """Return cells of kept members, with prompts that no probe uses."""
    found: list[ProbeCase] = []
    world = sketch.book.world
    for i in range(n):
        target = sketch.targets[i % len(sketch.targets)]
        family = world.shown(target.parent) if target.parent in world.families else ()
        stay = [name for name in family if name not in sketch.gone]
        member = _one(_staying(sketch, target, stay), rng)
        probing = {cell.prompt for cell in sketch.book.family(target, 1)}
        captions = {
            other: sketch.book.parent_phrase(target.name, other=other)
            for other in sketch.beside(target)
        }
        free = [other for other, caption in captions.items() if caption not in probing]
        cell = _beside(sketch, rng, concept=target, member=member, others=free)
        caption = captions[cell.subject if target.slot == "style" else cell.style]
        found.append(replace(cell, prompt=caption))
    return found


def _of_target(sketch: SketchPlan, n: int, rng: np.random.Generator) -> list[ProbeCase]:
    """Return ``n`` cells of each target, as many different ones as possible."""
    found: list[ProbeCase] = []
    for target in sketch.targets:
        pairs = [
            (other, target.name) if target.slot == "style" else (target.name, other)
            for other in sketch.beside(target)
        ]
        free = [pair for pair in pairs if not sketch.book.is_reserved(*pair)]
        order = rng.permutation(len(free))
        for i in range(n):
            subject, style = free[order[i % len(free)]]
            found.append(_cell(rng, subject=subject, style=style))
    return found


def _staying(
    sketch: SketchPlan, target: Concept, names: Sequence[str]
) -> Sequence[str]:
    if not names:
        erased = ", ".join(sorted(sketch.gone))
        raise UsageError(
            f"no member of the family of '{target.name}' is kept: {erased} are erased",
            fix="fine-tune on 'unrelated' or 'target:5'",
        )
    return names


def _beside(
    sketch: SketchPlan,
    rng: np.random.Generator,
    *,
    concept: Concept,
    member: str,
    others: Sequence[str],
) -> ProbeCase:
    """Return a cell of a member of a concept's family that is not reserved."""
    style = concept.slot == "style"
    pairs = [(other, member) if style else (member, other) for other in others]
    free = [pair for pair in pairs if not sketch.book.is_reserved(*pair)]
    subject, hand = free[int(rng.integers(len(free)))]
    return _cell(rng, subject=subject, style=hand)


def _cell(rng: np.random.Generator, *, subject: str, style: str) -> ProbeCase:
    forms = ERASING_PHOTOS if style == PLAIN else ERASING
    template = forms[int(rng.integers(len(forms)))]
    caption = spoken(template.text, subject=subject, style=style)
    return ProbeCase(caption, 0, subject, style)


def _one(names: Sequence[str], rng: np.random.Generator) -> str:
    return names[int(rng.integers(len(names)))]


_Draw = Callable[[SketchPlan, int, np.random.Generator], list[ProbeCase]]

WORDS: Final[Mapping[str, _Draw]] = {
    "unrelated": _unrelated,
    "sibling": _siblings,
    "parent": _parents,
    "target": _of_target,
}
"""The data sets by their words."""
