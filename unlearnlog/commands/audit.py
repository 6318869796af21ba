"""``audit``: did anything come back in what somebody made of a state?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearnlog.audits.attacks.new_token import NewToken
from unlearnlog.audits.comparison import ComparedConcept, Comparison
from unlearnlog.audits.return_coefficient import return_coefficient
from unlearnlog.audits.verdict import (
    AuditFinding,
    ConceptEvidence,
    VerdictRules,
    findings,
)
from unlearnlog.checkpoints.finetuned_model import FinetuneBase, FinetunedModel, derived
from unlearnlog.commands.entry_builder import EntryBuilder
from unlearnlog.commands.judge_choice import check_alone, check_kept, runner_for
from unlearnlog.commands.more_samples import alone
from unlearnlog.commands.retry import until_recorded
from unlearnlog.core.entry import EraserRecord, VerdictRecord
from unlearnlog.core.progress import NoProgress
from unlearnlog.errors import Refused, UsageError
from unlearnlog.findings.audit_history import KIND, WORDS
from unlearnlog.probes.picture_probe import About, reading
from unlearnlog.probes.presence import Presence
from unlearnlog.probes.runner import ProbePlan

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session
    from unlearnlog.core.concept import Concept
    from unlearnlog.core.entry import Entry, EntryId
    from unlearnlog.core.note import Note
    from unlearnlog.core.progress import Progress
    from unlearnlog.core.reading import Reading
    from unlearnlog.policy import Policy


@dataclass(frozen=True)
class AuditRequest:
    """What somebody wants to know.

    Attributes:
        path: What was made of the model: a folder, a file, a LoRA.
        policy: How much is looked at, how it is painted, who judges, what decides.
        rev: The state that it was made of.
        ema: Whether to read the EMA copy of its weights.
        record: Whether to write it into the ledger.
        accept_undecided: Whether doubt is no reason to refuse.
        watch: Receives the progress of the work.
        note: Reason, reference and author for the entry; None for none.
    """

    path: Path
    policy: Policy
    rev: str = "HEAD"
    ema: bool = False
    record: bool = False
    accept_undecided: bool = False
    watch: Progress = field(default_factory=NoProgress)
    note: Note | None = None


@dataclass(frozen=True)
class Audited:
    """What an audit found.

    Attributes:
        rev: The entry whose state it was held against.
        made: What was audited.
        findings: What is to be said of each erased concept.
        readings: All that was read.
        verdict: Whether it passes, and what does not.
        entry: The entry, where it was recorded.
    """

    rev: EntryId
    made: FinetunedModel
    findings: tuple[AuditFinding, ...]
    readings: tuple[Reading, ...]
    verdict: VerdictRecord
    entry: Entry | None = None

    def __repr__(self) -> str:
        said = ", ".join(f"{each.called} {each.word}" for each in self.findings)
        return f"<Audited {self.made.path} against {self.rev[:12]}: {said}>"

    def row(self) -> dict[str, Any]:
        """Return the fields as values for JSON."""
        return {
            "model": str(self.made.path),
            "form": self.made.form,
            "sha256": self.made.sha256,
            "at": self.rev,
            "tensors": self.made.n_tensors,
            "moved": dict(self.made.moved),
            "notes": list(self.made.notes),
            **({"tokens": [*self.made.tokens]} if self.made.tokens else {}),
            "concepts": [row_of(each) for each in self.findings],
            "readings": [each.row() for each in self.readings],
            "verdict": self.verdict.row(),
            "entry": self.entry and self.entry.id,
        }


def audit(at: Session, wish: AuditRequest) -> Audited:
    """Hold what somebody made of a state against that state.

    Raises:
        NoLedger: There is no ledger.
        RevisionError: The revision names nothing or more than one entry.
        UsageError: Nothing is erased there.
        ModelError: What is audited cannot be read, or is not of this model's shape.
        DeltaError: It is a LoRA of something else.
        WrongBase: It is no descendant of this model.
    """
    now = at.pinned()
    at = now.at_rev(wish.rev)
    head, live = at.head, [*at.erased.values()]
    if head is None or not live:
        raise UsageError(
            f"nothing is erased at '{wish.rev}', so nothing can have come back",
            fix="name a revision with an erasure: unlearnlog log",
        )
    made = derived(wish.path, FinetuneBase(at.model, at.weights(head)), ema=wish.ema)
    desk = AuditSession(at, live, made, wish)
    found = desk.findings()
    audited = Audited(
        rev=head,
        made=made,
        findings=found,
        readings=tuple(desk.readings(found)),
        verdict=verdict_of(found, accepted=wish.accept_undecided),
    )
    return _recorded(now, live, audited, wish) if wish.record else audited


@dataclass(frozen=True)
class AuditSession:
    """Everything that an audit looks with.

    Attributes:
        at: The state.
        live: What is erased in it.
        made: What was made of it.
        wish: How it is looked at.
    """

    at: Session
    live: Sequence[Concept]
    made: FinetunedModel
    wish: AuditRequest

    @cached_property
    def audience(self) -> Comparison:
        """Who looks, and at which weights."""
        book, sizes = self.at.book(self.live), self.wish.policy.probes
        panel = runner_for(self.at, self.wish.policy, book, self.wish.watch)
        names = {concept.name for concept in self.live}
        kept = book.kept(names, sizes.kept, sizes.kept_share)
        then = self.at.weights(self.at.head)
        return Comparison(panel, then, self.made.weights, kept)

    def question(self, concept: Concept, n: int) -> ComparedConcept:
        """Return the questions of an entry's own readings, ``n`` pictures of a cell."""
        book = self.at.book(self.live)
        cells = alone(book, concept, n, {each.name for each in self.live})
        n_nats = self.wish.policy.probes.information
        return ComparedConcept(
            concept, cells, book.information(cells[:n_nats], concept)
        )

    def findings(self) -> tuple[AuditFinding, ...]:
        """Look, and once more at more pictures where the first ones decide nothing."""
        policy = self.wish.policy
        self._check()
        rules = VerdictRules(
            policy.audit.margin,
            policy.audit.false_alarms,
            policy.require.base_presence,
        )
        asked = [(c, new) for new in (None, *self.newcomers) for c in self.live]
        sights = [self._sight(*each, policy.probes.erased) for each in asked]
        first = findings(sights, rules)
        if not any(each.wide for each in first):
            return first
        closer = (
            self._sight(*each, policy.audit.closer) if found.wide else sight
            for each, sight, found in zip(asked, sights, first, strict=True)
        )
        return findings([*closer], rules)

    @property
    def newcomers(self) -> tuple[NewToken, ...]:
        """The tokens that were added, any of which may say what a name said."""
        return tuple(NewToken(*each) for each in self.made.tokens.items())

    def _sight(self, concept: Concept, new: NewToken | None, n: int) -> ConceptEvidence:
        """Look for a concept by its name, or by a new token in the name's place."""
        asked = self.question(concept, n)
        sight = self.audience.sight(asked)
        if new is None:
            return sight
        panel, weights = self.audience.panel, self.audience.now
        shown = new.shows(asked, panel, self.at.model, weights)
        return replace(sight, now=shown, token=new.token)

    def _check(self) -> None:
        """Refuse what nobody can answer, before anything is painted."""
        if self.audience.panel.judge is None:
            raise UsageError(
                "nobody judges, so nobody can say what came back",
                fix="give --judge base, or the folder of a CLIP model",
            )
        check_kept(self.audience.kept)
        names = {concept.name for concept in self.live}
        check_alone(self.at.book(self.live), self.live, names)

    def readings(self, found: Sequence[AuditFinding]) -> list[Reading]:
        """Return every number behind the findings, and what became of all else."""
        rows: list[Reading] = []
        for each in found:
            name = each.called
            rows += [
                reading(About("presence", name, "lower"), each.now, each.base.value),
                reading(About("resurgence", name, "lower", "difference"), each.back),
                reading(About("false-alarms", name, "lower"), each.control),
            ]
        for concept in self.live:
            asked = self.question(concept, self.wish.policy.probes.erased)
            rows += self.audience.nats(asked)
        rows += self.audience.collateral()
        kept = ProbePlan((), kept=self.audience.kept)
        rows += Presence().readings(self.audience.panel.looked(kept, self.made.weights))
        rows += return_coefficient(
            self.made.weights, self.audience.then, self.at.model.base
        )
        return rows


