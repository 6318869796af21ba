"""Fine-tunes of a revision, with the presence of its erased concepts along the way."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from unlearnlog.atelier.bundled_concepts import CONCEPTS
from unlearnlog.atelier.bundled_model import BaseAnswers
from unlearnlog.atelier.finetune_sets import (
    WORDS,
    SketchPlan,
    lesson_cells,
    pictures_of,
)
from unlearnlog.audits.dataset import FinetuneDataset
from unlearnlog.audits.finetune_course import Finetuned, FinetuneRun
from unlearnlog.audits.finetune_training import (
    LOOKS,
    FinetuneSettings,
    Start,
    fine_tuned,
)
from unlearnlog.audits.finetune_unit import FinetuneUnit
from unlearnlog.audits.image_folder import read_folder
from unlearnlog.audits.probe_set import ProbeSet, followed
from unlearnlog.audits.verdict import VerdictRules
from unlearnlog.commands.control_model import load_twin
from unlearnlog.commands.judge_choice import (
    check_alone,
    check_kept,
    runner_for,
    what_judges,
)
from unlearnlog.commands.kept_samples import LedgerSampleCache
from unlearnlog.core.delta import state_digest
from unlearnlog.core.progress import NoProgress
from unlearnlog.errors import Refused, UsageError
from unlearnlog.probes.statistics import share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unlearnlog.audits.survival import Curve
    from unlearnlog.commands.session import Session
    from unlearnlog.concepts.prompts import PromptBook
    from unlearnlog.core.concept import Concept
    from unlearnlog.core.delta import Weights
    from unlearnlog.core.progress import Progress
    from unlearnlog.judges.judge import Judge
    from unlearnlog.models.diffusers_model import DiffusersModel
    from unlearnlog.models.interface import Method
    from unlearnlog.policy import Policy
    from unlearnlog.probes.runner import ProbeRunner


@dataclass(frozen=True)
class FinetuneRequest:
    """Arguments of a fine-tune.

    Attributes:
        policy: Sample sizes, sampling settings and judge.
        data: A folder of pictures with captions, or on the bundled model ``unrelated``,
            ``sibling``, ``parent`` or ``target:N``.
        rev: The revision to fine-tune.
        concepts: Erased concepts that a word of ``data`` refers to; none for all.
        method: The parameters that are trained.
        steps: Optimizer steps.
        seeds: Seeds, one fine-tune each.
        batch: Pictures per step.
        rate: Learning rate of AdamW; 0 for the method's default.
        rank: Rank of the LoRA.
        looks: Steps after which the concepts are measured, up to ``steps``.
        twin: A pipeline never trained on the concepts; None for none.
        watch: Receives the progress of the work.
    """

    policy: Policy
    data: str
    rev: str = "HEAD"
    concepts: tuple[str, ...] = ()
    method: Method = "full"
    steps: int = 500
    seeds: tuple[int, ...] = (0,)
    batch: int = 8
    rate: float = 0.0
    rank: int = 8
    looks: tuple[int, ...] = LOOKS
    twin: Path | None = None
    watch: Progress = field(default_factory=NoProgress)

    def training(self, seed: int) -> FinetuneSettings:
        """Return the settings of one fine-tune.

        Raises:
            UsageError: A number is out of range.
        """
        return FinetuneSettings(
            method=self.method,
            steps=self.steps,
            seed=seed,
            batch=self.batch,
            rate=self.rate,
            rank=self.rank,
            looking=self.looks,
        )


def finetuned(at: Session, request: FinetuneRequest) -> Finetuned:
    """Fine-tune a revision once per seed, and measure what came back.

    Nothing is recorded. Answers of the judge and the weights at each measured step are
    cached in the ledger, so an interrupted audit continues.

    Raises:
        NoLedger: There is no ledger.
        RevisionError: The revision names nothing or more than one entry.
        UsageError: Nothing is erased there, no judge is configured, or the data is
            invalid.
        ModelError: The twin cannot be loaded, or has other shapes.
        TrainingError: A fine-tune did not converge.
    """
    trainings = [request.training(seed) for seed in request.seeds]
    at = at.at_rev(request.rev)
    trial = _trial(at, request, [*at.erased.values()])
    datasets = [trial.lesson(training.seed) for training in trainings]
    bank, runner = trial.bank, trial.runner
    return Finetuned(
        rev=str(at.head or "base"),
        data=request.data,
        base={
            concept.name: share(sum(shown), len(shown))
            for concept in bank.concepts
            for shown in [bank.shown(runner, concept, None, bank.n_of(concept))]
        },
        mistaken=bank.mistaken(runner),
        rules=rules_of(request.policy),
        courses=trial.courses(datasets, trainings),
    )


def raise_if_failed(found: Finetuned, *, accept_undecided: bool = False) -> None:
    """Raise the refusal that failed verdicts stand for.

    Raises:
        Refused: A concept came back, or is undecided.
    """
    back = [name for name, word in found.verdicts.items() if word == "resurged"]
    doubts = found.doubts
    if back:
        raise Refused(
            f"{', '.join(back)} came back while the model was fine-tuned on "
            f"{found.data}",
            fix="erase again after such a fine-tune, and audit models before release",
        )
    if doubts and not accept_undecided:
        why = "; ".join(f"{name}: {reason}" for name, reason in doubts.items())
        raise Refused(
            f"whether it came back is undecided: {why}",
            fix="raise probes.erased in the policy for more pictures, or add "
            "--accept-undecided",
        )


def rules_of(policy: Policy) -> VerdictRules:
    """Return a policy's rules for verdicts."""
    audit = policy.audit
    return VerdictRules(audit.margin, audit.false_alarms, policy.require.base_presence)


