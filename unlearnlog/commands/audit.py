"""``audit``: the test for erased concepts that came back in a derived model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearnlog.audits.verdict import AuditFinding
from unlearnlog.checkpoints.embedding_files import (
    NO_EMBEDDINGS,
    Embeddings,
    embeddings_of,
)
from unlearnlog.checkpoints.finetune_base import FinetuneBase
from unlearnlog.checkpoints.finetuned_model import FinetunedModel, derived
from unlearnlog.commands.audit_session import AuditSession
from unlearnlog.commands.entry_builder import EntryBuilder
from unlearnlog.commands.retry import until_recorded
from unlearnlog.core.eraser_record import EraserRecord
from unlearnlog.core.progress import NoProgress
from unlearnlog.core.verdict_record import VerdictRecord
from unlearnlog.errors import Refused, UsageError
from unlearnlog.findings.audit_history import KIND, WORDS

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
            "concepts": [each.row() for each in self.findings],
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
    session = AuditSession(at, live, made, request.policy, request.watch, handed)
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
