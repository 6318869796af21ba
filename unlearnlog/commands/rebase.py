"""``rebase``: every erasure repeated on a model derived from this one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearnlog.audits.verdict import AuditFinding
from unlearnlog.checkpoints.finetune_base import FinetuneBase
from unlearnlog.checkpoints.finetuned_model import FinetunedModel, derived
from unlearnlog.commands import add, joint_set
from unlearnlog.commands.audit_session import AuditSession
from unlearnlog.commands.configuration import hand_on
from unlearnlog.commands.session import Session
from unlearnlog.commands.session_opening import init, open_session
from unlearnlog.core.active import ERASING, live_concepts
from unlearnlog.core.concept import Concept, meant_by
from unlearnlog.core.delta import Weights
from unlearnlog.core.digest import canonical_json, digest_of
from unlearnlog.core.entry import Append, Entry, EntryId
from unlearnlog.core.eraser_record import EraserRecord
from unlearnlog.core.note import Note, inherited, merged
from unlearnlog.core.plain_files import expanded
from unlearnlog.core.progress import NoProgress
from unlearnlog.core.provenance import versions
from unlearnlog.core.replay_plan import dropped
from unlearnlog.erasers.eraser_table import said_again
from unlearnlog.errors import NoLedger, UsageError
from unlearnlog.ledger.drafts import begun_folder
from unlearnlog.ledger.repository import Repository
from unlearnlog.policy import Policy

if TYPE_CHECKING:
    from unlearnlog.core.delta import Delta
    from unlearnlog.core.digest import Digest
    from unlearnlog.core.progress import Progress

_CARD = """# A base for erasures

