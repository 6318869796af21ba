"""The repository of a ledger: append entries, move branches, collect garbage.

The only mutable state of the project. Entries and deltas are never rewritten; only the
branch moves, one pointer, and each of its moves is logged.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from unlearnlog.core.entry import Drop, Entry, EntryId
from unlearnlog.core.provenance import now
from unlearnlog.core.replay_plan import plan
from unlearnlog.core.suggestions import hint
from unlearnlog.errors import LedgerError, Moved, NoLedger, RevisionError
from unlearnlog.ledger.base_manifest import BaseManifest
from unlearnlog.ledger.checksummed import id_line
from unlearnlog.ledger.config_file import check_key, check_text
from unlearnlog.ledger.disk import Disk, explaining
from unlearnlog.ledger.entry_fit import check_attacks, check_fit
from unlearnlog.ledger.exchanging_ledger import ExchangingLedger
from unlearnlog.ledger.fsck import Damage
from unlearnlog.ledger.gc import Garbage, collect, garbage, remembered
from unlearnlog.ledger.guarded_ledger import GuardedLedger
from unlearnlog.ledger.init import created
from unlearnlog.ledger.lock import held
from unlearnlog.ledger.reflog import ReflogEntry
from unlearnlog.ledger.revision import HEAD, check_name, clash
from unlearnlog.ledger.signature_files import put_signature, signed, tag_text
from unlearnlog.ledger.store import FOLDER, Store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

    from unlearnlog.core.delta import Delta


class Repository(ExchangingLedger, GuardedLedger):
    """A history of erasures, bound to one base model.

    Make one with `init`, `open` or `find`. Readers need no lock; `append` and
    `reset` take it, and either finish or leave the ledger as it was.
    """

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

    def stage(self, entry: Entry, *deltas: Delta) -> None:
        """Write an entry that no branch leads to until another is appended on it.

        If none is appended, `collect` removes it.

        Raises:
            LockBusy: Another writer holds the ledger.
            DiskFull: There was no room; nothing was changed.
            UsageError: Entries are to be signed, and this one cannot be.
            ValueError: The entry does not fit its delta or its parent.
        """
        signature = self._signature(entry)
        with held(self._store.root), explaining():
            check_fit(self, entry, deltas)
            self._check_chain(entry)
            self._store.sweep()
            with self._store.writing() as writing:
                for delta in deltas:
                    self._store.put_object(writing, delta)
                self._put_entry(writing, entry, signature)

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
            UsageError: Entries are to be signed, and this one cannot be.
            ValueError: The entry does not fit its delta or its parent.
        """
        signature = self._signature(entry)
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
            check_fit(self, entry, deltas)
            self._check_chain(entry)
            check_attacks(self, entry, attacks)
            self._store.sweep()
            with self._store.writing() as writing:
                for delta in deltas:
                    self._store.put_object(writing, delta)
                for tensors in attacks:
                    self._store.put_attack(writing, tensors)
                self._put_entry(writing, entry, signature)
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

    def create_tag(
        self, name: str, rev: str = HEAD, *, sign: bool = False
    ) -> EntryId | None:
        """Create a tag at a revision; it never moves.

        Args:
            name: The tag.
            rev: The revision.
            sign: Whether to sign it with the configured key.

        Returns:
            Its entry; None for the base.

        Raises:
            RevisionError: The name cannot be one, or ``rev`` names no entry.
            LedgerError: There is such a branch or tag already.
            UsageError: It is to be signed, and cannot be.
        """
        if not sign:
            return self._name("tags", name, rev)
        check_name(name)
        self._check_free(name)
        entry = self.resolve(rev)
        text = tag_text(name, entry, self.base.root)
        signature = signed(self.config, self.folder, text)
        return self._name("tags", name, id_line(entry), signature=signature)

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

    def _check_chain(self, entry: Entry) -> None:
        """Refuse an entry with an unreadable history, or without what it drops."""
        if any(isinstance(change, Drop) for change in entry.changes):
            plan([*(each for _, each in self.history(entry.parent)), entry])
        elif entry.parent not in self._whole:
            self._whole.update(each for each, _ in self.history(entry.parent))

    def _new_branch(self, name: str) -> str:
        """Return the arguments that create a branch of a name, or at a tag of it.

        A branch of a remote is followed by one of the same name.
        """
        remote = next((r for r in self.remotes if name in self.tracked(r)), "")
        if remote:
            return f"{name} {remote}/{name}"
        return f"NAME {name}" if f"tags/{name}" in self.refs else name

    def _check_free(self, name: str) -> None:
        """Refuse the name of a branch or a tag that there is already."""
        for kind, names in (("branch", self.branches), ("tag", self.tags)):
            for other in names:
                if clash(name, other):
                    raise LedgerError(
                        f"there is a {kind} '{other}' already",
                        fix="choose another name",
                    )

    def _name(
        self, folder: str, name: str, rev: str, *, signature: bytes | None = None
    ) -> EntryId | None:
        """Write a new ref; for a branch its log, for a tag its signature, too."""
        check_name(name)
        with held(self._store.root), explaining():
            self._check_free(name)
            entry = self.resolve(rev)
            self.history(entry)
            self._store.sweep()
            with self._store.writing() as writing:
                if folder == "heads":
                    at = id_line(entry)
                    first = ReflogEntry(at=now(), old=at, new=at, why=f"branch {rev}")
                    self._store.begin_log(writing, name, first)
                if signature is not None:
                    text = tag_text(name, entry, self.base.root)
                    put_signature(self._store, writing, text, signature)
                self._store.put_ref(writing, f"{folder}/{name}", entry)
                self._store.put_name(writing, f"{folder}/{name}", entry)
        return entry

    def tidy(self) -> tuple[Damage, ...]:
        """Check the whole cache, and remove damaged files.

        A removed file is made again when it is needed.

        Returns:
            The removed files, with the reasons.
        """
        found: list[Damage] = []
        for path, why in self._caches.faults():
            with suppress(OSError):
                self._store.disk.unlink(path)
                found.append(Damage(self._store.below(path), why))
        return tuple(found)

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


def _none(message: str) -> NoLedger:
    return NoLedger(
        message,
        fix='create one with `unlearnlog init`, or with `unlearnlog add "Picasso"`',
    )
