"""``add``: erase concepts, measure the result, record it if the policy allows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from unlearnlog.commands import joint_set
from unlearnlog.commands.checks import check_concepts
from unlearnlog.commands.entry_builder import EntryBuilder
from unlearnlog.commands.evaluation import Evaluation, evaluation_of
from unlearnlog.commands.many_concepts import require_shown
from unlearnlog.commands.more_samples import bounded
from unlearnlog.commands.retry import until_recorded
from unlearnlog.core.active import live_concepts
from unlearnlog.core.concept import Concept
from unlearnlog.core.delta import Delta
from unlearnlog.core.entry import Append, Entry, SetGroup
from unlearnlog.core.eraser_record import EraserRecord
from unlearnlog.core.limits import MANY, first_of
from unlearnlog.core.memory import is_out_of_memory
from unlearnlog.core.progress import NoProgress, Progress
from unlearnlog.core.verdict_record import VerdictRecord
from unlearnlog.erasers.eraser_table import Request, recorded
from unlearnlog.errors import ConceptError, Refused, TrainingError

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session
    from unlearnlog.core.digest import Digest
    from unlearnlog.core.limits import Verdict
    from unlearnlog.core.note import Note
    from unlearnlog.core.probe_case import Answer
    from unlearnlog.core.ranks import Ranks
    from unlearnlog.erasers.eraser_table import Eraser
    from unlearnlog.models.diffusers_model import DiffusersModel
    from unlearnlog.policy import Policy


@dataclass(frozen=True)
class AddRequest:
    """Arguments of ``add``.

    Attributes:
        concepts: Concepts to erase together.
        policy: Eraser, sample sizes and limits.
        seed: Seed of the random numbers.
        accept_undecided: Whether to record although a limit is undecided.
        watch: Receives the progress of the work.
        note: Reason, reference and author for the entry; None for none.
    """

    concepts: tuple[Concept, ...]
    policy: Policy
    seed: int = 0
    accept_undecided: bool = False
    watch: Progress = field(default_factory=NoProgress)
    note: Note | None = None


@dataclass(frozen=True)
class Outcome:
    """Result of ``add``.

    Attributes:
        entry: The entry; recorded if its verdict lets it stand.
        verdict: The policy's verdict.
        created: Whether the ledger was created for it.
        folder: The ledger's folder.
        shown: The concepts of a refused sample that its pictures still show.
    """

    entry: Entry
    verdict: Verdict
    created: bool
    folder: Path
    shown: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Outcome {self.entry!r}, in {self.folder}>"


def add(at: Session, request: AddRequest) -> Outcome:
    """Erase concepts at the head; record the entry if the policy's limits hold.

    Where other commands record meanwhile, the trained change is measured again on the
    new head.

    Raises:
        ConceptError: A concept is erased already, named twice, or not shown in pictures
            of the base.
        TrainingError: The eraser did not converge.
        Moved: Other commands recorded first on every attempt.
    """
    return until_recorded(at, request.watch, PendingAdd(request).on)


@dataclass
class PendingAdd:
    """Work of one ``add`` that is kept when the head moves.

    Attributes:
        order: Arguments of the command.
        started: Start time on the monotonic clock, in s.
        trained: A delta, and the digest of the state it was trained on.
        solved: Deltas of joint groups, by the digest of their members.
    """

    order: AddRequest
    started: float = field(default_factory=time.monotonic)
    trained: tuple[Delta, Digest] | None = None
    solved: dict[Digest, Delta] = field(default_factory=dict)

    def on(self, at: Session) -> Outcome:
        """Erase at a head, with the work of earlier attempts.

        A change that was trained on another state is added to this one all the same,
        because changes add up. The policy's verdict on the sum decides; if it refuses,
        training is repeated on this state.
        """
        plan = plan_of(at, self.order)
        if plan.eraser.joint:
            return self._concluded(at, plan, *self._solved(at, plan.eraser))
        now = at.state_digest()
        outcome = self._with_trained(at, plan)
        if not outcome.entry.verdict.may_stand and self._trained(at, plan)[1] != now:
            self.order.watch.stage("refused on the new head: training again", 1)
            self.order.watch.advance(1, {})
            self.trained = None
            outcome = self._with_trained(at, plan)
        return outcome

    def _with_trained(self, at: Session, plan: ErasurePlan) -> Outcome:
        delta, then = self._trained(at, plan)
        return self._concluded(at, plan, Append(object=delta.digest), delta, then)

    def _trained(self, at: Session, plan: ErasurePlan) -> tuple[Delta, Digest]:
        if self.trained is None:
            found = erased_by(at, plan.eraser, plan.request), at.state_digest()
            self.trained = found
        return self.trained

    def _solved(self, at: Session, eraser: Eraser) -> tuple[SetGroup, Delta | None]:
        """Solve the group with its present members and the new ones, unless cached."""
        group = joint_set.group_of(at, eraser)
        group = joint_set.live_groups(at.history()).get(group.name, group)
        wanted = group.holding([*group.members.values(), *self.order.concepts])
        change, delta = joint_set.set_to(at, wanted, self.order.watch, self.solved)
        if delta is not None:
            self.solved[wanted.key] = delta
        return change, delta

    def _concluded(
        self,
        at: Session,
        plan: ErasurePlan,
        change: Append | SetGroup,
        delta: Delta | None,
        trained_on: Digest | None = None,
    ) -> Outcome:
        request, eraser = self.order, plan.eraser
        builder = EntryBuilder(
            "erase",
            request.concepts,
            EraserRecord(name=eraser.name, settings=recorded(eraser)),
            (change,),
            brought=() if delta is None else (delta,),
            policy=request.policy,
            seed=request.seed,
            started=self.started,
            note=request.note,
            trained_on=trained_on,
        )
        return _concluded(at, request, plan.look, builder)


def add_delta(
    at: Session, request: AddRequest, delta: Delta, made: EraserRecord
) -> Outcome:
    """Record a delta made elsewhere as an erasure, with the same readings.

    Args:
        at: The session to record in.
        request: The concepts it erases; the policy's eraser is not used.
        delta: The change, to be added to the head's state.
        made: Provenance of the delta, as far as it is known.

    Raises:
        ConceptError: As in `add`.
    """
    builder = EntryBuilder(
        "import",
        request.concepts,
        made,
        (Append(object=delta.digest),),
        brought=(delta,),
        policy=request.policy,
        seed=request.seed,
        note=request.note,
    )
    return until_recorded(
        at,
        request.watch,
        lambda here: _concluded(here, request, plan_of(here, request).look, builder),
    )


def _concluded(
    at: Session, request: AddRequest, evaluation: Evaluation, builder: EntryBuilder
) -> Outcome:
    """Measure an erasure, and record it if the policy's limits hold."""
    state = builder.state(at)
    readings = evaluation.readings({**at.model.base, **state})
    verdict = evaluation.verdict(readings)
    verdict_record = VerdictRecord.of(
        verdict.failures, verdict.undecided, accepts_doubt=request.accept_undecided
    )
    entry = builder.concluded(at, state, readings, verdict_record)
    if verdict_record.may_stand:
        at.record(entry, *builder.brought)
    done = Outcome(entry, verdict, created=at.ledger is None, folder=at.folder)
    if verdict_record.may_stand:
        return done
    return replace(done, shown=evaluation.still_shown({**at.model.base, **state}))


