"""Methods that read the history, and move along it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from unlearnlog.api.opened import OpenedLedger

if TYPE_CHECKING:
    from unlearnlog.commands.bisect import BisectResult
    from unlearnlog.commands.diff import Difference
    from unlearnlog.core.digest import Digest
    from unlearnlog.core.entry import Entry, EntryId
    from unlearnlog.core.progress import Progress
    from unlearnlog.ledger.base_manifest import BaseManifest
    from unlearnlog.ledger.fsck import Damage
    from unlearnlog.ledger.gc import Garbage
    from unlearnlog.ledger.reflog import ReflogEntry
    from unlearnlog.policy import Policy


@dataclass(frozen=True)
class Status:
    """Where a ledger stands.

    Attributes:
        ledger: Its folder.
        model: The base's name.
        branch: The branch that HEAD is on.
        head: The newest entry; None on the base.
        state: Digest of the weights there.
        erased: Names of what is erased there, beyond doubt.
        in_doubt: Why the erasure of others is not to be claimed, by name.
    """

    ledger: str
    model: str
    branch: str
    head: EntryId | None
    state: Digest
    erased: tuple[str, ...]
    in_doubt: Mapping[str, tuple[str, ...]]

    def row(self) -> dict[str, Any]:
        """Give it as ``status --json`` shows it."""
        named = {"head": self.head or "base", "erased": list(self.erased)}
        doubts = {name: list(why) for name, why in self.in_doubt.items()}
        return {**asdict(self), **named, "in_doubt": doubts}


class HistoryMethods(OpenedLedger):
    """Reads, names and compares revisions; checks what is on disk."""

    def log(self, rev: str = "HEAD") -> list[Entry]:
        """List the entries up to a revision, newest first.

        Raises:
            RevisionError: The revision names no entry.
        """
        return self.entries(rev)[::-1]

    def moves(self) -> tuple[ReflogEntry, ...]:
        """List where the branch has been, resets too, oldest first."""
        return self.chain.moves

    def tree(self) -> dict[EntryId, Entry]:
        """Return every entry that a branch or a tag leads to, by id."""
        return self.chain.reachable()

    def show(self, rev: str = "HEAD") -> Entry | BaseManifest:
        """Return the entry that a revision names; of ``base``, what the base is.

        Raises:
            RevisionError: The revision names no entry.
        """
        chain = self.chain
        entry = chain.resolve(rev)
        return chain.base if entry is None else chain.entry(entry)

    def status(self) -> Status:
        """Say where the ledger is, what it stands on and what is erased now."""
        from unlearnlog.core.active import live_concepts
        from unlearnlog.core.doubt import doubts

        chain = self.chain
        history = chain.history(chain.head)
        doubted = doubts(history)
        return Status(
            str(chain.folder),
            chain.base.source,
            chain.branch,
            chain.head,
            chain.state_digest(chain.head),
            tuple(name for name in live_concepts(history) if name not in doubted),
            doubted,
        )

    def branch(self, name: str = "", rev: str = "HEAD") -> dict[str, EntryId | None]:
        """List the branches, after beginning a new one if it is named.

        Args:
            name: A new branch; it is not switched to.
            rev: Where it begins.

        Returns:
            The entry of each branch; None of one that stands on the base.

        Raises:
            RevisionError: The name cannot be one, or the revision names no entry.
            LedgerError: There is such a branch.
        """
        if name:
            self.chain.create_branch(name, rev)
        chain = self.chain
        refs = chain.refs
        return {each: refs[f"heads/{each}"] for each in chain.branches}

    def tag(self, name: str = "", rev: str = "HEAD") -> dict[str, EntryId | None]:
        """List the tags, after naming a revision for good if a name is given.

        Args:
            name: A new tag.
            rev: What it names.

        Returns:
            The entry of each tag; None of one that names the base.

        Raises:
            RevisionError: The name cannot be one, or the revision names no entry.
            LedgerError: There is such a tag.
        """
        if name:
            self.chain.create_tag(name, rev)
        chain = self.chain
        refs = chain.refs
        return {each: refs[f"tags/{each}"] for each in chain.tags}

    def switch(self, name: str) -> EntryId | None:
        """Go to another branch: what is erased next is recorded there.

        Returns:
            Its newest entry; None on the base.

        Raises:
            RevisionError: There is no such branch.
        """
        return self.chain.switch(name)

    def reset(self, rev: str) -> EntryId | None:
        """Move to another entry; nothing that was recorded is lost.

        Returns:
            The entry; None for the base.

        Raises:
            RevisionError: The revision names no entry.
        """
        return self.chain.reset(rev)

    def diff(self, one: str, other: str = "HEAD") -> Difference:
        """Say what differs between two revisions, in weights and in readings.

        Raises:
            RevisionError: A revision names no entry.
        """
        for rev in (one, other):
            self.chain.resolve(rev)
        self.check()
        from unlearnlog.commands import diff as compare

        return compare.diff(self.place, one, other)

    def bisect(
        self,
        concept: str,
        *,
        policy: str | Policy = "",
        watch: Progress | None = None,
    ) -> BisectResult:
        """Find the first entry that brought a concept back, or that broke one.

        Args:
            concept: Its name.
            policy: How it is looked at, and who judges; else as the ledger's
                configuration or the newest entry has it.
            watch: Who wants to see it advance.

        Raises:
            ConceptError: Nobody knows the concept.
            UsageError: Nobody judges.
        """
        rules = self.rules(policy, about="HEAD")
        self.world.known(concept)
        self.check()
        from unlearnlog.commands import bisect

        with self._watching(watch) as shown:
            return bisect.bisect(self.place, concept, rules, shown)

    def fsck(self, *, full: bool = False) -> tuple[Damage, ...]:
        """Check that every file of the ledger is what was recorded.

        Args:
            full: Whether to replay every entry as well.

        Returns:
            What is not; nothing of a sound ledger.
        """
        from unlearnlog.commands import verify

        base = self._settings.base
        return verify.replayed(self.folder, base) if full else self.chain.fsck()

    def gc(self, *, dry_run: bool = False) -> tuple[Garbage, ...]:
        """Remove what crashes and caches left; nothing that was recorded.

        Args:
            dry_run: Whether to remove nothing.

        Returns:
            What was removed, or would be.
        """
        return self.chain.collect(dry_run=dry_run)
