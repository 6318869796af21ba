"""Copies of the ledger elsewhere, as methods of the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

from unlearnlog.api.opened import OpenedLedger

if TYPE_CHECKING:
    from unlearnlog.commands.clone import CloneResult
    from unlearnlog.commands.push_pull import (
        FetchResult,
        PullResult,
        PushResult,
        Upstream,
    )
    from unlearnlog.core.entry import EntryId
    from unlearnlog.core.progress import Progress


class RemoteMethods(OpenedLedger):
    """Methods that exchange a history with remotes: clone, push, fetch, pull."""

    @classmethod
    def clone(
        cls,
        url: str,
        folder: str | Path | None = None,
        *,
        branch: str = "",
        base: str | Path | None = None,
        watch: Progress | None = None,
    ) -> Self:
        """Copy a remote into a new ledger.

        The weights of the base do not travel: the new ledger knows them by digest.

        Args:
            url: A path, ``sftp://``, ``s3://``, ``gs://``, ``hf://`` or ``https://``.
            folder: The new ledger's folder; None for one named as the address ends.
            branch: The branch to be on; empty for the remote's own.
            base: Where the base is on this machine; kept in the configuration.
            watch: Receives the progress of the work.

        Returns:
            The opened ledger; the remote is its ``origin``.

        Raises:
            UsageError: The address is none, or holds a password.
            LedgerError: There is a ledger in the folder already.
            RemoteError: The remote cannot be reached, or holds no ledger.
            IntegrityError: A file there is damaged.

        Example::

            ledger = Ledger.clone("sftp://models.example.org/srv/ledger", "ledger")
        """
        made = cls.copied(url, folder, branch=branch, base=base, watch=watch)
        return cls.open(made.ledger)

    @staticmethod
    def copied(
        url: str,
        folder: str | Path | None = None,
        *,
        branch: str = "",
        base: str | Path | None = None,
        watch: Progress | None = None,
    ) -> CloneResult:
        """Copy a remote as `clone` does; return what was copied.

        Args:
            url: The address.
            folder: The new ledger's folder; None for one named as the address ends.
            branch: The branch to be on; empty for the remote's own.
            base: Where the base is on this machine; kept in the configuration.
            watch: Receives the progress of the work.

        Returns:
            The folder, the branch, and whether the base is on this machine.
        """
        from unlearnlog.commands.clone import clone
        from unlearnlog.core.progress import NoProgress

        return clone(
            url,
            None if folder is None else Path(folder),
            branch=branch,
            base=None if base is None else Path(base),
            watch=watch or NoProgress(),
        )

    @property
    def remotes(self) -> dict[str, str]:
        """The address of each remote, by name."""
        return self.chain.remotes

    def add_remote(self, name: str, url: str) -> None:
        """Give an address a name; nothing is asked there.

        Args:
            name: A name, such as ``origin``.
            url: A path, ``sftp://``, ``s3://``, ``gs://``, ``hf://`` or ``https://``.

        Raises:
            RevisionError: The name cannot be one.
            UsageError: The address is none, or holds a password; or the name is taken.
        """
        from unlearnlog.commands.named_remotes import add_remote

        add_remote(self.chain, name, url)

    def remove_remote(self, name: str) -> None:
        """Remove a remote's name, and what is known of its branches.

        Raises:
            UsageError: There is no such remote.
        """
        from unlearnlog.commands.named_remotes import remove_remote

        remove_remote(self.chain, name)

    def remote_branches(self) -> dict[str, EntryId | None]:
        """Return where each remote's branches were, such as ``origin/main``."""
        chain = self.chain
        return {
            f"{remote}/{name}": entry
            for remote in chain.remotes
            for name, entry in chain.tracked(remote).items()
        }

    def upstream(self) -> Upstream | None:
        """Return how far the branch is ahead of the remote's, and how far behind it."""
        from unlearnlog.commands.push_pull import upstream_of

        return upstream_of(self.chain)

    def push(
        self,
        remote: str = "",
        *names: str,
        all_branches: bool = False,
        tags: bool = False,
        force_with_lease: bool | Mapping[str, str] = False,
        watch: Progress | None = None,
    ) -> PushResult:
        """Send branches and tags to a remote; a push that would lose work is refused.

        Args:
            remote: The remote; empty for ``origin``, or for the only one.
            names: Branches and tags; none for the current branch.
            all_branches: Whether all branches are pushed.
            tags: Whether all tags are pushed.
            force_with_lease: Whether branches may move to an entry that does not
                continue the remote's, if that is where it was last seen here; or the
                revision where it must be, by branch.
            watch: Receives the progress of the work.

        Returns:
            What moved there, and what was sent.

        Raises:
            Diverged: The remote has entries that would be lost; nothing was moved.
            RemoteError: The remote cannot be reached or written to.
            WrongBase: The remote belongs to another model.

        Example::

            ledger.add_remote("origin", "s3://bucket/ledger")
            ledger.push()
        """
        from unlearnlog.commands.push_pull import PushRequest, push_to

        where = force_with_lease if isinstance(force_with_lease, Mapping) else None
        request = PushRequest(
            remote,
            names,
            with_all=all_branches,
            with_tags=tags,
            is_leased=bool(force_with_lease),
            expected=where,
        )
        with self._watching(watch) as shown:
            return push_to(self.chain, request, shown)

    def fetch(self, remote: str = "", *, watch: Progress | None = None) -> FetchResult:
        """Bring what a remote has; its branches are ``REMOTE/BRANCH`` here.

        Args:
            remote: The remote; empty for ``origin``, or for the only one.
            watch: Receives the progress of the work.

        Returns:
            What moved there, and what was fetched.

        Raises:
            IntegrityError: A file there is damaged; nothing was taken.
            RemoteError: The remote cannot be reached, or holds no ledger.
            WrongBase: The remote belongs to another model.
        """
        from unlearnlog.commands.push_pull import fetch_from

        with self._watching(watch) as shown:
            return fetch_from(self.chain, remote, shown)

    def pull(
        self, remote: str = "", branch: str = "", *, watch: Progress | None = None
    ) -> PullResult:
        """Fetch, then move the current branch forward to the remote's.

        Args:
            remote: The remote; empty for ``origin``, or for the only one.
            branch: The remote's branch; empty for the one of the same name.
            watch: Receives the progress of the work.

        Returns:
            What was fetched, and where the branch was and is.

        Raises:
            Diverged: Both have moved; the branch did not.
            IntegrityError: A file there is damaged; nothing was taken.
        """
        from unlearnlog.commands.push_pull import pull_from

        with self._watching(watch) as shown:
            return pull_from(self.chain, remote, branch, shown)
