"""``add``: erase concepts, look at what that did, record it if the policy agrees."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from unlearnlog.commands import joint_set
from unlearnlog.commands.checks import check_concepts
from unlearnlog.commands.entry_builder import EntryBuilder
from unlearnlog.commands.evaluation import Evaluation, evaluation_of
from unlearnlog.commands.retry import until_recorded
from unlearnlog.core.active import live_concepts
from unlearnlog.core.concept import Concept
from unlearnlog.core.delta import Delta
from unlearnlog.core.entry import Append, Entry, EraserRecord, SetGroup, VerdictRecord
from unlearnlog.core.progress import NoProgress, Progress
from unlearnlog.erasers.eraser_table import Request, recorded
from unlearnlog.errors import ConceptError, Refused, TrainingError

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session
    from unlearnlog.core.digest import Digest
    from unlearnlog.core.limits import Verdict
    from unlearnlog.core.note import Note
    from unlearnlog.core.probe_case import Answer
    from unlearnlog.erasers.eraser_table import Eraser
    from unlearnlog.policy import Policy


@dataclass(frozen=True)
class AddRequest:
    """What somebody asked for.

    Attributes:
        concepts: What to forget, in one go.
        policy: How, and what must hold.
        seed: Where random numbers start.
        accept_undecided: Record it although a limit could not be decided.
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
    """What ``add`` did.

    Attributes:
        entry: The entry; recorded if its verdict lets it stand.
        verdict: What the policy said.
        created: Whether a ledger was created for it.
        folder: Where the ledger is.
    """

    entry: Entry
    verdict: Verdict
    created: bool
    folder: Path

    def __repr__(self) -> str:
        return f"<Outcome {self.entry!r}, in {self.folder}>"


def add(at: Session, order: AddRequest) -> Outcome:
    """Erase concepts on top of the ledger; record it if the policy agrees.

    Where others record something meanwhile, what was trained is measured on top of it.

    Raises:
        ConceptError: A concept is erased already, named twice, or not painted by the
            base to begin with.
        TrainingError: The eraser did not converge.
        Moved: Others record something each time before it can be.
    """
    return until_recorded(at, order.watch, PendingAdd(order).on)


