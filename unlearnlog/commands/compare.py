"""``compare``: two models without a ledger, on the same prompts and latents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearnlog.checkpoints.finetune_base import FinetuneBase
from unlearnlog.checkpoints.finetuned_model import derived
from unlearnlog.commands.evaluation import evaluation_of, nodes_of, state_readings
from unlearnlog.commands.judge_choice import runner_for
from unlearnlog.commands.prompted import readings_of_rows
from unlearnlog.core.progress import NoProgress
from unlearnlog.probes.runner import ProbePlan
from unlearnlog.probes.tiers import agreement

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session
    from unlearnlog.concepts.prompt_file import PromptFile
    from unlearnlog.core.concept import Concept
    from unlearnlog.core.delta import Weights
    from unlearnlog.core.progress import Progress
    from unlearnlog.core.reading import Reading
    from unlearnlog.policy import Policy

_NODES = 2
"""Cells of each concept whose shift is read, where the policy sets none."""


@dataclass(frozen=True)
class CompareRequest:
    """Arguments of ``compare``.

    Attributes:
        other: The model that is compared with the session's.
        policy: Sample sizes, sampling settings and judge.
        concepts: The concepts that it is supposed to have forgotten; none for none.
        file: Prompts to paint as well; None for none.
        watch: Receives the progress of the work.
    """

    other: Path
    policy: Policy
    concepts: tuple[Concept, ...] = ()
    file: PromptFile | None = None
    watch: Progress = field(default_factory=NoProgress)


@dataclass(frozen=True)
class Compared:
    """Two models side by side.

    Attributes:
        one: Where the first one is.
        other: Where the second one is.
        moved: By how much each component differs, as a share of its weights' norm.
        readings: Readings of the second, with the first as their base.
    """

    one: str
    other: str
    moved: Mapping[str, float]
    readings: tuple[Reading, ...]

    def row(self) -> dict[str, Any]:
        """Return the fields as values for JSON."""
        return {
            "one": self.one,
            "other": self.other,
            "moved": dict(self.moved),
            "readings": [reading.row() for reading in self.readings],
        }


def compare(at: Session, request: CompareRequest) -> Compared:
    """Measure a model beside the session's base; nothing is recorded.

    Raises:
        ModelError: The other model cannot be read, or has other shapes.
        WrongBase: It is another model, not one that was changed from the first.
    """
    made = derived(request.other, FinetuneBase(at.model, at.model.base))
    new = {**at.model.base, **made.weights}
    if request.concepts:
        found = _of_concepts(at, request, new)
    else:
        found = _of_all(at, request, new)
    if request.file is not None:
        book = at.book(request.concepts)
        runner = runner_for(at, request.policy, book, request.watch)
        gone = {concept.name for concept in request.concepts}
        found = (
            *found,
            *readings_of_rows(request.file, book.world, runner, gone=gone, new=new),
        )
    return Compared(at.manifest.source, str(request.other), made.moved, found)


def _of_concepts(
    at: Session, request: CompareRequest, new: Weights
) -> tuple[Reading, ...]:
    """Return the whole panel of ``add``, for the concepts that were named."""
    policy = request.policy
    evaluation = evaluation_of(
        *(at, policy, request.concepts),
        gone=(),
        target=policy.chosen_eraser({each.slot for each in request.concepts}).target,
        watch=request.watch,
    )
    return evaluation.readings(new)


def _of_all(at: Session, request: CompareRequest, new: Weights) -> tuple[Reading, ...]:
    """Return what became of every concept, where none was named."""
    policy, book = request.policy, at.book()
    runner = runner_for(at, policy, book, request.watch)
    nodes = nodes_of(book, policy.probes.nodes or _NODES, ())
    plan = ProbePlan((), nodes=nodes)
    found = [*runner.moved(plan, new)]
    found += state_readings(at, (), new, policy, request.watch)
    return (*found, *agreement(found, ()))
