"""Pictures of the base beside those of a revision, from the same latents."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from PIL import Image

from unlearnlog.core.active import live_concepts
from unlearnlog.core.progress import counted
from unlearnlog.findings.report_parts import BeforeAfter
from unlearnlog.policy import SamplingSettings

if TYPE_CHECKING:
    from torch import Tensor

    from unlearnlog.commands.session import Session
    from unlearnlog.concepts.prompts import PromptBook
    from unlearnlog.core.concept import Concept
    from unlearnlog.core.delta import Weights
    from unlearnlog.core.entry import EntryId
    from unlearnlog.core.probe_case import ProbeCase
    from unlearnlog.core.progress import Progress
    from unlearnlog.models.interface import Sampling
    from unlearnlog.policy import Policy

MOST_PAIRS: Final = 100
"""Most pairs in one file: at most 4 MB."""

_EXACT_SIDE: Final = 96
"""Pictures up to this many pixels per side are stored losslessly."""

_SIDE: Final = 256
"""Pixels per side that larger pictures are reduced to, as JPEG."""

_ROLES: Final = ("erased", "look-alike", "sibling", "unrelated")


@dataclass(frozen=True)
class ShownPrompt:
    """A prompt shown in a report, at the base and at the revision.

    Attributes:
        about: The erased concept beside which it is shown.
        role: One of ``erased``, ``look-alike``, ``sibling`` and ``unrelated``.
        shows: The concept it is to show.
        cell: The probe's own prompt and seed.
        rank: Position among prompts of its role, from 0 on.
    """

    about: str
    role: str
    shows: str
    cell: ProbeCase
    rank: int = 0


def before_and_after(
    at: Session, rev: EntryId, *, each: int, policy: Policy | None, watch: Progress
) -> tuple[tuple[BeforeAfter, ...], int]:
    """Paint prompts of every erased concept at the base and at a revision.

    Args:
        at: The session, with its ledger and model.
        rev: The revision.
        each: Prompts of each erased concept.
        policy: Sampling settings; None for the defaults.
        watch: Receives the progress of the work.

    Returns:
        The pairs, concept by concept; and the number left out for size.
    """
    live = live_concepts(at.the_ledger().history(rev))
    concepts = {name: concept for name, (_, concept) in live.items()}
    book = at.book(tuple(concepts.values()))
    wanted = [c for name in concepts for c in choices(book, concepts, name, each)]
    chosen = most_telling(wanted, MOST_PAIRS)
    sampling = (policy.painting if policy else _usual)()
    watch.stage("painting before and after", 2 * len(chosen))
    report = counted(watch)
    cells = [choice.cell for choice in chosen]

    def painted(weights: Weights, begun: int) -> Tensor:
        return at.model.paint(
            [cell.prompt for cell in cells],
            [cell.seed for cell in cells],
            sampling=sampling,
            weights=weights,
            progress=lambda done: report(begun + done),
        ).pictures

    sides = painted(at.weights(None), 0), painted(at.weights(rev), len(cells))
    pairs = (_pair(c, *both) for c, *both in zip(chosen, *sides, strict=True))
    return tuple(pairs), len(wanted) - len(chosen)


def choices(
    book: PromptBook, gone: Mapping[str, Concept], name: str, each: int
) -> Iterator[ShownPrompt]:
    """Yield prompts of an erased concept, of its nearest kept concept, and of another.

    No prompt names another erased concept. The choice depends on the name alone, so
    that concepts are shown beside different subjects.
    """
    concept, others = gone[name], gone.keys() - {name}
    slot = concept.slot
    start = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)
    own = book.alone(concept, 1, others)
    for rank in range(min(each, len(own))):
        cell = own[(start + rank * len(own) // each) % len(own)]
        yield ShownPrompt(name, "erased", name, cell, rank)
    kept = [c for c in book.kept(gone.keys(), 1) if c.subject and c.shows(slot)]
    alike = book.alike(concept, gone.keys(), 1)
    near = book.world.near(name)
    siblings = [c for c in kept if c.shows(slot) in near]
    known = {*book.world.styles, *book.world.subjects}
    rest = [c for c in kept if c.shows(slot) in known - near]
    for role, cells in (
        ("look-alike", alike),
        ("sibling", () if alike else siblings),
        ("unrelated", rest),
    ):
        if cells:
            cell = cells[start % len(cells)]
            yield ShownPrompt(name, role, cell.shows(slot), cell)


def most_telling(wanted: Sequence[ShownPrompt], n: int) -> list[ShownPrompt]:
    """Return at most ``n`` prompts: first one of every concept, then the others."""
    ranked = sorted(wanted, key=lambda c: (c.rank, _ROLES.index(c.role)))
    return [choice for choice in wanted if choice in ranked[:n]]


def data_uri(picture: Tensor) -> str:
    """Return a picture, uint8 ``[height, width, 3]``, as a data URI.

    A small picture is a lossless PNG; a large one is a reduced JPEG.
    """
    image, kind, file = Image.fromarray(picture.numpy()), "png", io.BytesIO()
    if max(image.size) > _EXACT_SIDE:
        image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
        kind = "jpeg"
    image.save(file, kind, optimize=True)
    coded = base64.b64encode(file.getvalue()).decode("ascii")
    return f"data:image/{kind};base64,{coded}"


def _pair(choice: ShownPrompt, before: Tensor, after: Tensor) -> BeforeAfter:
    return BeforeAfter(
        choice.about,
        choice.role,
        choice.shows,
        choice.cell.prompt,
        choice.cell.seed,
        data_uri(before),
        data_uri(after),
    )


def _usual() -> Sampling:
    from unlearnlog.models.interface import Sampling

    defaults = SamplingSettings()
    return Sampling(defaults.steps, defaults.guidance)
