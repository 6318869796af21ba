"""``probe --prompts``: what a revision paints for the prompts of a file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from unlearnlog.commands.judge_choice import runner_for, what_judges
from unlearnlog.commands.many_concepts import measured_book
from unlearnlog.core.probe_case import ProbeCase
from unlearnlog.core.progress import NoProgress
from unlearnlog.errors import ConceptError, UsageError
from unlearnlog.judges.judge import labels_of
from unlearnlog.probes.prompt_readings import prompted_readings

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session
    from unlearnlog.concepts.concept_set import ConceptSet
    from unlearnlog.concepts.prompt_file import PromptFile, PromptLine
    from unlearnlog.core.concept import Slot
    from unlearnlog.core.delta import Weights
    from unlearnlog.core.progress import Progress
    from unlearnlog.core.reading import Reading
    from unlearnlog.judges.judge import Judge
    from unlearnlog.policy import Policy
    from unlearnlog.probes.evidence import CaseResult
    from unlearnlog.probes.runner import ProbeRunner

Known = Mapping[str, tuple[str, "Slot"]]
"""Names that a judge can answer, in lower case: each as the judge spells it, with its
place."""

NOWHERE = "(not known)"
"""The place of what a row shows where no judge knows it."""


@dataclass(frozen=True)
class PromptsRequest:
    """Arguments of ``probe --prompts``.

    Attributes:
        policy: Sampling settings and judge.
        file: The prompts.
        rev: The revision.
        concepts: Concepts to count beside those that the file names; none for those
            that are erased, where it names none.
        fresh: Whether to compute all again instead of reading caches.
        watch: Receives the progress of the work.
    """

    policy: Policy
    file: PromptFile
    rev: str = "HEAD"
    concepts: tuple[str, ...] = ()
    fresh: bool = False
    watch: Progress = field(default_factory=NoProgress)


@dataclass(frozen=True)
class Prompted:
    """The pictures of a file's prompts.

    Attributes:
        file: The file.
        seen: The judge's answers to each row's picture, in the file's order.
        readings: The readings.
        shortened: Number of prompts that were longer than the model reads.
        unknown: What rows say that they show, and the judge does not know.
    """

    file: PromptFile
    seen: tuple[CaseResult, ...]
    readings: tuple[Reading, ...]
    shortened: int = 0
    unknown: tuple[str, ...] = ()

    def row(self) -> dict[str, Any]:
        """Return the fields as values for JSON."""
        return {
            "file": self.file.source,
            "prompts": len(self.file.rows),
            "used": dict(self.file.used),
            "unused": [*self.file.unused],
            "empty": self.file.empty,
            "shortened": self.shortened,
            "unknown": [*self.unknown],
            "readings": [reading.row() for reading in self.readings],
        }

    def table(self) -> list[dict[str, str | int | float | None]]:
        """Return a row for each prompt, with the judge's answers."""
        return [
            {
                "line": row.line,
                "case": row.case,
                "prompt": row.prompt,
                "seed": row.seed,
                "guidance": row.guidance,
                "concept": row.concept,
                "group": row.group,
                "base_subject": each.base.subject,
                "base_style": each.base.style,
                "subject": each.now.subject,
                "style": each.now.style,
                **_fits(each),
            }
            for row, each in zip(self.file.rows, self.seen, strict=True)
        ]


def _fits(each: CaseResult) -> dict[str, float]:
    """Return the columns of CLIP scores; none where the judge gives none."""
    return dict(zip(("base_clip_score", "clip_score"), each.fits or (), strict=False))


def prompted(at: Session, request: PromptsRequest) -> Prompted:
    """Paint and judge the prompts of a file at a revision; nothing is recorded.

    Raises:
        NoLedger: There is no ledger.
        RevisionError: The revision names nothing or more than one entry.
        ConceptError: A concept is known neither to the file of concepts nor to the
            judge.
        UsageError: There is no judge.
    """
    at = replace(at.at_rev(request.rev), fresh=request.fresh)
    live = [*at.erased.values()]
    book = measured_book(at, (), live)
    runner = runner_for(at, request.policy, book, request.watch)
    if runner.judge is None:
        raise UsageError(
            "there is no judge of what the pictures show",
            fix=what_judges(at, "leave --judge none out"),
        )
    known = known_names(book.world, runner.judge)
    cases = CasesOfFile.of(request.file, known, runner)
    counted = {**cases.counted, **named_concepts(request.concepts, known)}
    if not counted:
        counted = {c.name: c.slot for c in live if c.name in known}
    seen = cases.judged(runner, {**at.model.base, **at.weights(at.head)})
    found = prompted_readings(seen, counted, {concept.name for concept in live})
    return Prompted(request.file, seen, found, cases.shortened, cases.unknown)