@dataclass(frozen=True)
class ErasurePlan:
    """An erasure before anything is painted.

    Attributes:
        eraser: The eraser.
        look: Prompts and probes that measure the result.
        asked: Returns the eraser's input; for a joint eraser the whole set.
    """

    eraser: Eraser
    look: Evaluation
    asked: Callable[[], Request]

    @cached_property
    def request(self) -> Request:
        """The eraser's input."""
        return self.asked()


def plan_of(at: Session, request: AddRequest) -> ErasurePlan:
    """Return the plan of an erasure; refuse concepts that the base does not show.

    Raises:
        ConceptError: As in `add`.
    """
    plan = planned(at, request)
    if len(request.concepts) > MANY:
        require_shown(plan.look)
        return plan
    for concept in request.concepts:
        _require_presence(plan.look, concept)
    return plan


def planned(at: Session, request: AddRequest) -> ErasurePlan:
    """Return the plan of an erasure, before any picture of the base is judged.

    Raises:
        ConceptError: A concept is erased already, or named twice.
    """
    gone = _gone(at, request.concepts)
    policy, concepts = request.policy, request.concepts
    eraser = policy.chosen_eraser({concept.slot for concept in concepts}).on(at.model)
    evaluation = evaluation_of(
        at, policy, concepts, gone=gone, target=eraser.target, watch=request.watch
    )
    return ErasurePlan(
        eraser, evaluation, lambda: _request(at, evaluation, request, gone)
    )