def _trial(at: Session, request: FinetuneRequest, gone: Sequence[Concept]) -> _Trial:
    """Return the shared context of the fine-tunes, after checking it."""
    if not gone:
        raise UsageError(
            f"nothing is erased at '{request.rev}', so nothing can come back",
            fix='erase something first: unlearnlog add "Picasso"',
        )
    book = at.book(gone)
    runner = runner_for(at, request.policy, book, request.watch)
    if runner.judge is None:
        raise UsageError(
            "no judge configured: cannot measure what comes back",
            fix=what_judges(at, "choose a judge: --judge auto"),
        )
    sizes, names = request.policy.probes, {concept.name for concept in gone}
    kept = book.kept(names, sizes.kept, sizes.kept_share)
    check_kept(kept)
    check_alone(book, gone, names)
    named = [at.world.known(name).name for name in request.concepts]
    return _Trial(
        at=at,
        request=request,
        targets=_targets(gone, named),
        book=book,
        runner=runner,
        judge=runner.judge,
        bank=ProbeSet.of(
            book,
            gone,
            sizes=(sizes.erased, sizes.earlier, request.policy.audit.closer),
            kept=kept,
        ),
        state={**at.model.base, **at.weights(at.head)},
        twin=None if request.twin is None else load_twin(at.model, request.twin),
    )


def _targets(gone: Sequence[Concept], named: Sequence[str]) -> tuple[Concept, ...]:
    """Return the erased concepts that the data is about."""
    erased = {concept.name: concept for concept in gone}
    strange = [name for name in named if name not in erased]
    if strange:
        raise UsageError(
            f"'{strange[0]}' is not erased there, so it cannot come back",
            fix=f"erased: {', '.join(erased)}",
        )
    return tuple(erased[name] for name in dict.fromkeys(named)) or tuple(gone)


@dataclass(frozen=True)
class _Trial:
    """The shared context of all fine-tunes."""

    at: Session
    request: FinetuneRequest
    targets: tuple[Concept, ...]
    book: PromptBook
    runner: ProbeRunner
    judge: Judge
    bank: ProbeSet
    state: Weights
    twin: DiffusersModel | None

    def courses(
        self, lessons: Sequence[FinetuneDataset], trainings: Sequence[FinetuneSettings]
    ) -> tuple[FinetuneRun, ...]:
        """Fine-tune and measure: several at once by workers, else one by one.

        What is done here continues from cached stages; a twin is always trained here.
        """
        units = [*map(self.unit, lessons, trainings)]
        if self.runner.crew.several and self.twin is None and len(units) > 1:
            self.request.watch.stage("fine-tuning on the workers", len(units))
            return tuple(self.runner.results(units, self.request.watch))
        shelf, watch = self.at.shelf, self.request.watch
        return tuple(
            replace(unit.measured(self.runner, shelf, watch), twin=self.of_twin(unit))
            for unit in units
        )

    def unit(self, lesson: FinetuneDataset, training: FinetuneSettings) -> FinetuneUnit:
        """Return one fine-tune of the revision."""
        return FinetuneUnit(
            lesson,
            training,
            self.bank,
            rules_of(self.request.policy),
            self.runner.sampling,
            began=f"{self.at.state_digest()} {self.at.model.computes}",
            weights=self.state,
        )

    def lesson(self, seed: int) -> FinetuneDataset:
        """Return the training data: a folder, or pictures rendered for a word.

        Raises:
            UsageError: The folder or the word is invalid.
        """
        data, model = self.request.data, self.at.model
        if data.partition(":")[0] not in WORDS:
            return read_folder(Path(data), model)
        if not self.at.is_of_atelier:
            raise UsageError(
                f"'{data}' can be rendered for the bundled model's concepts only",
                fix="give a folder of pictures with captions; for a fine-tune of the "
                f"bundled model, add --concepts {CONCEPTS}",
            )
        names = frozenset(self.bank.between)
        cells = lesson_cells(data, SketchPlan(self.book, self.targets, names, seed))
        return FinetuneDataset(
            data, pictures_of(cells), tuple(cell.prompt for cell in cells)
        )

    def of_twin(self, unit: FinetuneUnit) -> tuple[Curve, ...]:
        """Fine-tune the twin on the same pictures, and measure the targets in it."""
        twin, at = self.twin, self.at
        if twin is None:
            return ()
        there = replace(at, model=twin, manifest=twin.manifest)
        album = LedgerSampleCache(there, self.judge.identity, BaseAnswers())
        runner = replace(self.runner, model=twin, album=album)
        state = state_digest({}, twin.manifest.root)
        stages = fine_tuned(
            Start(twin, {}, f"{state} {twin.computes}"),
            unit.lesson,
            training=unit.training,
            shelf=at.shelf,
            watch=self.request.watch,
        )
        return followed(stages, self.bank.only(self.targets), runner, None).curves
