"""``audit``: the test for erased concepts that came back in a derived model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from unlearnlog.audits.attacks.new_token import NewToken
from unlearnlog.audits.comparison import ComparedConcept, Comparison
from unlearnlog.audits.return_coefficient import return_coefficient
from unlearnlog.audits.verdict import (
    AuditFinding,
    ConceptEvidence,
    VerdictRules,
    findings,
)
from unlearnlog.checkpoints.embedding_files import Embeddings, embeddings_of
from unlearnlog.checkpoints.finetune_base import FinetuneBase
from unlearnlog.checkpoints.finetuned_model import FinetunedModel, derived
from unlearnlog.checkpoints.swapped_vae import BASES, OWN
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

NO_EMBEDDINGS: Final = Embeddings({}, ())
_READS_LATENTS: Final = "base"
"""Name of the judge for which no autoencoder changes a picture."""


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
        embeddings: Files of textual inversion to try on it.
    """

    path: Path
    policy: Policy
    rev: str = "HEAD"
    ema: bool = False
    embeddings: tuple[Path, ...] = ()
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
        handed: The textual inversions that were tried on it.
    """

    rev: EntryId
    made: FinetunedModel
    findings: tuple[AuditFinding, ...]
    readings: tuple[Reading, ...]
    verdict: VerdictRecord
    entry: Entry | None = None
    handed: Embeddings = NO_EMBEDDINGS

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
            **({"embeddings": [*self.handed.sha256]} if self.handed.sha256 else {}),
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
    handed = embeddings_of(request.embeddings, at.model.folder.text_widths)
    made = derived(
        request.path, FinetuneBase(at.model, at.weights(head)), ema=request.ema
    )
    made, handed = _with_tokens(made, handed)
    session = AuditSession(at, live, made, request, handed)
    found = session.findings()
    audited = Audited(
        rev=head,
        made=made,
        findings=found,
        readings=tuple(session.readings(found)),
        verdict=verdict_of(found, accepted=request.accept_undecided),
        handed=handed,
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
        handed: The textual inversions that are tried on it.
    """

    at: Session
    live: Sequence[Concept]
    made: FinetunedModel
    wish: AuditRequest
    handed: Embeddings = NO_EMBEDDINGS

    @cached_property
    def audience(self) -> Comparison:
        """The comparison of both models, with its runner and kept prompts.

        An autoencoder that replaced the base's is not used.
        """
        book, sizes = self.at.book(self.live), self.wish.policy.probes
        runner = runner_for(self.at, self.wish.policy, book, self.wish.watch)
        names = {concept.name for concept in self.live}
        kept = book.kept(names, sizes.kept, sizes.kept_share)
        then = self.at.weights(self.at.head)
        return Comparison(runner, then, self.made.weights, kept)

    @cached_property
    def views(self) -> dict[str, Comparison]:
        """The comparisons by the autoencoder that paints; one without a name for most.

        A model with an autoencoder of its own is compared with both. The base as judge
        reads latents, for which its own changes nothing.
        """
        if not self.made.own_vae:
            return {"": self.audience}
        found = {BASES: self.audience}
        judge = self.audience.panel.judge
        if judge is not None and judge.name != _READS_LATENTS:
            found[OWN] = replace(self.audience, now=self.made.whole)
        return found

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
        for view in self.views.values():
            view.prepare([self.question(concept, n) for concept in self.live])
        targets = [
            (through, concept, new)
            for through in self.views
            for new in (None, *self.newcomers)
            for concept in self.live
        ]
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
        return tuple(
            NewToken(token, vectors, handed=token in self.handed.tokens)
            for token, vectors in self.made.tokens.items()
        )

    def _evidence(
        self, through: str, concept: Concept, new: NewToken | None, n: int
    ) -> ConceptEvidence:
        """Return the evidence for a concept, prompted by its name or by a new token.

        A token that was handed to the audit is tried beside random vectors, which show
        what any vectors do, and on the base, which shows what it carries.
        """
        compared, view = self.question(concept, n), self.views[through]
        evidence = replace(view.sight(compared), through=through)
        if new is None:
            return evidence
        runner, model = view.panel, self.at.model
        shown = new.shows(compared, runner, model, view.now)
        found = replace(evidence, now=shown, token=new.token)
        if not new.handed:
            return found
        return replace(
            found,
            at_random=new.at_random().shows(compared, runner, model, view.now),
            carried=new.shows(compared, runner, model, None),
        )

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


def _with_tokens(
    made: FinetunedModel, handed: Embeddings
) -> tuple[FinetunedModel, Embeddings]:
    """Return a model with the tokens of textual inversions, and all that are tried.

    Where the audited file is a textual inversion itself, its tokens are among them.

    Raises:
        UsageError: The model has a token of the same name.
    """
    if twice := sorted(made.tokens.keys() & handed.tokens.keys()):
        raise UsageError(
            f"'{made.path}' has the token '{twice[0]}' itself",
            fix="give the --embedding of that name without the model's own, or rename "
            "its file",
        )
    tokens = {**made.tokens, **handed.tokens}
    if made.form == "embedding":
        handed = Embeddings(tokens, (made.sha256, *handed.sha256))
    return replace(made, tokens=tokens), handed


def _recorded(
    at: Session, live: Sequence[Concept], audited: Audited, request: AuditRequest
) -> Audited:
    """Append the audit to the branch; the weights stay as they are."""
    made, hashes = audited.made, audited.handed.sha256
    about = EraserRecord(
        name=KIND,
        settings={
            "model": made.path.name.encode("utf-8", "replace").decode(),
            "form": made.form,
            "sha256": made.sha256,
            "at": audited.rev,
            "ema": request.ema,
            **({"tokens": tuple(made.tokens)} if made.tokens else {}),
            **({"embeddings": hashes} if hashes else {}),
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
    absent = [key for key in ("token", "through") if not data[key]]
    absent += [key for key in ("at_random", "carried") if data[key] is None]
    for key in absent:
        del data[key]
    return data