def erased_by(at: Session, eraser: Eraser, eraser_input: Request) -> Delta:
    """Run the eraser; where memory runs out, use less and start again.

    Raises:
        TrainingError: Memory use cannot be reduced further.
    """
    while True:
        try:
            return eraser.erase(eraser_input)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if not at.ranks.together(_saving_memory, at.model):
                raise TrainingError(
                    f"not enough memory on {at.model.device} to train "
                    f"with {eraser.name}",
                    fix="lower the eraser's batch in the policy or raise its "
                    "micro_batches, or compute with --dtype bfloat16",
                ) from error


def _saving_memory(model: DiffusersModel, _: Ranks) -> bool:
    """Compute with less memory from now on, in every process; return whether it can."""
    return model.save_memory()


def raise_refused(outcome: Outcome) -> None:
    """Raise the refusal that a failed verdict stands for.

    Raises:
        Refused: Always; its ``entry`` is the one that was not recorded.
    """
    verdict = outcome.verdict
    what = "refused" if verdict.failures else "cannot decide"
    fix = "try another --target or --eraser (unlearnlog erasers), or another --policy"
    if not verdict.failures:
        fix = "add --accept-undecided to record it all the same"
    error = Refused(
        f"the policy {what} it: {first_of(verdict.failures or verdict.undecided)}",
        fix=f"nothing was recorded; {fix}",
    )
    error.entry = outcome.entry
    error.names = outcome.shown
    raise error


def _gone(at: Session, concepts: Sequence[Concept]) -> list[Concept]:
    """Return the concepts erased already; refuse to erase one twice."""
    history = at.history()
    check_concepts(concepts, [entry for _, entry in history])
    return [concept for _, concept in live_concepts(history).values()]


def _require_presence(evaluation: Evaluation, concept: Concept) -> None:
    """Refuse a concept that pictures of the base do not show."""
    policy = evaluation.policy
    if evaluation.panel.judge is None:
        return
    answers = base_shows(evaluation, concept)
    shown = sum(answer.of(concept.kind) == concept.name for answer in answers)
    if shown < policy.require.base_presence * len(answers):
        percent = 100 * shown / len(answers)
        raise ConceptError(
            f"the base paints '{concept.name}' in {percent:.0f} % of {len(answers)} "
            "pictures: nothing to erase",
            fix="see what it paints: unlearnlog paint; or lower base_presence, now "
            f"{policy.require.base_presence:g}, in the policy's [require]",
        )


def base_shows(evaluation: Evaluation, concept: Concept) -> Sequence[Answer]:
    """Return the judge's answers to a concept's prompts on the base."""
    sizes = evaluation.policy.probes
    cells = bounded(evaluation.book.erased(concept, sizes.erased), sizes.most)
    return evaluation.panel.base_answers(cells)


def _request(
    at: Session, evaluation: Evaluation, request: AddRequest, gone: Sequence[Concept]
) -> Request:
    book = evaluation.book
    names = {concept.name for concept in request.concepts}
    all_gone = names | {concept.name for concept in gone}
    slots = {concept.slot for concept in request.concepts}
    target = request.policy.chosen_eraser(slots).target
    head, projections = at.weights(at.head), at.model.places
    return Request(
        model=at.model,
        old={name: head[name] for name in projections},
        fixed={n: w.float() for n, w in head.items() if n not in projections},
        forget=tuple(book.forget(concept, all_gone) for concept in request.concepts),
        keep=book.keep(names, target),
        stay=book.keep(all_gone, target),
        families=book.families(request.concepts, all_gone, target),
        sampling=evaluation.panel.sampling,
        seed=request.seed,
        watch=request.watch,
        shelf=at.shelf,
        names=tuple(concept.name for concept in request.concepts),
        bank=book.keep(()),
        others=joint_set.others_than(book, names),
        ranks=at.ranks,
    )
