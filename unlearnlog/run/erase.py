"""``add``: erase concepts, look at what that did, record it if the policy agrees."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from unlearnlog.cell import Cell
from unlearnlog.concept import Concept
from unlearnlog.delta import Delta, Weights, state_after, state_digest
from unlearnlog.entry import (
    Append,
    DeltaRecord,
    Entry,
    EraserRecord,
    Kind,
    StateRecord,
    VerdictRecord,
)
from unlearnlog.erasers import Request
from unlearnlog.errors import ConceptError, Refused, TrainingError
from unlearnlog.graph.book import PER_CELL, Book
from unlearnlog.ledger import Ledger
from unlearnlog.made_with import made_with
from unlearnlog.probes import PROBES
from unlearnlog.probes.panel import Asked, Panel, Questions
from unlearnlog.run.judging import panel_for
from unlearnlog.run.place import live_concepts
from unlearnlog.shelf import NoShelf
from unlearnlog.watch import Unwatched, Watch

if TYPE_CHECKING:
    from unlearnlog.erasers import Eraser
    from unlearnlog.policy import Policy, Verdict
    from unlearnlog.prompt import Target
    from unlearnlog.reading import Reading
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
        entry: The entry; recorded if its verdict passed.
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
    started = time.monotonic()
    plan = plan_of(at, order)
    delta = _erased(at, plan.eraser, plan.request)
    made = EraserRecord(name=plan.eraser.name, settings={**plan.eraser.settings})
    return _concluded(at, order, plan, Done("erase", delta, made, started))


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
    started = time.monotonic()
    return _concluded(
        at, order, plan_of(at, order), Done("import", delta, made, started)
    )


@dataclass(frozen=True)
class Done:
    """An erasure that nobody has looked at yet.

    Attributes:
        kind: What the entry will be called.
        delta: The change.
        made: What made it.
        started: When that began, on the monotonic clock, in s.
    """

    kind: Kind
    delta: Delta
    made: EraserRecord
    started: float


def _concluded(at: Place, order: Order, plan: Plan, done: Done) -> Outcome:
    """Look at an erasure, and record it if the policy agrees."""
    policy, panel, delta = plan.policy, plan.panel, done.delta
    state = state_after(at.model.base, [*at.deltas(), delta])
    new = {**at.model.base, **state}
    readings = _readings(panel, policy, plan.asked, new)
    readings = _closer(panel, (plan.asked, plan.book), policy, readings, new)
    verdict = policy.verdict(readings)
    accepted = order.accept_undecided and not verdict.failures
    entry = Entry(
        parent=at.head,
        kind=done.kind,
        concepts=order.concepts,
        eraser=done.made,
        seed=order.seed,
        policy=policy.name,
        changes=(Append(object=delta.digest),),
        delta=DeltaRecord(digest=delta.digest, n_bytes=delta.n_bytes),
        state=StateRecord(
            before=at.state_digest(), after=state_digest(state, at.manifest.root)
        ),
        readings=readings,
        verdict=VerdictRecord(
            passed=verdict.passed or accepted,
            failures=verdict.failures,
            undecided=verdict.undecided,
        ),
        seconds=round(time.monotonic() - done.started, 3),
        made_with=made_with(),
    )
    if entry.verdict.passed:
        ledger = at.ledger or Ledger.init(at.folder, at.manifest)
        ledger.append(entry, delta)
    return Outcome(entry, verdict, created=at.ledger is None, folder=at.folder)


@dataclass(frozen=True)
class Plan:
    """Everything that is known before anything is painted.

    Attributes:
        policy: What was asked for.
        eraser: How it is done.
        request: What the eraser is given.
        panel: Who looks at the result.
        asked: What is looked at.
        book: The prompts of everything.
    """

    policy: Policy
    eraser: Eraser
    request: Request
    panel: Panel
    asked: Asked
    book: Book


def plan_of(at: Place, order: Order) -> Plan:
    """Say what there is to do, and refuse what makes no sense.

    Raises:
        ConceptError: As `add` does.
    """
    gone = _gone(at, order.concepts)
    policy, concepts = order.policy, order.concepts
    book, eraser = at.book(concepts), policy.chosen_eraser()
    panel = panel_for(at, policy, book, order.watch)
    for concept in concepts:
        _require_presence(panel, policy, book, concept)
    return Plan(
        policy,
        eraser,
        _request(at, panel, book, order, gone),
        panel,
        _asked(book, policy, concepts, gone=gone, target=eraser.target),
        book,
    )


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
        Refused: Always.
    """
    verdict = outcome.verdict
    if verdict.failures:
        raise Refused(
            "the policy refused it: " + "; ".join(verdict.failures),
            fix="nothing was recorded; try another target or eraser, or another policy",
        )
    raise Refused(
        "the policy cannot decide it: " + "; ".join(verdict.undecided),
        fix="nothing was recorded; add --accept-undecided to record it all the same",
    )


