"""The story of each command: words go in, one write comes last.

Nothing here computes: the ledger replays, the eraser erases, the probes measure, the
policy judges. A command that fails before its last line has written nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from unlearnlog.atelier import prompts
from unlearnlog.atelier.studio import FOLDER, SOURCE, base_answers, bundled_judge
from unlearnlog.cell import Answer, Cell
from unlearnlog.concept import Concept
from unlearnlog.delta import Delta, Weights, state_after, state_digest
from unlearnlog.digest import Digest
from unlearnlog.entry import (
    Append,
    DeltaRecord,
    Entry,
    EntryId,
    EraserRecord,
    StateRecord,
    VerdictRecord,
)
from unlearnlog.erasers import Request
from unlearnlog.errors import ConceptError, ModelError, NoLedger, Refused
from unlearnlog.ledger import Ledger
from unlearnlog.ledger.base import BaseManifest
from unlearnlog.made_with import made_with
from unlearnlog.model import Sampling
from unlearnlog.model.model import DiffusersModel
from unlearnlog.policy import Policy, Verdict
from unlearnlog.probes import PROBES
from unlearnlog.probes.panel import Panel, Questions
from unlearnlog.prompt import Target
from unlearnlog.reading import Reading
from unlearnlog.watch import Unwatched, Watch

if TYPE_CHECKING:
    from unlearnlog.model import Painted


@dataclass(frozen=True)
class Place:
    """Where a ledger is or will be, and the model it is about.

    Attributes:
        folder: The folder that holds ``.unlearnlog``.
        ledger: The ledger; None when ``add`` is to create it.
        model: The base, loaded.
        manifest: What the base is made of, with the name the ledger calls it by.
    """

    folder: Path
    ledger: Ledger | None
    model: DiffusersModel
    manifest: BaseManifest

    @property
    def head(self) -> EntryId | None:
        """The newest entry; None on the base."""
        return self.ledger.head if self.ledger else None

    def history(self) -> list[tuple[EntryId, Entry]]:
        """Every entry up to the head, oldest first."""
        return self.ledger.history(self.head) if self.ledger else []

    def deltas(self) -> list[Delta]:
        """Every delta of the head's state, in replay order."""
        ledger = self.ledger
        return [ledger.delta(d) for d in ledger.plan(self.head)] if ledger else []

    def state_digest(self) -> Digest:
        """Digest of the head's state."""
        if self.ledger is None:
            return state_digest({}, self.manifest.root)
        return self.ledger.state_digest(self.head)

    def weights(self, rev: EntryId | None) -> Weights:
        """Every text projection as it is at a revision, checked against the record."""
        if self.ledger is None:
            return self.model.base
        return self.ledger.weights(rev, self.model.base)


@dataclass(frozen=True)
class Outcome:
    """What ``add`` did.

    Attributes:
        entry: The entry, recorded if the verdict passed.
        verdict: What the policy said.
        created: Whether a ledger was created for it.
        folder: Where the ledger is.
    """

    entry: Entry
    verdict: Verdict
    created: bool
    folder: Path


def init(folder: Path, model: str) -> Ledger:
    """Create a ledger for a model: ``atelier``, or a diffusers folder.

    Raises:
        ModelError: The folder is no pipeline this tool knows.
        LedgerError: There is a ledger already.
    """
    return Ledger.init(folder, _loaded(model)[1])


def place(start: Path, *, may_create: bool = False) -> Place:
    """Find the ledger of a folder and load the model it is bound to.

    Raises:
        NoLedger: There is none, and ``may_create`` is False.
        WrongBase: The model is not the one the ledger was made for.
    """
    try:
        ledger = Ledger.find(start)
    except NoLedger:
        if not may_create:
            raise
        return Place(start, None, *_loaded(SOURCE))
    model, manifest = _loaded(ledger.base.source)
    ledger.check_base(manifest)
    return Place(ledger.folder, ledger, model, manifest)


def add(
    at: Place, name: str, *, policy: Policy, seed: int = 0, watch: Watch | None = None
) -> Outcome:
    """Erase a concept on top of the ledger; record it if the policy agrees.

    Raises:
        ConceptError: Nothing known, what remains anyway, erased already, or not painted
            by the base to begin with.
        TrainingError: The eraser did not converge.
        Refused: A limit of the policy did not hold; nothing was recorded.
    """
    started = time.monotonic()
    concept = prompts.concept_called(name)
    gone = _gone(at, concept)
    eraser = policy.chosen_eraser()
    panel = _panel(at, policy, watch or Unwatched())
    _require_presence(panel, policy, concept)
    delta = eraser.erase(_request(at, panel, concept, seed))
    state = state_after(at.model.base, [*at.deltas(), delta])
    questions = _questions(policy, concept, gone=gone, target=eraser.target)
    readings = _readings(panel, questions, {**at.model.base, **state})
    verdict = policy.judge(readings)
    entry = Entry(
        parent=at.head,
        kind="erase",
        concepts=(concept,),
        eraser=EraserRecord(name=eraser.name, settings={**eraser.settings}),
        seed=seed,
        policy=policy.name,
        changes=(Append(object=delta.digest),),
        delta=DeltaRecord(digest=delta.digest, n_bytes=delta.n_bytes),
        state=StateRecord(
            before=at.state_digest(), after=state_digest(state, at.manifest.root)
        ),
        readings=readings,
        verdict=VerdictRecord(passed=verdict.passed, failures=verdict.failures),
        seconds=round(time.monotonic() - started, 3),
        made_with=made_with(),
    )
    if verdict.passed:
        ledger = at.ledger or Ledger.init(at.folder, at.manifest)
        ledger.append(entry, delta)
    return Outcome(entry, verdict, created=at.ledger is None, folder=at.folder)


