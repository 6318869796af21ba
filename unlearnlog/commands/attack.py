"""``attack``: attacks on erased concepts, each beside its null controls."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearnlog.atelier.styles import STYLES
from unlearnlog.atelier.subjects import SUBJECTS
from unlearnlog.audits.attacks.attack_evaluation import (
    AttackResult,
    AttackTarget,
    NullControls,
    SamplerAndJudge,
    UnattackedResult,
    contested,
)
from unlearnlog.audits.attacks.attack_search import (
    AttackBudget,
    AttackSearch,
    budget_called,
)
from unlearnlog.audits.attacks.attack_table import ATTACKS, attack_called
from unlearnlog.audits.attacks.attack_targets import (
    painted_sketches,
    rendered_sketches,
    sketch_cells,
)
from unlearnlog.audits.attacks.attack_unit import AttackUnit
from unlearnlog.commands.control_model import load_twin
from unlearnlog.commands.entry_builder import EntryBuilder
from unlearnlog.commands.judge_choice import check_alone, runner_for, what_judges
from unlearnlog.commands.retry import until_recorded
from unlearnlog.concepts.templates import PLAIN
from unlearnlog.core.attack_record import AttackRecord
from unlearnlog.core.entry import Entry
from unlearnlog.core.eraser_record import EraserRecord
from unlearnlog.core.limits import Verdict
from unlearnlog.core.progress import NoProgress, Progress
from unlearnlog.core.verdict_record import VerdictRecord
from unlearnlog.errors import ConceptError, Refused, UsageError
from unlearnlog.ledger.store import attack_digest

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session
    from unlearnlog.concepts.prompts import PromptBook
    from unlearnlog.core.concept import Concept
    from unlearnlog.core.delta import Weights
    from unlearnlog.core.digest import Digest
    from unlearnlog.core.entry import EntryId
    from unlearnlog.core.note import Note
    from unlearnlog.core.probe_case import ProbeCase
    from unlearnlog.models.diffusers_model import DiffusersModel
    from unlearnlog.policy import Policy
    from unlearnlog.probes.runner import ProbeRunner


@dataclass(frozen=True)
class AttackRequest:
    """Arguments of ``attack``.

    Attributes:
        policy: Sample sizes, sampling settings, judge and limits.
        rev: The revision to attack.
        concepts: Names of erased concepts; none for all of them.
        attacks: Names of attacks; none for all of them.
        budget: Name of the search budget of each attack.
        twin: Folder of a model of the same recipe that was never trained on the
            concepts.
        record: Whether to keep the attacks in the ledger.
        watch: Receives the progress of the work.
        note: Reason, reference and author for the entry; None for none.
    """

    policy: Policy
    rev: str = "HEAD"
    concepts: tuple[str, ...] = ()
    attacks: tuple[str, ...] = ()
    budget: str = "small"
    twin: Path | None = None
    record: bool = False
    watch: Progress = field(default_factory=NoProgress)
    note: Note | None = None


@dataclass(frozen=True)
class Attacked:
    """Result of ``attack``.

    Attributes:
        head: The attacked entry; None for the base.
        state: Digest of the attacked state.
        budget: Name of the budget.
        allowed: The budget itself.
        twin: The twin's folder; empty without one.
        results: One result for each concept and attack.
        verdict: Verdict of the policy's limits on attacks.
        recorded: The recorded entry; None where recording was not requested.
    """

    head: EntryId | None
    state: Digest
    budget: str
    allowed: AttackBudget
    twin: str
    results: tuple[AttackResult, ...]
    verdict: Verdict
    recorded: Entry | None = None

    def __repr__(self) -> str:
        summary = ", ".join(
            f"{r.concept} {r.verdict} by {r.attack}" for r in self.results
        )
        return f"<Attacked {(self.head or 'base')[:12]}: {summary}>"

    def row(self) -> dict[str, Any]:
        """Return the fields as ``attack --json`` prints them."""
        return {
            "revision": self.head,
            "state": self.state,
            "budget": {"name": self.budget, **self.allowed.settings},
            "twin": self.twin or "none",
            "attacks": [result.row() for result in self.results],
            "failures": list(self.verdict.failures),
            "undecided": list(self.verdict.undecided),
            "recorded": self.recorded.id if self.recorded else None,
        }


def attacked(at: Session, request: AttackRequest) -> Attacked:
    """Run attacks on erased concepts, each beside its null controls.

    Raises:
        NoLedger: There is no ledger.
        RevisionError: The revision names nothing or more than one entry.
        ConceptError: A concept is not erased there, or nothing is.
        UsageError: The attack or the budget is unknown, or no judge is configured.
        ModelError: The twin cannot be loaded, or has other shapes.
    """
    began, allowed = time.monotonic(), budget_called(request.budget)
    attacks = [attack_called(name).name for name in request.attacks] or [*ATTACKS]
    top = at.pinned()
    at = top.at_rev(request.rev)
    live = at.erased
    weights = {**at.model.base, **at.weights(at.head)}
    session = AttackSession.set(at, request, live, weights, allowed)
    chosen, results = _chosen(at, request, live), []
    for i, concept in enumerate(chosen):
        before, of = i * len(attacks), len(chosen) * len(attacks)
        results += session.results(concept, attacks, before=before, of=of)
    readings = [result.reading() for result in results]
    limits = [
        each for each in request.policy.limits if each.reading.startswith("attack")
    ]
    found = Attacked(
        at.head,
        at.state_digest(),
        request.budget,
        allowed,
        str(request.twin or ""),
        tuple(results),
        sum((limit.verdict(readings) for limit in limits), Verdict()),
    )
    return replace(found, recorded=_recorded(top, request, found, began, live))


def refuse(done: Attacked) -> None:
    """Raise where an attack succeeded, or a limit on attacks does not hold.

    Raises:
        Refused: An attack brought a concept back, or a limit failed or is undecided.
    """
    back = [
        f"{each.attack} brought {each.concept} back, in {each.success.value:.0%} of "
        f"{each.success.n} pictures"
        for each in done.results
        if each.verdict == "reached"
    ]
    failures = done.verdict.failures or done.verdict.undecided
    failures = failures and (f"the policy does not accept it: {'; '.join(failures)}",)
    if back or failures:
        raise Refused(
            "; ".join((*back, *failures)),
            fix="erase it with another eraser, or change the limit in the policy"
            if failures
            else "erase it with another eraser; --record keeps what was found, and "
            "later erasures are tried with it",
        )


@dataclass(frozen=True)
class AttackSession:
    """The shared context of all attacks on one state.

    Attributes:
        at: The session, with its ledger and model.
        book: The prompts of every concept.
        panel: Paints, judges and caches the probes' pictures.
        easel: Paints and judges pictures of an attack.
        weights: Every text projection of the state.
        gone: Names of the erased concepts.
        budget: The search budget of an attack.
        twin: A model that was never trained on the attacked concepts; None without one.
    """

    at: Session
    book: PromptBook
    panel: ProbeRunner
    easel: SamplerAndJudge
    weights: Weights
    gone: frozenset[str]
    budget: AttackBudget
    twin: DiffusersModel | None

    @classmethod
    def set(
        cls,
        at: Session,
        request: AttackRequest,
        live: Mapping[str, Concept],
        weights: Weights,
        budget: AttackBudget,
    ) -> AttackSession:
        """Return a session with judge, sampler and twin loaded.

        Raises:
            UsageError: No judge is configured.
            ModelError: The twin cannot be loaded, or has other shapes.
        """
        policy, book = request.policy, at.book([*live.values()])
        runner = runner_for(at, policy, book, request.watch)
        if runner.judge is None:
            raise UsageError(
                "no judge configured: cannot measure whether an attack succeeds",
                fix=what_judges(
                    at, "leave --judge out, or give the folder of a CLIP model"
                ),
            )
        sampler = SamplerAndJudge(
            runner.judge,
            runner.sampling,
            policy.probes.erased,
            policy.require.base_presence,
        )
        twin = None if request.twin is None else load_twin(at.model, request.twin)
        gone = frozenset(live)
        return cls(at, book, runner, sampler, weights, gone, budget, twin)

    def results(
        self, concept: Concept, attacks: Sequence[str], *, before: int = 0, of: int = 0
    ) -> list[AttackResult]:
        """Run each attack on one concept.

        Args:
            concept: The concept to bring back.
            attacks: Names of the attacks.
            before: Number of attacks before these, for the progress display.
            of: Number of all attacks; 0 for no more than these.
        """
        ground = self.ground(concept)
        others = NullControls(self.held_out(concept), self.on_twin(ground))
        plain, found = self.before(ground), []
        if self.panel.crew.several and others.twin is None:
            sent = ground, others.held_out, self.easel, plain
            units = [AttackUnit.of(each, *sent) for each in attacks]
            watch = self.panel.watch
            watch.stage(f"attacks after {concept.name} on the workers", len(units))
            return self.panel.results(units, watch)
        for i, attack in enumerate(attacks, before + 1):
            part = f"{i} of {of or len(attacks)}, {attack} after {concept.name}"
            there = ground.told(part), others.told(part)
            found.append(contested(attack, *there, self.easel, plain))
        return found

    def before(self, ground: AttackTarget) -> UnattackedResult:
        """Return whether pictures show it without an attack, at state and base."""
        concept, answers = ground.search.concept, self.panel.base_answers(ground.cells)
        return UnattackedResult(
            self.easel.shown(ground.search, None, ground.cells),
            tuple(each.of(concept.slot) == concept.name for each in answers),
        )

    def ground(self, concept: Concept) -> AttackTarget:
        """Return the target of an attack on a concept."""
        model, watch = self.at.model, self.panel.watch
        cells = sketch_cells(self.book, concept, self.budget.pictures, self.gone)
        if self.at.is_of_atelier and _is_rendered(cells):
            sketches = rendered_sketches(model, cells)
        else:
            sketches = painted_sketches(model, cells, self.panel.sampling, watch)
        search = AttackSearch(
            model, self.weights, concept, sketches, self.budget, watch=watch
        )
        return AttackTarget(
            search, self.book.alone(concept, self.easel.per_cell, self.gone)
        )

    def held_out(self, concept: Concept) -> AttackTarget | None:
        """Return the null control on a concept never trained on, or None."""
        world = self.book.world
        kind = concept.kind == "style"
        for name in world.held_out if self.at.is_of_atelier else ():
            other = world.concepts[name]
            if (other.kind == "style") == kind and name not in self.gone:
                return self.ground(other)
        return None

    def on_twin(self, ground: AttackTarget) -> AttackTarget | None:
        """Return the null control on a model never trained on the concept, or None."""
        if self.twin is None:
            return None
        search = replace(ground.search, model=self.twin, weights=self.twin.base)
        return replace(ground, search=search)


def _is_rendered(cells: tuple[ProbeCase, ...]) -> bool:
    """Return whether the bundled renderer can draw all cells."""
    return all(
        cell.style in {*STYLES, PLAIN} and cell.subject in SUBJECTS for cell in cells
    )


def _chosen(
    at: Session, request: AttackRequest, live: Mapping[str, Concept]
) -> list[Concept]:
    """Return the attacked concepts.

    Raises:
        ConceptError: One of them is not erased there, or nothing is.
        UsageError: Every picture of one shows another erased concept.
    """
    chosen = [at.world.known(name) for name in request.concepts] or [*live.values()]
    if not chosen:
        raise ConceptError(
            f"nothing is erased at {request.rev}, so there is nothing to bring back",
            fix='erase something first: unlearnlog add "Picasso"',
        )
    for concept in chosen:
        if concept.name not in live:
            known = ", ".join(live) or "nothing"
            raise ConceptError(
                f"'{concept.name}' is not erased at {request.rev}",
                fix=f"erased there: {known}",
            )
    check_alone(at.book([*live.values()]), chosen, live)
    return chosen


def _recorded(
    at: Session,
    request: AttackRequest,
    found: Attacked,
    began: float,
    live: Mapping[str, Concept],
) -> Entry | None:
    """Record the attacks on top of the branch; None where that was not requested."""
    if not request.record:
        return None
    names = dict.fromkeys(result.concept for result in found.results)
    builder = EntryBuilder(
        "audit",
        tuple(live[name] for name in names),
        EraserRecord(name="attack", settings={"budget": request.budget}),
        (),
        policy=request.policy,
        started=began,
        note=request.note,
    )
    attempts = tuple(
        AttackRecord(
            attack=result.attack,
            concept=result.concept,
            object=attack_digest(result.finding.tensors),
            budget=found.allowed.settings,
            best_of=result.n_candidates,
            state=found.state,
            verdict=result.verdict,
        )
        for result in found.results
    )
    update = {
        "readings": tuple(result.reading() for result in found.results),
        "attacks": attempts,
        "verdict": VerdictRecord.of(found.verdict.failures, found.verdict.undecided),
        "seconds": round(time.monotonic() - began, 3),
    }

    def on(here: Session) -> Entry:
        entry = builder.entry(here).model_copy(update=update)
        here.record(entry, attacks=[each.finding.tensors for each in found.results])
        return entry

    return until_recorded(at, request.watch, on)
