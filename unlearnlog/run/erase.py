"""``add``: erase concepts, look at what that did, record it if the policy agrees."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from unlearnlog.concept import Concept
from unlearnlog.delta import Delta
from unlearnlog.entry import Append, Entry, EraserRecord, SetGroup, VerdictRecord
from unlearnlog.erasers import Request
from unlearnlog.errors import ConceptError, Refused, TrainingError
from unlearnlog.live import live_concepts
from unlearnlog.run import joint
from unlearnlog.run.measure import Look, look_at
from unlearnlog.run.record import Draft
from unlearnlog.watch import Unwatched, Watch

if TYPE_CHECKING:
    from unlearnlog.cell import Answer
    from unlearnlog.erasers import Eraser
    from unlearnlog.policy import Policy, Verdict
    from unlearnlog.run.place import Place


@dataclass(frozen=True)
class Order:
    """What somebody asked for.

    Attributes:
        concepts: What to forget, in one go.
        policy: How, and what must hold.
        seed: Where random numbers start.
        accept_undecided: Record it although a limit could not be decided.
        watch: Who wants to see it advance.
    """

    concepts: tuple[Concept, ...]
    policy: Policy
    seed: int = 0
    accept_undecided: bool = False
    watch: Watch = field(default_factory=Unwatched)


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


def add(at: Place, order: Order) -> Outcome:
    """Erase concepts on top of the ledger; record it if the policy agrees.

    Raises:
        ConceptError: A concept is erased already, named twice, or not painted by the
            base to begin with.
        TrainingError: The eraser did not converge.
    """
    started, at = time.monotonic(), at.pinned()
    plan = plan_of(at, order)
    eraser = plan.eraser
    change: Append | SetGroup
    delta: Delta | None
    if eraser.joint:
        group = joint.group_of(at, eraser)
        group = joint.live_groups(at.history()).get(group.name, group)
        wanted = group.holding([*group.members.values(), *order.concepts])
        change, delta = joint.set_to(at, wanted, order.watch)
    else:
        delta = _erased(at, eraser, plan.request)
        change = Append(object=delta.digest)
    draft = Draft(
        "erase",
        order.concepts,
        EraserRecord(name=eraser.name, settings={**eraser.settings}),
        (change,),
        brought=() if delta is None else (delta,),
        policy=order.policy,
        seed=order.seed,
        started=started,
    )
    return _concluded(at, order, plan.look, draft)


def adopted(at: Place, order: Order, delta: Delta, made: EraserRecord) -> Outcome:
    """Take a delta that was made elsewhere for an erasure, and measure it as one.

    Args:
        at: Where to record it.
        order: What it is said to erase; the policy's eraser is not asked.
        delta: The change, to be added to what there is.
        made: What made it, as far as anybody knows.

    Raises:
        ConceptError: As `add` does.
    """
    at = at.pinned()
    draft = Draft(
        "import",
        order.concepts,
        made,
        (Append(object=delta.digest),),
        brought=(delta,),
        policy=order.policy,
        seed=order.seed,
    )
    return _concluded(at, order, plan_of(at, order).look, draft)


def _concluded(at: Place, order: Order, look: Look, draft: Draft) -> Outcome:
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
class Plan:
    """Everything that is known before anything is painted.

    Attributes:
        eraser: How it is done.
        request: What the eraser is given.
        look: Who looks at the result, and at what.
    """

    eraser: Eraser
    request: Request
    look: Look


def plan_of(at: Place, order: Order) -> Plan:
    """Say what there is to do, and refuse what makes no sense.

    Raises:
        ConceptError: As `add` does.
    """
    plan = planned(at, order)
    for concept in order.concepts:
        _require_presence(plan.look, concept)
    return plan


def planned(at: Place, order: Order) -> Plan:
    """Say what there is to do, before any picture of the base is looked at.

    Raises:
        ConceptError: A concept is erased already, or named twice.
    """
    gone = _gone(at, order.concepts)
    policy, concepts = order.policy, order.concepts
    eraser = policy.chosen_eraser()
    look = look_at(
        at, policy, concepts, gone=gone, target=eraser.target, watch=order.watch
    )
    return Plan(eraser, _request(at, look, order, gone), look)


def _erased(at: Place, eraser: Eraser, request: Request) -> Delta:
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


def refuse(outcome: Outcome) -> None:
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


def _gone(at: Place, concepts: Sequence[Concept]) -> list[Concept]:
    """Return the concepts that are erased already; refuse to erase one twice."""
    live = live_concepts(at.history())
    seen: set[str] = set()
    erased = {concept.id: entry for entry, concept in live.values()}
    for concept in concepts:
        if concept.id in seen:
            raise ConceptError(
                f"'{concept.name}' is named twice", fix="name each concept once"
            )
        seen.add(concept.id)
        if concept.id in erased:
            entry = erased[concept.id][:12]
            raise ConceptError(
                f"'{concept.name}' is erased already, by entry {entry}",
                fix=f"look at it with: unlearnlog show {entry}",
            )
    return [concept for _, concept in live.values()]


def _require_presence(look: Look, concept: Concept) -> None:
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
            fix="unlearnlog concepts lists what this model is asked about",
        )


def base_shows(look: Look, concept: Concept) -> Sequence[Answer]:
    """Return what the base shows where it is asked for a concept."""
    cells = look.book.erased(concept, look.policy.probes.erased)
    return look.panel.base_answers(cells)


def _request(at: Place, look: Look, order: Order, gone: Sequence[Concept]) -> Request:
    book = look.book
    names = {concept.name for concept in order.concepts}
    all_gone = names | {concept.name for concept in gone}
    target = order.policy.chosen_eraser().target
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
    )