What was read of `{name}`, written as a folder by `unlearnlog rebase`.
"""
_MODEL = "model"
"""Folder of the new base, where the derived model is no diffusers pipeline."""


@dataclass(frozen=True)
class RebaseRequest:
    """Arguments of ``rebase``.

    Attributes:
        onto: The derived model: a folder, a file, a LoRA.
        folder: A new folder, for the new ledger.
        policy: Sample sizes, sampling settings, judge and limits.
        rev: The revision with the erasures, which the model was derived from.
        ema: Whether to take the EMA copy of its weights.
        accept_undecided: Whether to record erasures whose limits are undecided.
        watch: Receives the progress of the work.
        note: Reason, reference and author for the entries; None to keep each erasure's
            own.
    """

    onto: Path
    folder: Path
    policy: Policy
    rev: str = "HEAD"
    ema: bool = False
    accept_undecided: bool = False
    watch: Progress = field(default_factory=NoProgress)
    note: Note | None = None


@dataclass(frozen=True)
class Rebased:
    """Result of ``rebase``.

    Attributes:
        folder: The new ledger's folder.
        base: The pipeline folder of its base.
        entries: The new entries, oldest first.
        before: A finding for each concept in the derived model as given.
        after: The same with the erasures repeated.
    """

    folder: Path
    base: Path
    entries: tuple[Entry, ...]
    before: tuple[AuditFinding, ...]
    after: tuple[AuditFinding, ...]

    def __repr__(self) -> str:
        summary = ", ".join(f"{each.called} {each.word}" for each in self.after)
        return f"<Rebased on {self.base}, ledger in {self.folder}: {summary}>"

    def row(self) -> dict[str, Any]:
        """Return the fields as values for JSON."""
        return {
            "ledger": str(self.folder),
            "base": str(self.base),
            "entries": [entry.row() for entry in self.entries],
            "before": [each.row() for each in self.before],
            "after": [each.row() for each in self.after],
        }


@dataclass(frozen=True)
class RepeatedErasure:
    """One erasure that is repeated.

    Attributes:
        concepts: Its concepts.
        eraser: Its eraser.
        seed: Seed of its random numbers.
        delta: The change itself, where it was made elsewhere; None to compute it.
        note: The note of the original entry.
    """

    concepts: tuple[Concept, ...]
    eraser: EraserRecord
    seed: int = 0
    delta: Delta | None = None
    note: Note | None = None


def rebase(at: Session, request: RebaseRequest) -> Rebased:
    """Create a ledger on a derived model, and repeat a revision's erasures there.

    Joint groups are solved from the new weights and trained erasures are trained on
    them. Imported changes are added as they are, and so are composed ones where no
    entry of this ledger records the training. Both ledgers stay whole.

    The new ledger gets its name when it is complete. Where the process was interrupted,
    the same rebase continues after the last erasure that it recorded.

    Raises:
        UsageError: Nothing is erased, or a concept twice, or the folder exists.
        ModelError: The derived model cannot be read, or has other shapes.
        WrongBase: The model is not derived from this one.
        Refused: The policy refuses one of the erasures; no folder is left.
        LockBusy: Another process runs the same rebase.
    """
    at = at.at_rev(request.rev)
    scope, target = asked_of(at, request), expanded(request.folder).absolute()
    _check_new(target)
    made = derived_of(at, request)
    before = found(at, scope.live, made.weights, made, request)
    key = _key(at, scope, made, request)
    with (
        at.the_ledger().giving(target.parent),
        begun_folder(target, key) as folder,
    ):
        base = based(at, made, folder)
        hand_on(at.the_ledger(), _begun(folder, base))
        there = _place(at, folder, base)
        for again in scope.again[len(there.history()) :]:
            _made(at, there, again, request)
            there = there.caught_up()
        entries = tuple(entry for _, entry in there.history())
        weights = {**made.weights, **there.weights(there.head)}
        after = found(at, scope.live, weights, made, request)
    if base.is_relative_to(folder):
        base = target / base.relative_to(folder)
    return Rebased(target, base, entries, before, after)


def _key(
    at: Session, scope: RebaseScope, made: FinetunedModel, request: RebaseRequest
) -> Digest:
    """Return a digest of all inputs of a rebase."""
    again = [
        {
            "concepts": [asdict(concept) for concept in each.concepts],
            "eraser": each.eraser.model_dump(),
            "seed": each.seed,
            "delta": each.delta.digest if each.delta else "",
            "note": each.note.model_dump() if each.note else {},
        }
        for each in scope.again
    ]
    inputs = {
        "again": again,
        "base": at.manifest.root,
        "state": at.state_digest(),
        "onto": [str(expanded(made.path).absolute()), made.sha256, request.ema],
        "target": str(expanded(request.folder).absolute()),
        "policy": [request.policy.name, request.policy.judge, request.policy.rules],
        "accepted": request.accept_undecided,
        "note": request.note.model_dump() if request.note else {},
        "concepts": digest_of(at.concepts.read_bytes()),
        "computed": [str(at.model.device), str(at.model.dtype), versions()],
    }
    return digest_of(canonical_json(inputs))


def _begun(folder: Path, base: Path) -> Repository:
    """Return the ledger of a rebase, which may have been begun before."""
    with suppress(NoLedger):
        return Repository.open(folder)
    return init(folder, str(base))


@dataclass(frozen=True)
class RebaseScope:
    """The erasures of a rebase.

    Attributes:
        live: Every concept that is erased at the revision.
        again: The erasures to repeat.
    """

    live: tuple[Concept, ...]
    again: tuple[RepeatedErasure, ...]


def asked_of(at: Session, request: RebaseRequest) -> RebaseScope:
    """Return the erasures of a session that is pinned to the revision.

    Raises:
        UsageError: Nothing is erased, or a concept twice.
    """
    live = tuple(at.erased.values())
    if not live:
        raise UsageError(
            f"nothing is erased at '{request.rev}', so there is nothing to erase anew",
            fix="name a revision with an erasure: unlearnlog log",
        )
    again = tuple(orders(at, at.history()))
    _check_once(again, request.rev)
    return RebaseScope(live, again)


def derived_of(at: Session, request: RebaseRequest) -> FinetunedModel:
    """Read the model derived from a session that is pinned to the revision."""
    state = FinetuneBase(at.model, at.weights(at.head))
    return derived(request.onto, state, ema=request.ema)


def orders(
    at: Session, history: Sequence[tuple[EntryId, Entry]]
) -> Iterator[RepeatedErasure]:
    """Yield the erasures of a history, joint groups first, then in its order."""
    for group in joint_set.live_groups(history).values():
        if group.members:
            note = merged(_notes_of(history, group))
            yield RepeatedErasure(
                tuple(group.members.values()), group.eraser, note=note
            )
    gone = dropped([entry for _, entry in history])
    trained = _trained(at)
    for entry_id, entry in history:
        if entry.kind not in ERASING or entry_id in gone:
            continue
        for change in entry.changes:
            if isinstance(change, Append):
                all_of_it = entry.concepts
                own = meant_by(all_of_it, change.of) if change.of else all_of_it
                origin = entry if entry.kind == "import" else trained.get(change.object)
                made = origin or entry
                delta = None if made.kind == "erase" else at.delta(change.object)
                note = entry.note or made.note
                yield RepeatedErasure(own, made.eraser, made.seed, delta, note)


def _notes_of(
    history: Sequence[tuple[EntryId, Entry]], group: joint_set.JointSet
) -> Iterator[Note | None]:
    """Yield the note of each concept in a group, from the entry that erased it."""
    chain, live = dict(history), live_concepts(history)
    for concept in group.members.values():
        if concept.name in live:
            yield chain[live[concept.name][0]].note


def _trained(at: Session) -> dict[Digest, Entry]:
    """Return the entries of a ledger that computed an erasure, by its delta."""
    return {
        change.object: entry
        for entry in at.the_ledger().reachable().values()
        if entry.kind == "erase"
        for change in entry.changes
        if isinstance(change, Append)
    }


def _check_once(again: Sequence[RepeatedErasure], rev: str) -> None:
    """Refuse a history that erases a concept twice, before anything is computed."""
    names = [concept.name for each in again for concept in each.concepts]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(
            f"'{twice}' is erased more than once at '{rev}': a rebase can do it once",
            fix="revert one of its entries first: unlearnlog log",
        )


def based(at: Session, made: FinetunedModel, folder: Path) -> Path:
    """Return a pipeline folder of the derived model; write one where there is none.

    Args:
        at: The session, with its ledger and model.
        made: The derived model.
        folder: Folder that one is written into.

    Raises:
        UsageError: Tokens were added, which only the pipeline's own folder holds.
    """
    if made.is_plain:
        return expanded(made.path).absolute()
    if made.tokens:
        raise UsageError(
            f"'{made.path}' adds tokens, {', '.join(made.tokens)}, and is no plain "
            "pipeline that a ledger could begin on",
            fix="give its pipeline's folder, as save_pretrained writes it",
        )
    stored = at.model.folder.stored(*at.model.folder.weighed)
    if (folder / _MODEL).exists():  # complete, from an interrupted process
        return folder / _MODEL
    cast = {name: w.to(stored[name].dtype) for name, w in made.whole.items()}
    at.model.checkout(cast, folder / _MODEL, card=_CARD.format(name=made.path.name))
    return folder / _MODEL


def _made(
    at: Session, there: Session, again: RepeatedErasure, request: RebaseRequest
) -> None:
    """Record one repeated erasure in the new ledger."""
    erasure = order_of(at, again, request)
    if again.delta is None:
        outcome = add.add(there, erasure)
    else:
        outcome = add.add_delta(there, erasure, again.delta, again.eraser)
    if not outcome.entry.verdict.may_stand:
        add.raise_refused(outcome)


def order_of(
    at: Session, again: RepeatedErasure, request: RebaseRequest
) -> add.AddRequest:
    """Return the request that repeats one erasure."""
    return add.AddRequest(
        again.concepts,
        _rules(at, again, request),
        again.seed,
        accept_undecided=request.accept_undecided,
        watch=request.watch,
        note=inherited(request.note, [again.note]),
    )


def _rules(at: Session, again: RepeatedErasure, request: RebaseRequest) -> Policy:
    """Return the policy with the original eraser, without a limit on base presence.

    The concepts are usually not shown by the new base.
    """
    data = request.policy.model_dump()
    data["require"] = {"base_presence": 0.0}
    if again.delta is None:
        data["eraser"] = said_again(again.eraser.name, again.eraser.settings)
    if at.is_bundled and request.policy.judge == "auto":
        data["judge"] = "atelier"
    return Policy.of(data, request.policy.name)


def _place(at: Session, folder: Path, base: Path) -> Session:
    """Open the new ledger; its base is given, whatever the old one's settings are."""
    device, dtype = str(at.model.device), at.model.dtype
    return open_session(
        folder, concepts=at.concepts, device=device, dtype=dtype, base=base
    )


def found(
    at: Session,
    live: Sequence[Concept],
    weights: Weights,
    made: FinetunedModel,
    request: RebaseRequest,
) -> tuple[AuditFinding, ...]:
    """Return a finding for each concept in a model with these weights."""
    changed = replace(made, weights=weights)
    return AuditSession(at, live, changed, request.policy, request.watch).findings()


def _check_new(folder: Path) -> None:
    """Refuse a folder that exists, and one that cannot be made."""
    if folder.exists():
        raise UsageError(
            f"'{folder}' is there already", fix="give a folder that does not exist yet"
        )
    if not folder.parent.is_dir():
        raise UsageError(
            f"cannot make the folder '{folder}': there is no '{folder.parent}'",
            fix=f"mkdir -p '{folder.parent}'",
        )
