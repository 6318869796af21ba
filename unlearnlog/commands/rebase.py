"""``rebase``: erase anew, on a model that somebody made of this one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearnlog.audits.verdict import AuditFinding
from unlearnlog.checkpoints.finetuned_model import FinetuneBase, FinetunedModel, derived
from unlearnlog.commands import add, audit, joint_set
from unlearnlog.commands.defaults import hand_on
from unlearnlog.commands.session import Session, init, open_session
from unlearnlog.core.active import ERASING, live_concepts
from unlearnlog.core.concept import Concept, meant_by
from unlearnlog.core.delta import Weights
from unlearnlog.core.digest import canonical_json, digest_of
from unlearnlog.core.entry import Append, Entry, EntryId, EraserRecord, dropped
from unlearnlog.core.note import Note, inherited, merged
from unlearnlog.core.plain_files import expanded
from unlearnlog.core.progress import NoProgress
from unlearnlog.core.provenance import versions
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
"""Folder of the new base, where what was given is no pipeline by itself."""


@dataclass(frozen=True)
class RebaseRequest:
    """What somebody wants to be erased anew.

    Attributes:
        onto: What was made of the model: a folder, a file, a LoRA.
        folder: A new folder, for the new ledger.
        policy: How it is measured, and what must hold.
        rev: Whose erasures, and what it was made of.
        ema: Whether to take the EMA copy of its weights.
        accept_undecided: Whether doubt is no reason to refuse an erasure.
        watch: Receives the progress of the work.
        note: What people say of it; None to keep what was said of each erasure.
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
    """What a rebase did.

    Attributes:
        folder: Where the new ledger is.
        base: The pipeline folder that it stands on.
        entries: The new entries, oldest first.
        before: What was to be said of each concept in the model as it was given.
        after: The same with the erasures made anew.
    """

    folder: Path
    base: Path
    entries: tuple[Entry, ...]
    before: tuple[AuditFinding, ...]
    after: tuple[AuditFinding, ...]

    def __repr__(self) -> str:
        said = ", ".join(f"{each.called} {each.word}" for each in self.after)
        return f"<Rebased on {self.base}, ledger in {self.folder}: {said}>"

    def row(self) -> dict[str, Any]:
        """Return the fields as values for JSON."""
        return {
            "ledger": str(self.folder),
            "base": str(self.base),
            "entries": [entry.row() for entry in self.entries],
            "before": [audit.row_of(each) for each in self.before],
            "after": [audit.row_of(each) for each in self.after],
        }


@dataclass(frozen=True)
class RepeatedErasure:
    """One erasure that is to be made anew.

    Attributes:
        concepts: What it erases.
        eraser: How.
        seed: Where its random numbers start.
        delta: The change itself, where it was made elsewhere; None to compute it.
        note: What was said of it.
    """

    concepts: tuple[Concept, ...]
    eraser: EraserRecord
    seed: int = 0
    delta: Delta | None = None
    note: Note | None = None


def rebase(at: Session, wish: RebaseRequest) -> Rebased:
    """Begin a ledger on what was made of a state, and erase there what is erased here.

    Joint groups are solved from its weights, trained erasures are trained on them, and
    what was imported is added as it is; so is what was composed, where no entry of this
    ledger tells how it was trained. Both ledgers stay whole.

    The new one gets its name when all of it is there. Where the process is killed or
    interrupted before, the same rebase goes on after the last erasure that it made.

    Raises:
        UsageError: Nothing is erased, or something twice, or the folder is there.
        ModelError: What is given cannot be read, or is not of this model's shape.
        WrongBase: It is no descendant of this model.
        Refused: The policy refuses one of the erasures; nothing is left behind.
        LockBusy: Another process makes the same.
    """
    at = at.at_rev(wish.rev)
    asked, target = asked_of(at, wish), expanded(wish.folder).absolute()
    _check_new(target)
    made = derived_of(at, wish)
    before = found(at, asked.live, made.weights, made, wish)
    key = _key(at, asked, made, wish)
    with (
        at.the_ledger().giving(target.parent),
        begun_folder(target, key) as folder,
    ):
        base = based(at, made, folder)
        hand_on(at.the_ledger(), _begun(folder, base))
        there = _place(at, folder, base)
        for again in asked.again[len(there.history()) :]:
            _made(at, there, again, wish)
            there = there.caught_up()
        entries = tuple(entry for _, entry in there.history())
        weights = {**made.weights, **there.weights(there.head)}
        after = found(at, asked.live, weights, made, wish)
    if base.is_relative_to(folder):
        base = target / base.relative_to(folder)
    return Rebased(target, base, entries, before, after)


def _key(
    at: Session, asked: RebaseScope, made: FinetunedModel, wish: RebaseRequest
) -> Digest:
    """Return a digest of all that decides what a rebase makes."""
    again = [
        {
            "concepts": [asdict(concept) for concept in each.concepts],
            "eraser": each.eraser.model_dump(),
            "seed": each.seed,
            "delta": each.delta.digest if each.delta else "",
            "note": each.note.model_dump() if each.note else {},
        }
        for each in asked.again
    ]
    said = {
        "again": again,
        "base": at.manifest.root,
        "state": at.state_digest(),
        "onto": [str(expanded(made.path).absolute()), made.sha256, wish.ema],
        "target": str(expanded(wish.folder).absolute()),
        "policy": [wish.policy.name, wish.policy.judge, wish.policy.rules],
        "accepted": wish.accept_undecided,
        "note": wish.note.model_dump() if wish.note else {},
        "concepts": digest_of(at.concepts.read_bytes()),
        "computed": [str(at.model.device), str(at.model.dtype), versions()],
    }
    return digest_of(canonical_json(said))


