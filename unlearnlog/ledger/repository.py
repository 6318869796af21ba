"""The repository of a ledger: append entries, replay them, move branches.

The only mutable state of the project. Entries and deltas are never rewritten; only the
branch moves, one pointer, and each of its moves is logged.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

from unlearnlog.core.digest import Digest, merkle_root
from unlearnlog.core.entry import DeltaRecord, Drop, Entry, EntryId, SetGroup
from unlearnlog.core.gc_pause import uncollected
from unlearnlog.core.provenance import now
from unlearnlog.core.replay_plan import plan
from unlearnlog.core.suggestions import hint
from unlearnlog.errors import (
    IntegrityError,
    LedgerError,
    Moved,
    NoLedger,
    RevisionError,
)
from unlearnlog.ledger import label_cache, tensor_cache
from unlearnlog.ledger.base_manifest import BaseManifest
from unlearnlog.ledger.cache_folder import CacheFolder
from unlearnlog.ledger.cache_pages import Pages
from unlearnlog.ledger.checksummed import id_line
from unlearnlog.ledger.config_file import check_key, check_text
from unlearnlog.ledger.disk import Disk, Transaction, explaining
from unlearnlog.ledger.fsck import Damage, fsck
from unlearnlog.ledger.gc import Garbage, collect, garbage, remembered
from unlearnlog.ledger.init import created
from unlearnlog.ledger.lock import held
from unlearnlog.ledger.reflog import ReflogEntry
from unlearnlog.ledger.replay import Recorded, Replay
from unlearnlog.ledger.revision import HEAD, Names, check_name, clash, resolved
from unlearnlog.ledger.store import CACHE, FOLDER, Store, attack_digest
from unlearnlog.ledger.sum_cache import SumCache

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

    from unlearnlog.core.delta import Delta, Weights

_LOOKS: Final = 20
"""Most runs of `Repository.fsck` on a ledger that changes between them."""


class Repository:
    """A history of erasures, bound to one base model.

    Make one with `init`, `open` or `find`. Readers need no lock; `append` and
    `reset` take it, and either finish or leave the ledger as it was.

    Attributes:
        folder: The folder that holds ``.unlearnlog``.
    """

    def __init__(self, store: Store) -> None:
        """Use an existing store whose format is known."""
        self.folder: Final = store.root.parent
        self._store = store
        self._entries: dict[EntryId, Entry] = {}
        self._whole: set[EntryId] = set()  # read from the first entry to these
        self._base: BaseManifest | None = None
        self._sums = SumCache(CacheFolder(store.root / CACHE / "sums", store.disk))
        warned: set[type[UserWarning]] = set()
        self._pages = {
            name: Pages(
                CacheFolder(store.root / CACHE / name, store.disk), kept, said=warned
            )
            for name, kept in (
                ("painted", tensor_cache.KEPT),
                ("seen", label_cache.KEPT),
            )
        }
        self.shelf = tensor_cache.DiskTensorCache(self._pages["painted"])
        self.notebook = label_cache.DiskLabelCache(self._pages["seen"])

    @classmethod
    def init(
        cls, folder: Path, base: BaseManifest, *, disk: Disk | None = None
    ) -> Repository:
        """Create an empty ledger for a base model.

        Args:
            folder: Folder of ``.unlearnlog``; made if it does not exist.
            base: The base that the ledger is bound to.
            disk: The file system; another one in tests.

        Raises:
            LedgerError: There is a ledger already, or the folder is not writable.
        """
        return cls(created(folder.absolute(), base, disk or Disk()))

    @classmethod
    def open(cls, folder: Path, *, disk: Disk | None = None) -> Repository:
        """Open the ledger of a folder, or of the ``.unlearnlog`` folder itself.

        Raises:
            NoLedger: There is none.
            LedgerError: A newer program wrote it.
            IntegrityError: It is damaged.
        """
        folder = folder.absolute()
        root = folder if folder.name == FOLDER else folder / FOLDER
        if not root.is_dir():
            raise _none(f"there is no ledger in {folder}")
        store = Store(root, disk or Disk())
        store.check_format()
        return cls(store)

    @classmethod
    def find(cls, start: Path) -> Repository:
        """Open the ledger of a folder or of the nearest folder above it.

        Raises:
            NoLedger: There is none up to the file system's root.
        """
        start = start.absolute()
        for folder in (start, *start.parents):
            if (folder / FOLDER).is_dir():
                return cls.open(folder)
        raise _none(f"there is no ledger in {start} or in any folder above it")

    @property
    def base(self) -> BaseManifest:
        """The manifest of the model this ledger is bound to."""
        if self._base is None:
            self._base = self._store.base()
        return self._base

    @property
    def config(self) -> dict[str, str]:
        """The user's configuration, by key; only values that are set.

        Raises:
            UsageError: The file is not valid.
        """
        return self._store.config()

    def configure(self, key: str, value: str | None) -> None:
        """Set a value for every later command; the caller checks that it makes sense.

        Args:
            key: One of `unlearnlog.ledger.config_file.KEYS`.
            value: The value; None to remove it.

        Raises:
            UsageError: The key is unknown, or the value cannot be written to a file.
            LockBusy: Another writer holds the ledger.
        """
        check_key(key)
        if value is not None:
            check_text(key, value)
        with held(self._store.root), explaining():
            values = {**self.config, key: value}
            chosen = {k: each for k, each in values.items() if each is not None}
            self._store.sweep()
            with self._store.writing() as writing:
                self._store.put_config(writing, chosen)

    @property
    def branch(self) -> str:
        """Name of the branch that entries are appended to."""
        return self._store.branch()

    @property
    def head(self) -> EntryId | None:
        """The newest entry of the branch; None when it stands on the base."""
        return self._store.ref(f"heads/{self.branch}")

    @property
    def refs(self) -> dict[str, EntryId | None]:
        """Entry by ref, such as ``heads/main`` and ``tags/v1``."""
        return {name: self._store.ref(name) for name in self._store.ref_names()}

    @property
    def moves(self) -> tuple[ReflogEntry, ...]:
        """Every move of the branch, oldest first."""
        return tuple(self._store.moves(self.branch))

    def resolve(self, rev: str) -> EntryId | None:
        """Return the entry of a revision: an id's beginning, a ref, HEAD~2, base.

        Returns:
            The entry's id; None for the base.

        Raises:
            RevisionError: It names no entry, or more than one; lists near ones.
        """
        names = Names(self.refs, self.head, self._store.entry_ids())
        return resolved(rev, names, lambda entry: self.entry(entry).parent)

    def entry(self, entry: EntryId) -> Entry:
        """Read one entry.

        Raises:
            IntegrityError: It is missing, or not what was recorded.
        """
        if entry not in self._entries:
            self._entries[entry] = self._store.entry(entry)
        return self._entries[entry]

    def history(self, entry: EntryId | None) -> list[tuple[EntryId, Entry]]:
        """Return the chain up to an entry, oldest first; empty for the base."""
        chain: list[tuple[EntryId, Entry]] = []
        with uncollected():
            while entry is not None:
                chain.append((entry, self.entry(entry)))
                entry = chain[-1][1].parent
        return chain[::-1]

    def _new_branch(self, name: str) -> str:
        """Return the arguments that create a branch of a name, or at a tag of it."""
        return f"NAME {name}" if f"tags/{name}" in self.refs else name

    def reachable(self) -> dict[EntryId, Entry]:
        """Return every entry that a branch or a tag leads to."""
        found: dict[EntryId, Entry] = {}
        for entry in self.refs.values():
            while entry is not None and entry not in found:
                found[entry] = self.entry(entry)
                entry = found[entry].parent
        return found

    def plan(self, entry: EntryId | None) -> tuple[Digest, ...]:
        """Return the digests of the deltas of an entry's state, in replay order."""
        return plan([each for _, each in self.history(entry)])

    def delta(self, digest: Digest) -> Delta:
        """Read one delta.

        Raises:
            IntegrityError: It is missing or damaged; names the entries that need it.
        """
        try:
            return self._store.object(digest)
        except IntegrityError as error:
            users = [
                e[:12] for e in self._readable() if digest in self.entry(e).objects
            ]
            if not users:
                raise
            raise IntegrityError(
                f"{error.message}; entry {', '.join(users)} needs it",
                fix="put the file back from a copy of the ledger, or go back to before "
                f"it: unlearnlog reset {users[0]}~1",
            ) from error

    def state_digest(self, entry: EntryId | None) -> Digest:
        """Return the recorded digest of an entry's state."""
        if entry is None:
            return merkle_root((), self.base.root)
        return self.entry(entry).state.after

    def state(
        self, entry: EntryId | None, base: Weights, *, fresh: bool = False
    ) -> dict[str, torch.Tensor]:
        """Return the replayed weights of an entry, checked against the record.

        Args:
            entry: The entry; None for the base.
            base: The base's tensors, in their on-disk dtype; not changed.
            fresh: Sum all of its deltas, and use no stored sum.

        Returns:
            Only the tensors that the history touches, in the base's dtype. See
            `weights` for all of them.

        Raises:
            WrongBase: A tensor of ``base`` is not the ledger's.
            IntegrityError: A delta is damaged, or the result is not what was recorded.
        """
        return self._replay(entry).state(base, fresh=fresh)

    def change(self, entry: EntryId | None, base: Weights) -> dict[str, torch.Tensor]:
        """Return the exact change of an entry's state, checked like `state`.

        Returns:
            Float64 sums by tensor, before they are added to the base.
        """
        return self._replay(entry).change(base)

    def solved(self, group: str, key: Digest) -> Digest | None:
        """Return the delta of an earlier solution of a joint group, or None.

        Args:
            group: The group's name.
            key: Digest of the concepts with all of their fields.
        """
        for entry in self._readable():
            for change in self.entry(entry).changes:
                if isinstance(change, SetGroup) and (change.group, change.key) == (
                    group,
                    key,
                ):
                    return change.object
        return None

    def weights(
        self, entry: EntryId | None, base: Weights, *, fresh: bool = False
    ) -> dict[str, torch.Tensor]:
        """Return every tensor of ``base`` as it is after an entry, see `state`."""
        return {**base, **self.state(entry, base, fresh=fresh)}

    def attack(self, digest: Digest) -> dict[str, torch.Tensor]:
        """Read the tensors of an attack.

        Raises:
            IntegrityError: It is missing or damaged.
        """
        return self._store.attack(digest)

    def stage(self, entry: Entry, *deltas: Delta) -> None:
        """Write an entry that no branch leads to until another is appended on it.

        If none is appended, `collect` removes it.

        Raises:
            LockBusy: Another writer holds the ledger.
            DiskFull: There was no room; nothing was changed.
            ValueError: The entry does not fit its delta or its parent.
        """
        with held(self._store.root), explaining():
            self._check_fit(entry, deltas)
            self._store.sweep()
            with self._store.writing() as writing:
                for delta in deltas:
                    self._store.put_object(writing, delta)
                self._store.put_entry(writing, entry)

    def append(
        self,
        entry: Entry,
        *deltas: Delta,
        branch: str | None = None,
        attacks: Sequence[Mapping[str, torch.Tensor]] = (),
        under: Entry | None = None,
    ) -> EntryId:
        """Record an entry, durably, and move the branch to it.

        Args:
            entry: Its parent is the branch's head, or ``under``.
            deltas: Those of its deltas that are not on disk yet.
            branch: The branch; None for the current one.
            attacks: Tensors of its attacks that are not on disk yet.
            under: An entry that was staged on the branch's head, and is added with it.

        Raises:
            LockBusy: Another writer holds the ledger.
            Moved: The branch has moved since the entry was made.
            DiskFull: There was no room; nothing was changed.
            ValueError: The entry does not fit its delta or its parent.
        """
        with held(self._store.root), explaining():
            branch = branch or self.branch
            head = self._store.ref(f"heads/{branch}")
            if (under or entry).parent != head:
                raise Moved(
                    f"the ledger moved to {id_line(head)[:12]} of {branch} in the "
                    "meantime",
                    fix="run the same command again, on top of the new entry",
                )
            if under is not None and entry.parent != under.id:
                message = f"entry stands on {entry.parent}, not on {under.id}"
                raise ValueError(message)
            self._check_fit(entry, deltas)
            self._check_attacks(entry, attacks)
            self._store.sweep()
            with self._store.writing() as writing:
                for delta in deltas:
                    self._store.put_object(writing, delta)
                for tensors in attacks:
                    self._store.put_attack(writing, tensors)
                self._store.put_entry(writing, entry)
                self._move(writing, branch, (head, entry.id), why=entry.kind)
        self._whole.add(entry.id)
        return entry.id

    def reset(self, rev: str) -> EntryId | None:
        """Move the branch to another entry; nothing is removed.

        Returns:
            The new head; None for the base.

        Raises:
            RevisionError: ``rev`` names no entry, or more than one.
            LockBusy: Another writer holds the ledger.
        """
        with held(self._store.root), explaining():
            old, new = self.head, self.resolve(rev)
            self.history(new)
            if new != old:
                self._store.sweep()
                with self._store.writing() as writing:
                    self._move(writing, self.branch, (old, new), why=f"reset {rev}")
        return new

    def create_branch(self, name: str, rev: str = HEAD) -> EntryId | None:
        """Create a branch at a revision.

        Returns:
            Its entry; None for the base.

        Raises:
            RevisionError: The name cannot be one, or ``rev`` names no entry.
            LedgerError: There is such a branch or tag already.
        """
        return self._name("heads", name, rev)

    def create_tag(self, name: str, rev: str = HEAD) -> EntryId | None:
        """Create a tag at a revision; it never moves.

        Returns:
            Its entry; None for the base.

        Raises:
            RevisionError: The name cannot be one, or ``rev`` names no entry.
            LedgerError: There is such a branch or tag already.
        """
        return self._name("tags", name, rev)

    def switch(self, name: str) -> EntryId | None:
        """Switch to another branch: entries are appended there from now on.

        Returns:
            The new head; None for the base.

        Raises:
            RevisionError: There is no such branch.
            LockBusy: Another writer holds the ledger.
        """
        with held(self._store.root), explaining():
            if f"heads/{name}" not in self.refs:
                raise RevisionError(
                    f"there is no branch '{name}'",
                    fix=f"{hint(name, self.branches)}there are: "
                    f"{', '.join(self.branches)}; a new one: "
                    f"unlearnlog branch {self._new_branch(name)}",
                )
            with self._store.writing() as writing:
                self._store.put_branch(writing, name)
        return self.head

    @property
    def branches(self) -> tuple[str, ...]:
        """Names of all branches, sorted."""
        return self._short("heads")

    @property
    def tags(self) -> tuple[str, ...]:
        """Names of all tags, sorted."""
        return self._short("tags")

    def check_base(self, manifest: BaseManifest) -> None:
        """Refuse a model that is not the ledger's.

        Raises:
            WrongBase: The model differs; lists the first differences.
        """
        self.base.check_same(manifest)

    def complete_base(self, manifest: BaseManifest) -> bool:
        """Record the base's configurations and files where only its tensors are known.

        Args:
            manifest: Manifest of the model, checked to have the same tensors.

        Returns:
            Whether the manifest on disk was changed.

        Raises:
            LockBusy: Another writer holds the ledger.
            DiskFull: There was no room; nothing was changed.
        """
        if self.base.is_complete or not manifest.is_complete:
            return False
        with held(self._store.root), explaining():
            base = self._store.base()  # another command may have done it meanwhile
            if not base.is_complete:
                more = {"configs": manifest.configs, "files": manifest.files}
                base = base.model_copy(update=more)
                self._store.sweep()
                with self._store.writing() as writing:
                    writing.put(self._store.root / "base.json", base.to_json())
                self._base = base
                return True
        self._base = base
        return False

    def fsck(self) -> tuple[Damage, ...]:
        """Return all damage outside of the cache and the lock; empty means sound.

        Another command may be writing, so damage counts if two runs in a row find it.
        """
        agreed: tuple[Damage, ...] = ()
        found = fsck(self._store)
        for _ in range(_LOOKS if found else 0):
            again = fsck(self._store)
            known = {(damage.path, damage.problem) for damage in found}
            agreed = tuple(d for d in again if (d.path, d.problem) in known)
            if agreed or not again:
                break
            found = again
        return agreed

    def tidy(self) -> tuple[Damage, ...]:
        """Check the whole cache, and remove damaged files.

        A removed file is made again when it is needed.

        Returns:
            The removed files, with the reasons.
        """
        found: list[Damage] = []
        faults = chain(
            self._sums.faults(), *(each.faults() for each in self._pages.values())
        )
        for path, why in faults:
            with suppress(OSError):
                self._store.disk.unlink(path)
                found.append(Damage(self._store.below(path), why))
        return tuple(found)

    def _short(self, folder: str) -> tuple[str, ...]:
        start = f"{folder}/"
        names = self._store.ref_names()
        return tuple(n.removeprefix(start) for n in names if n.startswith(start))

    def _name(self, folder: str, name: str, rev: str) -> EntryId | None:
        """Write a new ref; for a branch its log, too."""
        check_name(name)
        with held(self._store.root), explaining():
            for kind, names in (("branch", self.branches), ("tag", self.tags)):
                for other in names:
                    if clash(name, other):
                        raise LedgerError(
                            f"there is a {kind} '{other}' already",
                            fix="choose another name",
                        )
            entry = self.resolve(rev)
            self.history(entry)
            self._store.sweep()
            with self._store.writing() as writing:
                if folder == "heads":
                    at = id_line(entry)
                    first = ReflogEntry(at=now(), old=at, new=at, why=f"branch {rev}")
                    self._store.begin_log(writing, name, first)
                self._store.put_ref(writing, f"{folder}/{name}", entry)
                self._store.put_name(writing, f"{folder}/{name}", entry)
        return entry

    def collect(self, *, dry_run: bool = False) -> tuple[Garbage, ...]:
        """Remove files left by crashes, and the cache; never recorded ones.

        Args:
            dry_run: Remove nothing, only return the files.

        Raises:
            IntegrityError: A ref, a log or an entry is damaged, so that the files it
                needs are unknown.
            LockBusy: Another writer holds the ledger.
        """
        with held(self._store.root), explaining():
            found = garbage(self._store)
            if not dry_run:
                collect(self._store, found)
        return found

    def giving(self, folder: Path) -> AbstractContextManager[None]:
        """Record, for as long as the context lasts, that a folder is written to.

        Drafts that a killed command left there are removed by `collect`.
        """
        return remembered(self._store, folder)

    def _replay(self, entry: EntryId | None) -> Replay:
        recorded = Recorded(id_line(entry), self.plan(entry), self.state_digest(entry))
        return Replay(recorded, self.base, self._sums, self.delta, self._store.parts)

    def _readable(self) -> list[EntryId]:
        """Return the entries that are not damaged."""
        found = []
        for entry in self._store.entry_ids():
            with suppress(IntegrityError):
                self.entry(entry)
                found.append(entry)
        return found

    def _check_fit(self, entry: Entry, deltas: Sequence[Delta]) -> None:
        """Refuse an entry that could not be replayed afterwards."""
        if Entry.from_json(entry.to_json()).state.before != (
            before := self.state_digest(entry.parent)
        ):
            message = f"entry starts from {entry.state.before}, its parent is {before}"
            raise ValueError(message)
        given = [DeltaRecord(digest=d.digest, n_bytes=d.n_bytes) for d in deltas]
        if given and entry.delta != (given[0] if len(given) == 1 else None):
            message = f"entry records {entry.delta}, its delta is {given[0]}"
            raise ValueError(message)
        wanted = {*entry.objects}
        brought = {record.digest for record in given}
        if strange := (brought | {r.digest for r in [entry.delta] if r}) - wanted:
            message = f"no change of the entry uses its delta {min(strange)}"
            raise ValueError(message)
        for delta in deltas:
            self.base.check_fits(delta)
        for digest in wanted - brought:
            self.base.check_fits(self.delta(digest))
        self._check_chain(entry)

    def _check_attacks(
        self, entry: Entry, brought: Sequence[Mapping[str, torch.Tensor]]
    ) -> None:
        """Refuse an entry with an attack that is neither given nor on disk."""
        wanted = {each.object for each in entry.attacks}
        given = {attack_digest(tensors) for tensors in brought}
        if strange := given - wanted:
            message = f"no attack of the entry is {min(strange)}"
            raise ValueError(message)
        for digest in wanted - given:
            self.attack(digest)

    def _check_chain(self, entry: Entry) -> None:
        """Refuse an entry with an unreadable history, or without what it drops."""
        if any(isinstance(change, Drop) for change in entry.changes):
            plan([*(each for _, each in self.history(entry.parent)), entry])
        elif entry.parent not in self._whole:
            self._whole.update(each for each, _ in self.history(entry.parent))

    def _move(
        self,
        writing: Transaction,
        branch: str,
        ends: tuple[EntryId | None, EntryId | None],
        *,
        why: str,
    ) -> None:
        """Point a branch at an entry that is on disk; the log is written first.

        Args:
            writing: The transaction.
            branch: The branch.
            ends: The old and the new entry.
            why: The reason, for the log.
        """
        old, new = ends
        move = ReflogEntry(at=now(), old=id_line(old), new=id_line(new), why=why)
        self._store.put_move(writing, branch, move)
        self._store.put_ref(writing, f"heads/{branch}", new)


def _none(message: str) -> NoLedger:
    return NoLedger(
        message,
        fix='create one with `unlearnlog init`, or with `unlearnlog add "Picasso"`',
    )
