"""The entries, refs and states of a ledger, read without a lock."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from unlearnlog.core.delta_kind import delta_kind
from unlearnlog.core.digest import Digest, merkle_root
from unlearnlog.core.entry import Entry, EntryId, SetGroup
from unlearnlog.core.gc_pause import uncollected
from unlearnlog.core.replay_plan import plan
from unlearnlog.errors import IntegrityError
from unlearnlog.ledger.base_manifest import BaseManifest
from unlearnlog.ledger.caches import Caches
from unlearnlog.ledger.checksummed import id_line
from unlearnlog.ledger.files_beside import sealed_only, signatures_by_subject, stored
from unlearnlog.ledger.fsck import Damage, fsck
from unlearnlog.ledger.incoming import LISTED, Incoming
from unlearnlog.ledger.ledger_file import LedgerFile
from unlearnlog.ledger.receiving import tracked
from unlearnlog.ledger.reflog import ReflogEntry
from unlearnlog.ledger.replay import Recorded, Replay
from unlearnlog.ledger.revision import Names, below, resolved
from unlearnlog.ledger.store import Store

if TYPE_CHECKING:
    import torch

    from unlearnlog.core.delta import Delta, Weights


class LedgerReader:
    """A history of erasures, as it is on disk.

    Attributes:
        folder: The folder that holds ``.unlearnlog``.
        shelf: The cache of tensors.
        notebook: The cache of judges' answers.
    """

    def __init__(self, store: Store) -> None:
        """Use an existing store whose format is known."""
        self.folder: Final = store.root.parent
        self._store = store
        self._entries: dict[EntryId, Entry] = {}
        self._whole: set[EntryId] = set()  # read from the first entry to these
        self._base: BaseManifest | None = None
        self._caches = Caches(store)
        self.shelf: Final = self._caches.shelf
        self.notebook: Final = self._caches.notebook

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

    @property
    def remotes(self) -> dict[str, str]:
        """Address of each remote, by name."""
        return self._store.remotes()

    def tracked(self, remote: str) -> dict[str, EntryId | None]:
        """Return where a remote's branches were when it was last asked, by name."""
        return tracked(self.refs, remote)

    def ancestors(self, entry: EntryId | None) -> set[EntryId]:
        """Return the ids of an entry and of all before it."""
        return {each for each, _ in self.history(entry)}

    def holds(self, entry: EntryId) -> bool:
        """Return whether an entry is on disk; its history is, too."""
        return self._store.entry_path(entry).exists()

    def has_file(self, file: LedgerFile) -> bool:
        """Return whether a file of this name is on disk."""
        return (self._store.root / file.path).exists()

    def file(self, file: LedgerFile) -> bytes:
        """Read the bytes of a file that travels.

        Raises:
            Sealed: Only the encrypted form of a delta or an attack is here.
            IntegrityError: They are missing, or not what the name says.
        """
        return self._store.file(file)

    @property
    def incoming(self) -> Incoming:
        """The files that have arrived from elsewhere and are not in place yet."""
        return Incoming(self._store)

    @property
    def lists(self) -> Incoming:
        """The lists of remotes that were read once; they never change."""
        return Incoming(self._store, LISTED)

    def stored(self, file: LedgerFile) -> list[LedgerFile]:
        """Return the files of a delta or an attack: itself, or its sealed copies."""
        return stored(self._store, file)

    @property
    def signatures(self) -> dict[str, list[LedgerFile]]:
        """The names of all signatures, by the SHA-256 of what is signed."""
        return signatures_by_subject(self._store)

    @property
    def sealed_files(self) -> list[LedgerFile]:
        """The names of the sealed files of what does not lie open as well."""
        return sealed_only(self._store)

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

    @property
    def branches(self) -> tuple[str, ...]:
        """Names of all branches, sorted."""
        return below("heads", self._store.ref_names())

    @property
    def tags(self) -> tuple[str, ...]:
        """Names of all tags, sorted."""
        return below("tags", self._store.ref_names())

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

    def delta_kind(self, entry: Entry) -> str:
        """Return the kind of an entry's own deltas; empty where it has none."""
        own = (self._store.changed_by(digest) for digest in entry.objects)
        return delta_kind(name for names in own for name in names)

    def touched(self) -> frozenset[str]:
        """Return the names of all tensors that some entry of a ref changes."""
        used = {d for entry in self.reachable().values() for d in entry.objects}
        return frozenset(n for digest in used for n in self._store.changed_by(digest))

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

    def check_base(self, manifest: BaseManifest) -> None:
        """Refuse a model that is not the ledger's.

        Raises:
            WrongBase: The model differs; lists the first differences.
        """
        self.base.check_same(manifest)

    def fsck(self) -> tuple[Damage, ...]:
        """Return all damage outside of the cache and the lock; empty means sound."""
        return fsck(self._store)

    def _replay(self, entry: EntryId | None) -> Replay:
        recorded = Recorded(id_line(entry), self.plan(entry), self.state_digest(entry))
        return Replay(
            recorded, self.base, self._caches.sums, self.delta, self._store.parts
        )

    def _readable(self) -> list[EntryId]:
        """Return the entries that are not damaged."""
        found = []
        for entry in self._store.entry_ids():
            with suppress(IntegrityError):
                self.entry(entry)
                found.append(entry)
        return found
