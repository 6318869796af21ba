"""A remote in a repository of the hub, ``hf://``: a push is one commit.

The commit names the one it follows, and the hub refuses it where another came first.
The token is the hub library's own: ``hf auth login`` or ``HF_TOKEN``.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from huggingface_hub import CommitOperationAdd, HfApi, HfFileSystem
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError

if TYPE_CHECKING:
    from unlearnlog.remotes.remote_url import RemoteUrl

_REFS: Final = "refs/"
_OF_THE_HUB: Final = frozenset({".gitattributes", "README.md"})
"""Files that the hub itself puts into a new repository, or shows as its card."""
_TAKEN: Final = (409, 412)
"""HTTP status of a commit that does not follow the newest one."""


class HubStore:
    """Files of a repository, read at one commit, and written with the next one."""

    at_once = 4
    unasked = 0
    writes = True
    together = True

    def __init__(self, url: RemoteUrl) -> None:
        """Name the repository; nothing is asked yet."""
        parts = f"{url.host}{url.path}".split("/")
        kinds = {"datasets": "dataset", "models": "model"}
        self._kind = kinds.get(parts[0], "model")
        parts = parts[1:] if parts[0] in kinds else parts
        self._repository = "/".join(parts[:2])
        self._prefix = "".join(f"{each}/" for each in parts[2:])
        self._api: Final = HfApi()
        self._commit = ""
        self._waiting: dict[str, CommitOperationAdd] = {}
        self.hint = (
            f"see whether the repository is there and yours: hf repos create "
            f"{self._repository} --type {self._kind} --private; hf auth login"
        )

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a file; None if it does not exist.

        Refs are read at the newest commit, and other files at the commit of the refs.
        """
        if name.startswith(_REFS) or not self._commit:
            self._refresh()
        top = "datasets/" if self._kind == "dataset" else ""
        path = f"{top}{self._repository}@{self._commit}/{self._prefix}{name}"
        try:
            return bytes(HfFileSystem(use_listings_cache=False).cat_file(path))
        except FileNotFoundError:
            return None

    def holds(self, name: str, n_bytes: int) -> bool:
        """Return whether there is a file of this size, or one that waits."""
        if name in self._waiting:
            return True
        if not self._commit:
            self._refresh()
        found = self._api.get_paths_info(
            self._repository,
            [self._prefix + name],
            revision=self._commit,
            repo_type=self._kind,
        )
        return any(getattr(each, "size", None) == n_bytes for each in found)

    def names(self, folder: str) -> list[str]:
        """Return the names of all files below a folder."""
        if not self._commit:
            self._refresh()
        with suppress(EntryNotFoundError):
            found = self._api.list_repo_tree(
                self._repository,
                self._prefix + folder or None,
                recursive=True,
                revision=self._commit,
                repo_type=self._kind,
            )
            return sorted(
                each.path.removeprefix(self._prefix)
                for each in found
                if hasattr(each, "size") and each.path not in _OF_THE_HUB
            )
        return []

    def write(self, name: str, data: bytes) -> None:
        """Upload a file; it is there with the next commit."""
        added = CommitOperationAdd(self._prefix + name, data)
        self._api.preupload_lfs_files(
            self._repository, [added], repo_type=self._kind, free_memory=False
        )
        self._waiting[name] = added

    def create(self, name: str, data: bytes) -> bool:
        """Commit a file with all that wait, where nothing else was committed since.

        Returns:
            Whether it was committed.
        """
        added = CommitOperationAdd(self._prefix + name, data)
        try:
            self._api.create_commit(
                self._repository,
                [*self._waiting.values(), added],
                commit_message=f"Push {name}",
                repo_type=self._kind,
                parent_commit=self._commit or None,
            )
        except HfHubHTTPError as error:
            if getattr(error.response, "status_code", 0) in _TAKEN:
                return False
            raise
        self._waiting.clear()
        return True

    def can_create(self) -> bool:
        """Return True: a commit follows the one that it names."""
        return True

    def remove(self, name: str) -> None:
        """Remove nothing: a repository needs no lock, and keeps what it has."""

    def close(self) -> None:
        """End nothing: each request is a connection of its own."""

    def _refresh(self) -> None:
        """Note the newest commit."""
        found = self._api.repo_info(self._repository, repo_type=self._kind)
        self._commit = found.sha or ""
