"""Fine-tuning a revision here, and looking along the way at what was erased in it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

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
    EncodedDataset,
    FinetuneSettings,
    Start,
    fine_tuned,
)
from unlearnlog.audits.image_folder import read_folder
from unlearnlog.audits.probe_set import ProbeSet, followed
from unlearnlog.audits.return_coefficient import share_of_the_way
from unlearnlog.audits.return_forecast import ReturnForecast, forecasts
from unlearnlog.audits.verdict import VerdictRules
from unlearnlog.commands.control_model import load_twin
from unlearnlog.commands.judge_choice import check_alone, check_kept, runner_for
from unlearnlog.commands.kept_samples import LedgerSampleCache
from unlearnlog.core.delta import state_digest
from unlearnlog.core.progress import NoProgress
from unlearnlog.errors import Refused, UsageError
from unlearnlog.probes.statistics import share

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from unlearnlog.audits.finetune_training import TrainingStage
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

N_FORECAST: Final = 32
"""Pictures of each concept, painted by the base, that its gradient is taken on."""


@dataclass(frozen=True)
class FinetuneRequest:
    """What somebody wants to know.

    Attributes:
        policy: Sample sizes, sampling settings and judge.
        data: A folder of pictures with captions, or on the bundled model
            ``unrelated``, ``sibling``, ``parent`` or ``target:N``.
        rev: Which revision is fine-tuned.
        concepts: Erased concepts that a word of ``data`` is about; none for all.
        method: What learns.
        steps: How many steps.
        seeds: One fine-tune for each.
        batch: Pictures a step.
        rate: Step size of AdamW; 0 for the method's own.
        rank: Of a LoRA.
        looks: Steps after which somebody looks, as far as it goes.
        twin: A pipeline that never learned the concepts; None for none.
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
        """Return how one of the fine-tunes is run.

        Raises:
            UsageError: A number is of no use.
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


def finetuned(at: Session, wish: FinetuneRequest) -> Finetuned:
    """Fine-tune a revision once for each seed, and return what came back.

    Nothing is recorded, and no picture is painted twice: what was seen and the weights
    at each look are kept with the ledger, so an audit that was stopped goes on.

    Raises:
        NoLedger: There is no ledger.
        RevisionError: The revision names nothing or more than one entry.
        UsageError: Nothing is erased there, nobody judges, or the data is of no use.
        ModelError: The twin cannot be loaded, or has other shapes.
        TrainingError: A fine-tune did not converge.
    """
    trainings = [wish.training(seed) for seed in wish.seeds]
    at = at.at_rev(wish.rev)
    trial = _trial(at, wish, [*at.erased.values()])
    lessons = [trial.lesson(training.seed) for training in trainings]
    bank, panel = trial.bank, trial.panel
    return Finetuned(
        rev=str(at.head or "base"),
        data=wish.data,
        base={
            concept.name: share(sum(shown), len(shown))
            for concept in bank.concepts
            for shown in [bank.shown(panel, concept, None, bank.n_of(concept))]
        },
        mistaken=bank.mistaken(panel),
        rules=rules_of(wish.policy),
        courses=tuple(map(trial.course, lessons, trainings)),
    )


def raise_if_failed(found: Finetuned, *, accept_undecided: bool = False) -> None:
    """Raise what the verdicts mean, if they mean no.

    Raises:
        Refused: Something came back, or nobody can say.
    """
    back = [name for name, word in found.verdicts.items() if word == "resurged"]
    doubts = found.doubts
    if back:
        raise Refused(
            f"{', '.join(back)} came back while the model was fine-tuned on "
            f"{found.data}",
            fix="erase again after such a fine-tune, and audit what you give away",
        )
    if doubts and not accept_undecided:
        why = "; ".join(f"{name}: {said}" for name, said in doubts.items())
        raise Refused(
            f"whether it came back is undecided: {why}",
            fix="look at more pictures (a policy's probes.erased), or add "
            "--accept-undecided",
        )


def rules_of(policy: Policy) -> VerdictRules:
    """Return what decides, as a policy has it."""
    audit = policy.audit
    return VerdictRules(audit.margin, audit.false_alarms, policy.require.base_presence)


def _trial(at: Session, wish: FinetuneRequest, gone: Sequence[Concept]) -> _Trial:
    """Find out what is looked at, and who looks."""
    if not gone:
        raise UsageError(
            f"nothing is erased at '{wish.rev}', so nothing can come back",
            fix='erase something first: unlearnlog add "Picasso"',
        )
    book = at.book(gone)
    panel = runner_for(at, wish.policy, book, wish.watch)
    if panel.judge is None:
        raise UsageError(
            "nobody judges the pictures, so nobody sees what comes back",
            fix="choose a judge: --judge auto",
        )
    sizes, names = wish.policy.probes, {concept.name for concept in gone}
    kept = book.kept(names, sizes.kept, sizes.kept_share)
    check_kept(kept)
    check_alone(book, gone, names)
    named = [at.world.known(name).name for name in wish.concepts]
    return _Trial(
        at=at,
        wish=wish,
        targets=_targets(gone, named),
        book=book,
        panel=panel,
        judge=panel.judge,
        bank=ProbeSet.of(
            book,
            gone,
            sizes=(sizes.erased, sizes.earlier, wish.policy.audit.closer),
            kept=kept,
        ),
        state={**at.model.base, **at.weights(at.head)},
        twin=None if wish.twin is None else load_twin(at.model, wish.twin),
    )


def _targets(gone: Sequence[Concept], named: Sequence[str]) -> tuple[Concept, ...]:
    """Return which erased concepts the data is about."""
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
    """Everything that stays the same from one fine-tune to the next."""

    at: Session
    wish: FinetuneRequest
    targets: tuple[Concept, ...]
    book: PromptBook
    panel: ProbeRunner
    judge: Judge
    bank: ProbeSet
    state: Weights
    twin: DiffusersModel | None

    def course(
        self, lesson: FinetuneDataset, training: FinetuneSettings
    ) -> FinetuneRun:
        """Forecast, learn and look; then the twin in the same way."""
        at, state = self.at, self.state
        start = Start(at.model, state, f"{at.state_digest()} {at.model.computes}")
        said = self.forecasts(start, lesson, training)
        stages = self.stages(start, lesson, training)
        rules = rules_of(self.wish.policy)
        seen = followed(stages, self.bank, self.panel, state, rules=rules)
        return FinetuneRun(
            training=training,
            lesson=lesson.digest,
            n_pictures=len(lesson),
            n_cut=lesson.n_cut,
            curves=seen.curves,
            kept=seen.kept,
            losses=seen.losses,
            forecasts=said,
            rho=share_of_the_way(seen.weights, state, at.model.base),
            twin=() if self.twin is None else self.of(self.twin, lesson, training),
        )

    def lesson(self, seed: int) -> FinetuneDataset:
        """Return what is learned: a folder, or what a word says on atelier.

        Raises:
            UsageError: The folder or the word is of no use.
        """
        data, model = self.wish.data, self.at.model
        if data.partition(":")[0] not in WORDS:
            return read_folder(Path(data), model)
        if not self.at.is_of_atelier:
            raise UsageError(
                f"'{data}' can be drawn for the bundled world only",
                fix="give a folder of pictures with captions; for a fine-tune of the "
                f"bundled model, add --concepts {CONCEPTS}",
            )
        names = frozenset(self.bank.between)
        cells = lesson_cells(data, SketchPlan(self.book, self.targets, names, seed))
        return FinetuneDataset(
            data, pictures_of(cells), tuple(cell.prompt for cell in cells)
        )

    def stages(
        self, start: Start, lesson: FinetuneDataset, training: FinetuneSettings
    ) -> Iterator[TrainingStage]:
        """Fine-tune, going on from what is on the ledger's shelf."""
        shelf, watch = self.at.shelf, self.wish.watch
        return fine_tuned(start, lesson, training=training, shelf=shelf, watch=watch)

    def forecasts(
        self, start: Start, lesson: FinetuneDataset, training: FinetuneSettings
    ) -> tuple[ReturnForecast, ...]:
        """Say beforehand what will come back."""
        model, targets = self.at.model, {}
        for name, cells in self.bank.erased.items():
            some = cells[:N_FORECAST]
            latents = self.panel.latents(some, None, "painting for the forecast")
            targets[name] = EncodedDataset.of(model, latents, [c.prompt for c in some])
        learned = EncodedDataset.of(
            model, model.latents_of(lesson.pictures), lesson.captions
        )
        return forecasts(start, learned, targets, training=training)

    def of(
        self, twin: DiffusersModel, lesson: FinetuneDataset, training: FinetuneSettings
    ) -> tuple[Curve, ...]:
        """Fine-tune a twin on the same pictures and look for the targets in it."""
        there = replace(self.at, model=twin, manifest=twin.manifest)
        album = LedgerSampleCache(there, self.judge.identity, BaseAnswers())
        panel = replace(self.panel, model=twin, album=album)
        state = state_digest({}, twin.manifest.root)
        start = Start(twin, {}, f"{state} {twin.computes}")
        stages = self.stages(start, lesson, training)
        return followed(stages, self.bank.only(self.targets), panel, None).curves