def _begun(folder: Path, base: Path) -> Repository:
    """Return the ledger of a rebase, which may have been begun before."""
    with suppress(NoLedger):
        return Repository.open(folder)
    return init(folder, str(base))


@dataclass(frozen=True)
class RebaseScope:
    """What a rebase is about.

    Attributes:
        live: Every concept that is erased at the revision.
        again: The erasures that are made anew.
    """

    live: tuple[Concept, ...]
    again: tuple[RepeatedErasure, ...]


def asked_of(at: Session, wish: RebaseRequest) -> RebaseScope:
    """Return what is erased at a place that is pinned to the revision.

    Raises:
        UsageError: Nothing is, or something twice.
    """
    live = tuple(at.erased.values())
    if not live:
        raise UsageError(
            f"nothing is erased at '{wish.rev}', so there is nothing to erase anew",
            fix="name a revision with an erasure: unlearnlog log",
        )
    again = tuple(orders(at, at.history()))
    _check_once(again, wish.rev)
    return RebaseScope(live, again)


def derived_of(at: Session, wish: RebaseRequest) -> FinetunedModel:
    """Read what was made of the state at a place that is pinned to the revision."""
    state = FinetuneBase(at.model, at.weights(at.head))
    return derived(wish.onto, state, ema=wish.ema)


def orders(
    at: Session, history: Sequence[tuple[EntryId, Entry]]
) -> Iterator[RepeatedErasure]:
    """Yield what is erased in a history, joint groups first, then in its order."""
    for group in joint_set.live_groups(history).values():
        if group.members:
            note = merged(_said_of(history, group))
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


def _said_of(
    history: Sequence[tuple[EntryId, Entry]], group: joint_set.JointSet
) -> Iterator[Note | None]:
    """Yield what was said of each concept that a group holds, by who erased it."""
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
    """Refuse what erases a concept twice, before anything is computed."""
    names = [concept.name for each in again for concept in each.concepts]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(
            f"'{twice}' is erased more than once at '{rev}'; anew it can be once",
            fix="revert one of its entries first: unlearnlog log",
        )


def based(at: Session, made: FinetunedModel, folder: Path) -> Path:
    """Return a pipeline folder of what was read; write one where diffusers has none.

    Args:
        at: The ledger's model.
        made: What was made of it.
        folder: Where one is written.

    Raises:
        UsageError: Tokens were added, which only the whole pipeline's folder knows.
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
    if (folder / _MODEL).exists():  # whole, from a process that died later
        return folder / _MODEL
    cast = {name: w.to(stored[name].dtype) for name, w in made.weights.items()}
    at.model.checkout(cast, folder / _MODEL, card=_CARD.format(name=made.path.name))
    return folder / _MODEL


def _made(
    at: Session, there: Session, again: RepeatedErasure, wish: RebaseRequest
) -> None:
    """Make one erasure anew in the new ledger."""
    order = order_of(at, again, wish)
    if again.delta is None:
        outcome = add.add(there, order)
    else:
        outcome = add.add_delta(there, order, again.delta, again.eraser)
    if not outcome.entry.verdict.may_stand:
        add.raise_refused(outcome)


def order_of(
    at: Session, again: RepeatedErasure, wish: RebaseRequest
) -> add.AddRequest:
    """Return the order by which one erasure is made anew."""
    return add.AddRequest(
        again.concepts,
        _rules(at, again, wish),
        again.seed,
        accept_undecided=wish.accept_undecided,
        watch=wish.watch,
        note=inherited(wish.note, [again.note]),
    )


def _rules(at: Session, again: RepeatedErasure, wish: RebaseRequest) -> Policy:
    """Return the policy with the eraser of old, for a base that need not paint it.

    What was erased is gone from the new base already, as a rule.
    """
    data = wish.policy.model_dump()
    data["require"] = {"base_presence": 0.0}
    if again.delta is None:
        data["eraser"] = said_again(again.eraser.name, again.eraser.settings)
    if at.is_bundled and wish.policy.judge == "auto":
        data["judge"] = "atelier"
    return Policy.of(data, wish.policy.name)


def _place(at: Session, folder: Path, base: Path) -> Session:
    """Open the new ledger; its base is known, whatever is said of the old one's."""
    device, dtype = str(at.model.device), at.model.dtype
    return open_session(
        folder, concepts=at.concepts, device=device, dtype=dtype, base=base
    )


def found(
    at: Session,
    live: Sequence[Concept],
    weights: Weights,
    made: FinetunedModel,
    wish: RebaseRequest,
) -> tuple[AuditFinding, ...]:
    """Say of each concept whether it shows in a model with these weights."""
    asked = audit.AuditRequest(wish.onto, wish.policy, wish.rev, watch=wish.watch)
    return audit.AuditSession(
        at, live, replace(made, weights=weights), asked
    ).findings()


def _check_new(folder: Path) -> None:
    """Refuse a folder that is there, and one that cannot be made."""
    if folder.exists():
        raise UsageError(
            f"'{folder}' is there already", fix="give a folder that does not exist yet"
        )
    if not folder.parent.is_dir():
        raise UsageError(
            f"cannot make the folder '{folder}': there is no '{folder.parent}'",
            fix=f"mkdir -p '{folder.parent}'",
        )
