"""History, names of revisions, comparison and checks, as methods of the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearnlog.api.opened import Folder, OpenedLedger
from unlearnlog.errors import UsageError

if TYPE_CHECKING:
    from unlearnlog.commands.bisect import BisectResult
    from unlearnlog.commands.diff import Difference
    from unlearnlog.commands.push_pull import Upstream
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
    """The state of a ledger.

    Attributes:
        ledger: The ledger's folder.
        model: The base's name.
        branch: The branch of HEAD.
        head: The newest entry; None on the base.
        state: Digest of the weights at HEAD.
        erased: Names of the concepts that are erased, without those in doubt.
        in_doubt: Reasons for doubt, by the name of the erased concept.
        upstream: The remote's branch that the current one follows, with the numbers of
            entries ahead of it and behind it; None where there is none.
        sealed: Whether the state needs deltas that are sealed.
    """

    ledger: str
    model: str
    branch: str
    head: EntryId | None
    state: Digest
    erased: tuple[str, ...]
    in_doubt: Mapping[str, tuple[str, ...]]
    upstream: Upstream | None = None
    sealed: bool = False

    def row(self) -> dict[str, Any]:
        """Return the fields as ``status --json`` prints them."""
        named = {"head": self.head or "base", "erased": list(self.erased)}
        doubts = {name: list(why) for name, why in self.in_doubt.items()}
        row = {**asdict(self), **named, "in_doubt": doubts}
        if self.upstream is None:
            del row["upstream"]
        return row


class HistoryMethods(OpenedLedger):
    """Methods that read, name and compare revisions, and check the files on disk."""

    def log(self, rev: str = "HEAD", *, concept: str = "") -> list[Entry]:
        """List the entries up to a revision, newest first.

        Args:
            rev: The last revision.
            concept: A concept, by any of its names: only entries about it are listed.

        Raises:
            RevisionError: The revision names no entry.
            ConceptError: No entry is about the concept.
        """
        from unlearnlog.commands import blame

        entries = self.entries(rev)
        if concept:
            blame.check_recorded(entries, concept)
            entries = [entry for entry in entries if blame.is_about(entry, concept)]
        return entries[::-1]

    def moves(self) -> tuple[ReflogEntry, ...]:
        """List the positions of the branch, with its resets, oldest first."""
        return self.chain.moves

    def tree(self) -> dict[EntryId, Entry]:
        """Return every entry that is reachable from a branch or a tag, by id."""
        return self.chain.reachable()

    def show(self, rev: str = "HEAD") -> Entry | BaseManifest:
        """Return the entry of a revision; for ``base``, the manifest of the base.

        Raises:
            RevisionError: The revision names no entry.
        """
        chain = self.chain
        entry = chain.resolve(rev)
        return chain.base if entry is None else chain.entry(entry)

    def status(self) -> Status:
        """Return folder, model, branch, head, state and erased concepts of the ledger.

        Example::

            print(ledger.status().erased)
        """
        from unlearnlog.commands.push_pull import upstream_of
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
            upstream_of(chain),
            chain.is_sealed(chain.head),
        )

    def branch(self, name: str = "", rev: str = "HEAD") -> dict[str, EntryId | None]:
        """List the branches; create one first if a name is given.

        Args:
            name: A new branch; HEAD stays on its own.
            rev: The revision that the new branch begins at.

        Returns:
            The newest entry of each branch; None for a branch at the base.

        Raises:
            RevisionError: The name is invalid, or the revision names no entry.
            LedgerError: The branch exists already.
        """
        if name:
            self.chain.create_branch(name, rev)
        chain = self.chain
        refs = chain.refs
        return {each: refs[f"heads/{each}"] for each in chain.branches}

    def tag(
        self, name: str = "", rev: str = "HEAD", *, sign: bool = False
    ) -> dict[str, EntryId | None]:
        """List the tags; create one first if a name is given.

        Args:
            name: A new tag.
            rev: The revision that the new tag names.
            sign: Whether to sign it with the SSH key that ``sign.key`` names.

        Returns:
            The entry of each tag; None for a tag of the base.

        Raises:
            RevisionError: The name is invalid, or the revision names no entry.
            LedgerError: The tag exists already.
            UsageError: It is to be signed and cannot be.
        """
        if sign and not name:
            raise UsageError(
                "no tag is named to be signed", fix="unlearnlog tag -s NAME"
            )
        if name:
            self.chain.create_tag(name, rev, sign=sign)
        chain = self.chain
        refs = chain.refs
        return {each: refs[f"tags/{each}"] for each in chain.tags}

    def switch(self, name: str) -> EntryId | None:
        """Switch to another branch: later entries are recorded on it.

        Args:
            name: The branch.

        Returns:
            The branch's newest entry; None on the base.

        Raises:
            RevisionError: There is no such branch.
        """
        return self.chain.switch(name)

    def reset(self, rev: str) -> EntryId | None:
        """Move the branch to another entry; no entry is deleted.

        Args:
            rev: The revision to move to.

        Returns:
            The entry; None for the base.

        Raises:
            RevisionError: The revision names no entry.
        """
        return self.chain.reset(rev)

    def diff(self, one: str, other: str = "HEAD") -> Difference:
        """Compare two revisions, in weights and in readings.

        Args:
            one: The left revision.
            other: The right revision.

        Returns:
            The concepts and deltas of one side only, the tensors that differ with their
            relative norms, and the readings of both side by side.

        Raises:
            RevisionError: A revision names no entry.

        Example::

            print(ledger.diff("base", "HEAD").moved[0].share)
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
        """Find the first entry that brought a concept back, or that damaged a kept one.

        Args:
            concept: The concept's name.
            policy: Name, path or `Policy`: sample sizes, sampling, judge, limits. Empty
                for the configuration's, else that of the newest entry.
            watch: Receives the progress of the work.

        Returns:
            The entry, None if there is none, and every revision that was measured.

        Raises:
            ConceptError: The concept is unknown.
            UsageError: No judge is configured.

        Example::

            print(ledger.bisect("Monet").entry)
        """
        rules = self.rules(policy, about="HEAD")
        self.world.known(concept)
        self.check()
        from unlearnlog.commands import bisect

        with self._watching(watch) as shown:
            return bisect.bisect(self.place, concept, rules, shown)

    def fsck(
        self, *, full: bool = False, signers: Folder | None = None
    ) -> tuple[Damage, ...]:
        """Check every file of the ledger against its digest.

        Args:
            full: Whether to replay every entry as well.
            signers: A file of allowed signers: entries that none of them vouches for
                are damages. None for the configuration's, if ``sign.required`` is
                true there.

        Returns:
            The damages; empty for a sound ledger.

        Raises:
            Sealed: Every entry is to be replayed, and the deltas are sealed.
            UsageError: Signatures are asked for, and no file of signers is there.
        """
        from unlearnlog.commands import signatures, verify

        base, chain = self._settings.base, self.chain
        if full:
            chain.check_open(chain.head)
        damage = verify.replayed(self.folder, base) if full else chain.fsck()
        if signers is None and not signatures.is_required(chain):
            return damage
        file = None if signers is None else Path(signers)
        return (*damage, *signatures.beside(damage, chain, file))

    def gc(self, *, dry_run: bool = False) -> tuple[Garbage, ...]:
        """Remove files left by crashes, and cached work; no entry is deleted.

        Args:
            dry_run: Whether to remove nothing.

        Returns:
            The files that were removed, or would be.
        """
        return self.chain.collect(dry_run=dry_run)