@dataclass
class PendingAdd:
    """What one ``add`` has computed, which outlives the head that it was begun on.

    Attributes:
        order: What was asked for.
        started: When, on the monotonic clock, in s.
        trained: A delta, and the digest of the state that it was trained on.
        solved: Deltas of joint groups, by the digest of their members.
    """

    order: AddRequest
    started: float = field(default_factory=time.monotonic)
    trained: tuple[Delta, Digest] | None = None
    solved: dict[Digest, Delta] = field(default_factory=dict)

    def on(self, at: Session) -> Outcome:
        """Erase on top of a head, with what there is of earlier tries.

        A change that was trained on another state is added to this one all the same:
        changes add up. What the policy says of the sum decides; if it refuses what was
        trained on another state, the training is done anew on this one.
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
            found = _erased(at, plan.eraser, plan.request), at.state_digest()
            self.trained = found
        return self.trained

    def _solved(self, at: Session, eraser: Eraser) -> tuple[SetGroup, Delta | None]:
        """Solve the group with its members as they are now, if it was not before."""
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
        order, eraser = self.order, plan.eraser
        draft = EntryBuilder(
            "erase",
            order.concepts,
            EraserRecord(name=eraser.name, settings=recorded(eraser)),
            (change,),
            brought=() if delta is None else (delta,),
            policy=order.policy,
            seed=order.seed,
            started=self.started,
            note=order.note,
            trained_on=trained_on,
        )
        return _concluded(at, order, plan.look, draft)


def add_delta(
    at: Session, order: AddRequest, delta: Delta, made: EraserRecord
) -> Outcome:
    """Take a delta that was made elsewhere for an erasure, and measure it as one.

    Args:
        at: Where to record it.
        order: What it is said to erase; the policy's eraser is not asked.
        delta: The change, to be added to what there is.
        made: What made it, as far as anybody knows.

    Raises:
        ConceptError: As `add` does.
    """
    draft = EntryBuilder(
        "import",
        order.concepts,
        made,
        (Append(object=delta.digest),),
        brought=(delta,),
        policy=order.policy,
        seed=order.seed,
        note=order.note,
    )
    return until_recorded(
        at,
        order.watch,
        lambda here: _concluded(here, order, plan_of(here, order).look, draft),
    )


def _concluded(
    at: Session, order: AddRequest, look: Evaluation, draft: EntryBuilder
) -> Outcome:
    """Look at an erasure, and record it if the policy agrees."""
    state = draft.state(at)
    readings = look.readings({**at.model.base, **state})
    verdict = order.policy.verdict(readings)
    said = VerdictRecord.of(
        verdict.failures, verdict.undecided, accepts_doubt=order.accept_undecided
    )
    entry = draft.concluded(at, state, readings, said)
    if said.may_stand:
        at.record(entry, *draft.brought)
    return Outcome(entry, verdict, created=at.ledger is None, folder=at.folder)


@dataclass(frozen=True)
class ErasurePlan:
    """Everything that is known before anything is painted.

    Attributes:
        eraser: How it is done.
        look: What is painted and judged afterwards.
        asked: Returns what the eraser is given; a joint one is given the whole set.
    """

    eraser: Eraser
    look: Evaluation
    asked: Callable[[], Request]

    @cached_property
    def request(self) -> Request:
        """What the eraser is given."""
        return self.asked()


def plan_of(at: Session, order: AddRequest) -> ErasurePlan:
    """Say what there is to do, and refuse what makes no sense.

    Raises:
        ConceptError: As `add` does.
    """
    plan = planned(at, order)
    for concept in order.concepts:
        _require_presence(plan.look, concept)
    return plan


def planned(at: Session, order: AddRequest) -> ErasurePlan:
    """Say what there is to do, before any picture of the base is looked at.

    Raises:
        ConceptError: A concept is erased already, or named twice.
    """
    gone = _gone(at, order.concepts)
    policy, concepts = order.policy, order.concepts
    eraser = policy.chosen_eraser({concept.slot for concept in concepts})
    look = evaluation_of(
        at, policy, concepts, gone=gone, target=eraser.target, watch=order.watch
    )
    return ErasurePlan(eraser, look, lambda: _request(at, look, order, gone))


def _erased(at: Session, eraser: Eraser, request: Request) -> Delta:
    """Erase; where memory runs short, save some and begin again.

    Raises:
        TrainingError: There is no memory left to save.
    """
    while True:
        try:
            return eraser.erase(request)
        except (torch.OutOfMemoryError, MemoryError) as error:
            if not at.model.save_memory():
                raise TrainingError(
                    f"not enough memory on {at.model.device} to train "
                    f"with {eraser.name}",
                    fix="lower the eraser's batch in the policy, or compute with "
                    "--dtype bfloat16",
                ) from error


def raise_refused(outcome: Outcome) -> None:
    """Raise what a verdict means that did not pass.

    Raises:
        Refused: Always; it holds what would have been recorded.
    """
    verdict = outcome.verdict
    what = "refused" if verdict.failures else "cannot decide"
    fix = "try another target or eraser, or another policy"
    if not verdict.failures:
        fix = "add --accept-undecided to record it all the same"
    error = Refused(
        f"the policy {what} it: {'; '.join(verdict.failures or verdict.undecided)}",
        fix=f"nothing was recorded; {fix}",
    )
    error.entry = outcome.entry
    raise error


def _gone(at: Session, concepts: Sequence[Concept]) -> list[Concept]:
    """Return the concepts that are erased already; refuse to erase one twice."""
    history = at.history()
    check_concepts(concepts, [entry for _, entry in history])
    return [concept for _, concept in live_concepts(history).values()]


def _require_presence(look: Evaluation, concept: Concept) -> None:
    """Refuse to erase what the base does not paint."""
    policy = look.policy
    if look.panel.judge is None:
        return
    answers = base_shows(look, concept)
    shown = sum(answer.of(concept.kind) == concept.name for answer in answers)
    if shown < policy.require.base_presence * len(answers):
        percent = 100 * shown / len(answers)
        raise ConceptError(
            f"the base paints '{concept.name}' in {percent:.0f} % of {len(answers)} "
            "pictures: nothing to erase",
            fix="see what it paints: unlearnlog paint; or lower base_presence, now "
            f"{policy.require.base_presence:g}, in the policy's [require]",
        )


def base_shows(look: Evaluation, concept: Concept) -> Sequence[Answer]:
    """Return what the base shows where it is asked for a concept."""
    cells = look.book.erased(concept, look.policy.probes.erased)
    return look.panel.base_answers(cells)


def _request(
    at: Session, look: Evaluation, order: AddRequest, gone: Sequence[Concept]
) -> Request:
    book = look.book
    names = {concept.name for concept in order.concepts}
    all_gone = names | {concept.name for concept in gone}
    slots = {concept.slot for concept in order.concepts}
    target = order.policy.chosen_eraser(slots).target
    return Request(
        model=at.model,
        old=at.weights(at.head),
        forget=tuple(book.forget(concept, all_gone) for concept in order.concepts),
        keep=book.keep(names, target),
        stay=book.keep(all_gone, target),
        families=book.families(order.concepts, all_gone, target),
        sampling=look.panel.sampling,
        seed=order.seed,
        watch=order.watch,
        shelf=at.shelf,
        names=tuple(concept.name for concept in order.concepts),
        bank=book.keep(()),
        others=joint_set.others_than(book, names),
    )