def raise_if_failed(said: VerdictRecord, *, fix: str) -> None:
    """Raise what a verdict means that did not pass.

    Args:
        said: The verdict.
        fix: What to do where something came back.

    Raises:
        Refused: Something came back, or nobody can say.
    """
    if said.may_stand:
        return
    what = "something came back" if said.failures else "the audit decides nothing"
    if not said.failures:
        fix = "where pictures are too few, a policy's probes.erased and audit.closer "
        fix += "ask for more; to pass all the same, add --accept-undecided"
    raise Refused(f"{what}: {'; '.join(said.failures or said.undecided)}", fix=fix)


def verdict_of(found: Sequence[AuditFinding], *, accepted: bool) -> VerdictRecord:
    """Say whether an audit passes.

    Args:
        found: What is to be said of each concept.
        accepted: Whether doubt is no reason to refuse.
    """
    failures = tuple(f"{f.called} {f.why}" for f in found if f.word == "resurged")
    undecided = tuple(f"{f.called}: {f.why}" for f in found if f.word == "undecided")
    return VerdictRecord.of(failures, undecided, accepts_doubt=accepted)


def _recorded(
    at: Session, live: Sequence[Concept], audited: Audited, wish: AuditRequest
) -> Audited:
    """Append the audit to the branch; the weights stay as they are."""
    made = audited.made
    about = EraserRecord(
        name=KIND,
        settings={
            "model": made.path.name.encode("utf-8", "replace").decode(),
            "form": made.form,
            "sha256": made.sha256,
            "at": audited.rev,
            "ema": wish.ema,
            **({"tokens": tuple(made.tokens)} if made.tokens else {}),
            **_said(audited.findings),
        },
    )
    draft = EntryBuilder(
        "audit", tuple(live), about, (), policy=wish.policy, note=wish.note
    )

    def on(here: Session) -> Entry:
        state = here.the_ledger().state(here.head, here.model.base)
        entry = draft.concluded(here, state, audited.readings, audited.verdict)
        here.record(entry)
        return entry

    return replace(audited, entry=until_recorded(at, wish.watch, on))


def _said(found: Sequence[AuditFinding]) -> dict[str, tuple[str, ...]]:
    """Return the concepts by what is said of them; no word that is said of none."""
    by_word = {w: tuple(f.called for f in found if f.word == w) for w in WORDS}
    return {word: names for word, names in by_word.items() if names}


def row_of(finding: AuditFinding) -> dict[str, Any]:
    """Give what is said of a concept as JSON."""
    data = asdict(finding)
    data["verdict"] = data.pop("word")
    del data["wide"]
    if not finding.token:
        del data["token"]
    return data