def paint(
    at: Place,
    prompt: str,
    revs: Sequence[str],
    *,
    seeds: Sequence[int],
    policy: Policy,
) -> list[Painted]:
    """Paint a prompt at several revisions from the same latents.

    Raises:
        RevisionError: A revision names nothing or more than one entry.
    """
    ids = [_resolved(at, rev) for rev in revs]
    sampling = _sampling(policy)
    return [
        at.model.paint(
            [prompt] * len(seeds), seeds, sampling=sampling, weights=at.weights(entry)
        )
        for entry in ids
    ]


def checkout(at: Place, rev: str, folder: Path) -> None:
    """Write the model of a revision as a plain diffusers folder.

    Raises:
        RevisionError: The revision names nothing or more than one entry.
        ModelError: The folder exists and is not empty.
    """
    at.model.checkout(at.weights(_resolved(at, rev)), folder)


def live_concepts(history: Sequence[tuple[EntryId, Entry]]) -> dict[str, EntryId]:
    """Return the erased concepts of a history that nothing has taken back, by name."""
    dropped = {
        change.entry
        for _, entry in history
        for change in entry.changes
        if change.op == "drop"
    }
    return {
        concept.name: entry_id
        for entry_id, entry in history
        if entry.kind == "erase" and entry_id not in dropped
        for concept in entry.concepts
    }


def _loaded(source: str) -> tuple[DiffusersModel, BaseManifest]:
    """Load a model; the bundled one is called by its name, wherever it is installed."""
    if source == SOURCE:
        model = DiffusersModel.load(FOLDER)
        return model, model.manifest.model_copy(update={"source": SOURCE})
    model = DiffusersModel.load(Path(source))
    return model, model.manifest


def _resolved(at: Place, rev: str) -> EntryId | None:
    if at.ledger is None:
        raise NoLedger(
            f"there is no ledger in {at.folder}, so no revision '{rev}'",
            fix='create one with: unlearnlog add "Picasso"',
        )
    return at.ledger.resolve(rev)


def _gone(at: Place, concept: Concept) -> list[Concept]:
    """Return the concepts that are erased already, and refuse to erase one twice."""
    live = live_concepts(at.history())
    if concept.name in live:
        entry = live[concept.name][:12]
        raise ConceptError(
            f"'{concept.name}' is erased already, by entry {entry}",
            fix=f"look at it with: unlearnlog show {entry}",
        )
    return [prompts.concept_called(name) for name in live]


def _sampling(policy: Policy) -> Sampling:
    return Sampling(policy.sampling.steps, policy.sampling.guidance)


def _panel(at: Place, policy: Policy, watch: Watch) -> Panel:
    known, root = base_answers(), at.manifest.root
    if root != known.root:
        raise ModelError(
            f"no judge is known for the model {at.manifest.source}",
            fix="erase on the bundled model: run the same command in an empty folder",
        )
    sampling = _sampling(policy)

    def answers(cells: Sequence[Cell]) -> list[Answer | None]:
        return known.of(cells, root, (sampling.steps, sampling.guidance))

    return Panel(at.model, bundled_judge(), answers, sampling, watch)


def _require_presence(panel: Panel, policy: Policy, concept: Concept) -> None:
    """Refuse to erase what the base does not paint."""
    answers = panel.base_answers(prompts.erased_cells(concept, policy.probes.erased))
    shown = sum(answer.of(concept.kind) == concept.name for answer in answers)
    if shown < policy.require.base_presence * len(answers):
        percent = 100 * shown / len(answers)
        raise ConceptError(
            f"the base paints '{concept.name}' in {percent:.0f} % of {len(answers)} "
            "pictures: nothing to erase",
            fix="unlearnlog concepts lists what this model paints",
        )


def _request(at: Place, panel: Panel, concept: Concept, seed: int) -> Request:
    return Request(
        model=at.model,
        old=at.weights(at.head),
        forget=prompts.forget_prompts(concept),
        keep=prompts.kept_prompts(concept),
        sampling=panel.sampling,
        seed=seed,
        watch=panel.watch,
    )


def _questions(
    policy: Policy, concept: Concept, *, gone: Sequence[Concept], target: Target
) -> Questions:
    sizes = policy.probes
    names = {each.name for each in gone}
    erased = tuple(
        cell
        for cell in prompts.erased_cells(concept, sizes.erased)
        if not {cell.subject, cell.style} & names
    )
    return Questions(
        concept,
        erased=erased,
        kept=prompts.kept_cells({concept.name, *names}, sizes.kept),
        earlier={e.name: prompts.erased_cells(e, sizes.earlier) for e in gone},
        target=prompts.target_cells(concept, target, sizes.erased),
        information=prompts.information_prompts(erased[: sizes.information], concept),
        instead=target,
    )


def _readings(panel: Panel, questions: Questions, new: Weights) -> tuple[Reading, ...]:
    evidence = panel.looked(questions, new)
    seen = [reading for probe in PROBES for reading in probe.readings(evidence)]
    return (*seen, *panel.information(questions, new))


def refuse(outcome: Outcome) -> None:
    """Raise what a failed verdict means.

    Raises:
        Refused: Always.
    """
    raise Refused(
        "the policy refused it: " + "; ".join(outcome.verdict.failures),
        fix="nothing was recorded; try another target or eraser, or another policy",
    )
