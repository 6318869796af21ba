"""``canvas``: UnlearnCanvas's table of a revision, or of each concept erased alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from unlearnlog.commands import joint_set
from unlearnlog.commands.add import AddRequest, erased_by, planned
from unlearnlog.commands.entry_builder import EntryBuilder
from unlearnlog.commands.judge_choice import runner_for, what_judges
from unlearnlog.concepts.canvas_prompts import SEEDS, canvas_cells
from unlearnlog.core.entry import Append
from unlearnlog.core.eraser_record import EraserRecord
from unlearnlog.core.progress import NestedProgress, NoProgress
from unlearnlog.erasers.eraser_table import recorded
from unlearnlog.errors import UsageError
from unlearnlog.probes.canvas_table import CanvasRow, canvas_row

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session
    from unlearnlog.core.concept import Concept
    from unlearnlog.core.delta import Delta, Weights
    from unlearnlog.core.entry import SetGroup
    from unlearnlog.core.progress import Progress
    from unlearnlog.policy import Policy

SLOTS: Final = ("style", "subject")


@dataclass(frozen=True)
class CanvasRequest:
    """Arguments of ``canvas``.

    Attributes:
        policy: Sampling settings, judge and, for ``each``, the eraser.
        rev: The revision.
        concepts: Names of the concepts that get a row; none for all erased ones, or for
            ``each`` all known ones.
        each: Whether each concept is erased alone, from the base.
        seeds: The seeds of each prompt.
        watch: Receives the progress of the work.
    """

    policy: Policy
    rev: str = "HEAD"
    concepts: tuple[str, ...] = ()
    each: bool = False
    seeds: tuple[int, ...] = SEEDS
    watch: Progress = field(default_factory=NoProgress)


@dataclass(frozen=True)
class FilledCanvas:
    """UnlearnCanvas's table.

    Attributes:
        rows: A row for each erased concept.
        n: Number of pictures behind each row.
    """

    rows: tuple[CanvasRow, ...]
    n: int

    def row(self) -> dict[str, Any]:
        """Return the table as values for JSON."""
        return {"pictures": self.n, "unlearncanvas": [row.cells() for row in self.rows]}

    def table(self) -> list[dict[str, Any]]:
        """Return the cells of each row, by column."""
        return [row.cells() for row in self.rows]


def canvas(at: Session, request: CanvasRequest) -> FilledCanvas:
    """Paint UnlearnCanvas's prompts and return its table; nothing is recorded.

    Raises:
        NoLedger: There is no ledger.
        RevisionError: The revision names nothing or more than one entry.
        UsageError: Nothing is erased, there is no judge, or nothing to paint.
    """
    at = at.at_rev("base" if request.each else request.rev)
    wanted = _wanted(at, request)
    runner = runner_for(at, request.policy, at.book(), request.watch)
    if runner.judge is None:
        raise UsageError(
            "there is no judge of what the pictures show",
            fix=what_judges(at, "leave --judge none out"),
        )
    cells = canvas_cells(at.world, request.seeds)
    rows = []
    for concept, new, watch in _states(at, request, wanted):
        here = replace(runner, watch=watch)
        answers = here.judged(cells, new, "painting UnlearnCanvas's prompts")
        seen = [*zip(cells, answers, strict=True)]
        rows.append(canvas_row(seen, concept.name, concept.slot))
    return FilledCanvas(tuple(rows), len(cells))


def _wanted(at: Session, request: CanvasRequest) -> list[Concept]:
    """Return the concepts that get a row.

    Raises:
        ConceptError: A concept is unknown.
        UsageError: There is none, or only one style or subject is known.
    """
    world = at.world
    names = (*world.styles, *world.subjects) if request.each else at.erased
    found = [world.known(name) for name in request.concepts or names]
    if not found:
        raise UsageError(
            f"nothing is erased at '{request.rev}', so there is no row",
            fix="name a revision with an erasure, or add --each: every concept is "
            "erased alone, one after another",
        )
    painted = {*world.styles, *world.subjects}
    few = min(len(world.styles), len(world.subjects)) < len(SLOTS)
    for concept in found:
        if few or concept.name not in painted:
            raise UsageError(
                f"there is nothing to compare '{concept.name}' with: styles "
                f"{len(world.styles)}, subjects {len(world.subjects)}",
                fix="name more concepts in the file of concepts: --concepts FILE",
            )
    return found


def _states(
    at: Session, request: CanvasRequest, wanted: list[Concept]
) -> Iterator[tuple[Concept, Weights, Progress]]:
    """Yield each concept with the weights that its row is about."""
    if not request.each:
        new = {**at.model.base, **at.weights(at.head)}
        yield from ((concept, new, request.watch) for concept in wanted)
        return
    for i, concept in enumerate(wanted, 1):
        part = f"{i} of {len(wanted)}, {concept.name}"
        watch = NestedProgress(request.watch, part)
        yield concept, erased_alone(at, concept, request.policy, watch), watch


def erased_alone(
    at: Session, concept: Concept, policy: Policy, watch: Progress
) -> Weights:
    """Return the weights of the session's state with one concept erased."""
    order = AddRequest((concept,), policy, watch=watch)
    plan = planned(at, order)
    eraser = plan.eraser
    change: Append | SetGroup
    delta: Delta | None
    if eraser.joint:
        group = joint_set.group_of(at, eraser).holding([concept])
        change, delta = joint_set.set_to(at, group, watch)
    else:
        delta = erased_by(at, eraser, plan.request)
        change = Append(object=delta.digest)
    builder = EntryBuilder(
        "erase",
        (concept,),
        EraserRecord(name=eraser.name, settings=recorded(eraser)),
        (change,),
        brought=() if delta is None else (delta,),
        policy=policy,
        seed=0,
        started=time.monotonic(),
    )
    return {**at.model.base, **builder.state(at)}