@dataclass(frozen=True)
class CasesOfFile:
    """The cells of a file's prompts.

    Attributes:
        cells: The cell of each row, with its guidance.
        counted: The concepts that rows say they show, with their places.
        unknown: What rows say that they show, and the judge does not know.
        shortened: Number of prompts that were longer than the model reads.
    """

    cells: tuple[tuple[ProbeCase, float | None], ...]
    counted: Mapping[str, Slot]
    unknown: tuple[str, ...]
    shortened: int

    @classmethod
    def of(
        cls,
        file: PromptFile,
        known: Known,
        runner: ProbeRunner,
    ) -> CasesOfFile:
        """Return the cells of a file, for a model that reads so many words.

        Args:
            file: The file.
            known: The names that are known, from `known_names`.
            runner: Paints them.
        """
        cells, shortened = [], 0
        for row in file.rows:
            text = runner.model.shortened(row.prompt)
            shortened += text != row.prompt
            cells.append((case_of(row, text, known), row.guidance))
        said = dict.fromkeys(row.concept for row in file.rows if row.concept)
        found = [known.get(name.casefold()) for name in said]
        return cls(
            tuple(cells),
            dict(each for each in found if each),
            tuple(name for name in said if name.casefold() not in known),
            shortened,
        )

    def judged(self, runner: ProbeRunner, new: Weights) -> tuple[CaseResult, ...]:
        """Return the judge's answers, in the file's order."""
        parts: dict[float | None, list[ProbeCase]] = {}
        for cell, guidance in self.cells:
            parts.setdefault(guidance, []).append(cell)
        found = iter(runner.prompted(parts, new))
        seen = {
            guidance: iter([next(found) for _ in part])
            for guidance, part in parts.items()
        }
        return tuple(next(seen[guidance]) for _, guidance in self.cells)


def known_names(world: ConceptSet, judge: Judge) -> dict[str, tuple[str, Slot]]:
    """Return the names that a judge can answer, in lower case, with place and spelling.

    Underscores count as spaces, too: ``Van_Gogh``.
    """
    own = labels_of(judge)
    named = {name: (name, slot) for name, slot in own.items()}
    if not own:
        for concept in world.concepts.values():
            for name in (concept.name, *concept.aliases):
                named.setdefault(name, (concept.name, concept.slot))
    spelt = {name.casefold(): found for name, found in named.items()}
    return {name.replace(" ", "_"): found for name, found in spelt.items()} | spelt


def case_of(row: PromptLine, text: str, known: Known) -> ProbeCase:
    """Return the cell of a row; what it does not say to show stays unknown."""
    name, slot = known.get(row.concept.casefold(), ("", None))
    return ProbeCase(
        text,
        row.seed,
        name if slot == "subject" else NOWHERE,
        name if slot == "style" else NOWHERE,
    )


def named_concepts(names: Collection[str], known: Known) -> dict[str, Slot]:
    """Return concepts by their names.

    Raises:
        ConceptError: The judge does not know one of them.
    """
    for name in names:
        if name.casefold() not in known:
            some = sorted({spelt for spelt, _ in known.values()}, key=str.casefold)
            raise ConceptError(
                f"the judge does not know '{name}'",
                fix=f"name one of: {', '.join(some)}",
            )
    return dict(known[name.casefold()] for name in names)


def readings_of_file(
    policy: Policy,
    world: ConceptSet,
    runner: ProbeRunner,
    *,
    gone: Collection[str],
    new: Weights,
) -> tuple[Reading, ...]:
    """Return the readings of the file that a policy names; none without one.

    Args:
        policy: The policy.
        world: The concepts that the judge chooses from.
        runner: Paints and judges.
        gone: Names of the erased concepts.
        new: The weights.
    """
    file = policy.prompt_file()
    if file is None:
        return ()
    return readings_of_rows(file, world, runner, gone=gone, new=new)


def readings_of_rows(
    file: PromptFile,
    world: ConceptSet,
    runner: ProbeRunner,
    *,
    gone: Collection[str],
    new: Weights,
) -> tuple[Reading, ...]:
    """Return the readings of a file's prompts; none without a judge.

    Concepts that rows name are counted; without any, those that are gone.
    """
    if runner.judge is None:
        return ()
    known = known_names(world, runner.judge)
    cases = CasesOfFile.of(file, known, runner)
    counted = cases.counted or dict(
        known[name.casefold()] for name in sorted(gone) if name.casefold() in known
    )
    return prompted_readings(cases.judged(runner, new), counted, gone)
