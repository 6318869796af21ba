"""``audit``: the test for erased concepts that came back in a derived model."""

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
from unlearnlog.commands.judge_choice import (
    check_alone,
    check_kept,
    runner_for,
    what_judges,
)
from unlearnlog.commands.more_samples import alone
from unlearnlog.commands.retry import until_recorded
from unlearnlog.core.eraser_record import EraserRecord
from unlearnlog.core.progress import NoProgress
from unlearnlog.core.verdict_record import VerdictRecord
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
    """Arguments of ``audit``.

    Attributes:
        path: The derived model: a folder, a file, a LoRA.
        policy: Sample sizes, sampling settings, judge and margins.
        rev: The revision that it was derived from.
        ema: Whether to read the EMA copy of its weights.
        record: Whether to record the audit in the ledger.
        accept_undecided: Whether the audit passes although findings are undecided.
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
    """Result of ``audit``.

    Attributes:
        rev: The entry that the model was compared with.
        made: The audited model.
        findings: A finding for each erased concept.
        readings: All readings.
        verdict: Whether it passes, and what failed or is undecided.
        entry: The recorded entry; None where recording was not requested.
    """

    rev: EntryId
    made: FinetunedModel
    findings: tuple[AuditFinding, ...]
    readings: tuple[Reading, ...]
    verdict: VerdictRecord
    entry: Entry | None = None

    def __repr__(self) -> str:
        summary = ", ".join(f"{each.called} {each.word}" for each in self.findings)
        return f"<Audited {self.made.path} against {self.rev[:12]}: {summary}>"

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


def audit(at: Session, request: AuditRequest) -> Audited:
    """Compare a derived model with the revision that it was derived from.

    Raises:
        NoLedger: There is no ledger.
        RevisionError: The revision names nothing or more than one entry.
        UsageError: Nothing is erased there.
        ModelError: The model cannot be read, or has other shapes.
        DeltaError: The LoRA is of another model.
        WrongBase: The model is not derived from this one.
    """
    now = at.pinned()
    at = now.at_rev(request.rev)
    head, live = at.head, [*at.erased.values()]
    if head is None or not live:
        raise UsageError(
            f"nothing is erased at '{request.rev}', so nothing can have come back",
            fix="name a revision with an erasure: unlearnlog log",
        )
    made = derived(
        request.path, FinetuneBase(at.model, at.weights(head)), ema=request.ema
    )
    session = AuditSession(at, live, made, request)
    found = session.findings()
    audited = Audited(
        rev=head,
        made=made,
        findings=found,
        readings=tuple(session.readings(found)),
        verdict=verdict_of(found, accepted=request.accept_undecided),
    )
    return _recorded(now, live, audited, request) if request.record else audited


@dataclass(frozen=True)
class AuditSession:
    """The context of an audit.

    Attributes:
        at: The session at the audited revision.
        live: The concepts erased there.
        made: The derived model.
        wish: Arguments of the audit.
    """

    at: Session
    live: Sequence[Concept]
    made: FinetunedModel
    wish: AuditRequest

    @cached_property
    def audience(self) -> Comparison:
        """The comparison of both models, with its runner and kept prompts."""
        book, sizes = self.at.book(self.live), self.wish.policy.probes
        runner = runner_for(self.at, self.wish.policy, book, self.wish.watch)
        names = {concept.name for concept in self.live}
        kept = book.kept(names, sizes.kept, sizes.kept_share)
        then = self.at.weights(self.at.head)
        return Comparison(runner, then, self.made.weights, kept)

    def question(self, concept: Concept, n: int) -> ComparedConcept:
        """Return the prompts of a concept, ``n`` pictures per cell."""
        book = self.at.book(self.live)
        cells = alone(book, concept, n, {each.name for each in self.live})
        n_nats = self.wish.policy.probes.information
        return ComparedConcept(
            concept, cells, book.information(cells[:n_nats], concept)
        )

    def findings(self) -> tuple[AuditFinding, ...]:
        """Return a finding for each concept; paint more where pictures are too few."""
        policy = self.wish.policy
        self._check()
        rules = VerdictRules(
            policy.audit.margin,
            policy.audit.false_alarms,
            policy.require.base_presence,
        )
        n = policy.probes.erased
        self.audience.prepare([self.question(concept, n) for concept in self.live])
        targets = [(c, new) for new in (None, *self.newcomers) for c in self.live]
        evidence = [self._evidence(*each, n) for each in targets]
        first = findings(evidence, rules)
        if not any(each.wide for each in first):
            return first
        closer = (
            self._evidence(*each, policy.audit.closer) if found.wide else one
            for each, one, found in zip(targets, evidence, first, strict=True)
        )
        return findings([*closer], rules)

    @property
    def newcomers(self) -> tuple[NewToken, ...]:
        """The tokens that were added, any of which may stand for an erased concept."""
        return tuple(NewToken(*each) for each in self.made.tokens.items())

    def _evidence(
        self, concept: Concept, new: NewToken | None, n: int
    ) -> ConceptEvidence:
        """Return the evidence for a concept, prompted by its name or by a new token."""
        compared = self.question(concept, n)
        evidence = self.audience.sight(compared)
        if new is None:
            return evidence
        runner, weights = self.audience.panel, self.audience.now
        shown = new.shows(compared, runner, self.at.model, weights)
        return replace(evidence, now=shown, token=new.token)

    def _check(self) -> None:
        """Refuse an audit that cannot be judged, before anything is painted."""
        if self.audience.panel.judge is None:
            raise UsageError(
                "no judge configured: cannot audit",
                fix=what_judges(
                    self.at, "give --judge base, or the folder of a CLIP model"
                ),
            )
        check_kept(self.audience.kept)
        names = {concept.name for concept in self.live}
        check_alone(self.at.book(self.live), self.live, names)

    def readings(self, found: Sequence[AuditFinding]) -> list[Reading]:
        """Return the readings behind the findings, and those of kept concepts."""
        rows: list[Reading] = []
        for each in found:
            name = each.called
            rows += [
                reading(About("presence", name, "lower"), each.now, each.base.value),
                reading(About("resurgence", name, "lower", "difference"), each.back),
                reading(About("false-alarms", name, "lower"), each.control),
            ]
        for concept in self.live:
            compared = self.question(concept, self.wish.policy.probes.erased)
            rows += self.audience.nats(compared)
        rows += self.audience.collateral()
        kept = ProbePlan((), kept=self.audience.kept)
        rows += Presence().readings(self.audience.panel.looked(kept, self.made.weights))
        rows += return_coefficient(
            self.made.weights, self.audience.then, self.at.model.base
        )
        return rows


def raise_if_failed(verdict: VerdictRecord, *, fix: str) -> None:
    """Raise the refusal that a failed verdict stands for.

    Args:
        verdict: The verdict.
        fix: Advice where a concept came back.

    Raises:
        Refused: A concept came back, or the verdict is undecided.
    """
    if verdict.may_stand:
        return
    what = "erased concepts came back" if verdict.failures else "the audit is undecided"
    if not verdict.failures:
        fix = "for more pictures, raise probes.erased and audit.closer in the policy; "
        fix += "to pass all the same, add --accept-undecided"
    raise Refused(
        f"{what}: {'; '.join(verdict.failures or verdict.undecided)}", fix=fix
    )


def verdict_of(found: Sequence[AuditFinding], *, accepted: bool) -> VerdictRecord:
    """Return whether an audit passes.

    Args:
        found: A finding for each concept.
        accepted: Whether undecided findings pass.
    """
    failures = tuple(f"{f.called} {f.why}" for f in found if f.word == "resurged")
    undecided = tuple(f"{f.called}: {f.why}" for f in found if f.word == "undecided")
    return VerdictRecord.of(failures, undecided, accepts_doubt=accepted)


def _recorded(
    at: Session, live: Sequence[Concept], audited: Audited, request: AuditRequest
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
            "ema": request.ema,
            **({"tokens": tuple(made.tokens)} if made.tokens else {}),
            **_by_verdict(audited.findings),
        },
    )
    builder = EntryBuilder(
        "audit", tuple(live), about, (), policy=request.policy, note=request.note
    )

    def on(here: Session) -> Entry:
        state = here.the_ledger().state(here.head, here.model.base)
        entry = builder.concluded(here, state, audited.readings, audited.verdict)
        here.record(entry)
        return entry

    return replace(audited, entry=until_recorded(at, request.watch, on))


def _by_verdict(found: Sequence[AuditFinding]) -> dict[str, tuple[str, ...]]:
    """Return the names of concepts by verdict, without empty verdicts."""
    by_word = {w: tuple(f.called for f in found if f.word == w) for w in WORDS}
    return {word: names for word, names in by_word.items() if names}


def row_of(finding: AuditFinding) -> dict[str, Any]:
    """Return a finding as values for JSON."""
    data = asdict(finding)
    data["verdict"] = data.pop("word")
    del data["wide"]
    if not finding.token:
        del data["token"]
    return data