def _gone(at: Place, concepts: Sequence[Concept]) -> list[Concept]:
    """Return the concepts that are erased already; refuse to erase one twice."""
    live = live_concepts(at.history())
    seen: set[str] = set()
    for concept in concepts:
        if concept.name in seen:
            raise ConceptError(
                f"'{concept.name}' is named twice", fix="name each concept once"
            )
        seen.add(concept.name)
        if concept.name in live:
            entry = live[concept.name][0][:12]
            raise ConceptError(
                f"'{concept.name}' is erased already, by entry {entry}",
                fix=f"look at it with: unlearnlog show {entry}",
            )
    return [concept for _, concept in live.values()]


def _require_presence(
    panel: Panel, policy: Policy, book: Book, concept: Concept
) -> None:
    """Refuse to erase what the base does not paint."""
    if panel.judge is None:
        return
    answers = panel.base_answers(book.erased(concept, policy.probes.erased))
    shown = sum(answer.of(concept.kind) == concept.name for answer in answers)
    if shown < policy.require.base_presence * len(answers):
        percent = 100 * shown / len(answers)
        raise ConceptError(
            f"the base paints '{concept.name}' in {percent:.0f} % of {len(answers)} "
            "pictures: nothing to erase",
            fix="unlearnlog concepts lists what this model is asked about",
        )


def _request(
    at: Place, panel: Panel, book: Book, order: Order, gone: Sequence[Concept]
) -> Request:
    names = {concept.name for concept in order.concepts}
    all_gone = names | {concept.name for concept in gone}
    return Request(
        model=at.model,
        old=at.weights(at.head),
        forget=tuple(book.forget(concept, all_gone) for concept in order.concepts),
        keep=book.keep(names),
        families=tuple(
            pairs
            for concept in order.concepts
            if (pairs := book.kin(concept, all_gone))
        ),
        sampling=panel.sampling,
        seed=order.seed,
        watch=order.watch,
        shelf=at.ledger.shelf if at.ledger else NoShelf(),
    )


def _asked(
    book: Book,
    policy: Policy,
    concepts: Sequence[Concept],
    *,
    gone: Sequence[Concept],
    target: Target,
) -> Asked:
    """Return what is looked at, in the sizes that the policy asks for."""
    sizes = policy.probes
    names = {c.name for c in (*concepts, *gone)}
    nats = -(-sizes.information // len(concepts))

    def clear(cells: Sequence[Cell], own: Concept) -> tuple[Cell, ...]:
        others = names - {own.name}
        return tuple(c for c in cells if not {c.subject, c.style} & others)

    about = []
    for concept in concepts:
        erased = clear(book.erased(concept, sizes.erased), concept)
        about.append(
            Questions(
                concept,
                erased=erased,
                information=book.information(erased[:nats], concept),
                target=clear(book.target(concept, target, sizes.erased), concept),
                instead=target,
                renamed=clear(book.renamed(concept, sizes.renamed), concept),
                family=clear(book.family(concept, sizes.family), concept),
                near=book.world.near(concept.name) - names,
                alike=book.alike(concept, names, sizes.alike) if sizes.alike else (),
            )
        )
    return Asked(
        tuple(about),
        kept=book.kept(names, sizes.kept),
        earlier={e.name: clear(book.erased(e, sizes.earlier), e) for e in gone},
    )


def _readings(
    panel: Panel, policy: Policy, asked: Asked, new: Weights
) -> tuple[Reading, ...]:
    seen: list[Reading] = []
    if panel.judge is not None:
        evidence = panel.looked(asked, new)
        seen += [reading for probe in PROBES for reading in probe.readings(evidence)]
        seen += panel.distance(asked, new, policy.probes.distance)
    return (*seen, *panel.information(asked, new))


def _closer(
    panel: Panel,
    looked: tuple[Asked, Book],
    policy: Policy,
    readings: tuple[Reading, ...],
    new: Weights,
) -> tuple[Reading, ...]:
    """Look again, at more pictures, where too few of them speak against it."""
    screens = {(r.probe, r.concept) for r in policy.verdict(readings).screens}
    if not screens or panel.judge is None:
        return readings
    asked, book = looked
    names = {concept for probe, concept in screens if probe == "presence"}
    gone = {*asked.earlier, *(q.concept.name for q in asked.about)}
    kept = book.kept(gone, PER_CELL)
    world = book.world
    more = Asked(
        tuple(
            replace(
                q,
                erased=_only(book.erased(q.concept), q.erased),
                renamed=_only(book.renamed(q.concept), q.renamed),
                family=_only(book.family(q.concept), q.family),
                alike=_only(book.alike(q.concept, gone), q.alike),
            )
            for q in asked.about
            if any(concept == q.concept.name for _, concept in screens)
        ),
        kept=tuple(cell for cell in kept if {cell.subject, cell.style} & names),
        earlier={
            name: _only(book.erased(world.concepts[name]), cells)
            for name, cells in asked.earlier.items()
            if name in names
        },
    )
    evidence = panel.looked(more, new)
    better = {
        (r.probe, r.concept): r
        for probe in PROBES
        for r in probe.readings(evidence)
        if (r.probe, r.concept) in screens
    }
    return tuple(better.get((r.probe, r.concept), r) for r in readings)


def _only(cells: Sequence[Cell], like: Sequence[Cell]) -> tuple[Cell, ...]:
    """Return those cells that show what some cell in ``like`` shows."""
    shown = {(cell.subject, cell.style) for cell in like}
    return tuple(cell for cell in cells if (cell.subject, cell.style) in shown)
