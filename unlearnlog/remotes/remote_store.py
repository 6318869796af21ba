"""The files of a remote, by name: the operations that a push and a fetch need."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol, TypeVar

from unlearnlog.core.visible import visible
from unlearnlog.errors import RemoteError, UnlearnlogError
from unlearnlog.remotes.remote_url import RemoteUrl, masked

T = TypeVar("T")

_SAID: Final = re.compile(r"<Message>([^<]+)</Message>")
_SHOWN: Final = 300
"""Characters of a library's message that are shown."""


class CannotCreate(Exception):  # noqa: N818 - reads as what happened
    """A store that cannot write a file only where there is none."""


class RemoteStore(Protocol):
    """Whole files below one address; a file is there whole or not at all.

    Attributes:
        at_once: Files that may travel at the same time.
        unasked: Bytes up to which a file is sent without asking whether it is there,
            because the question costs as much.
        writes: Whether it can be written to.
        together: Whether writes become visible with the next `create`, all at once.
        hint: What to check where it cannot be reached.
    """

    at_once: int
    unasked: int
    writes: bool
    together: bool
    hint: str

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a file; None if it does not exist."""

    def holds(self, name: str, n_bytes: int) -> bool:
        """Return whether there is a file of this size."""

    def names(self, folder: str) -> list[str] | None:
        """Return the names of all files below a folder; None where it cannot tell."""

    def write(self, name: str, data: bytes) -> None:
        """Write a whole file durably, or none."""

    def create(self, name: str, data: bytes) -> bool:
        """Write a file where there is none of its name; return whether it was written.

        Raises:
            CannotCreate: The store cannot.
        """

    def can_create(self) -> bool:
        """Return whether `create` keeps its promise, after a trial."""

    def remove(self, name: str) -> None:
        """Remove a file, if it exists."""

    def close(self) -> None:
        """End the connection."""


def creates_once(store: RemoteStore) -> bool:
    """Return whether a store refuses a second file of one name, after a trial."""
    name = f"tmp/{secrets.token_hex(8)}"
    try:
        return store.create(name, b"1") and not store.create(name, b"2")
    except CannotCreate:
        return False
    finally:
        store.remove(name)


class Connection:
    """A store whose faults are errors with a fix, and whose traffic is counted.

    Attributes:
        url: The address.
        name: The remote's name, for messages.
        n_requests: Operations so far.
        n_bytes: Bytes of files that were sent and received so far.
    """

    def __init__(self, store: RemoteStore, url: RemoteUrl, name: str) -> None:
        """Count nothing yet."""
        self.store = store
        self.url = url
        self.name = name
        self.n_requests = 0
        self.n_bytes = 0

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a file; None if it does not exist.

        Raises:
            RemoteError: The remote cannot be reached.
        """
        data = self._asked(lambda: self.store.read(name))
        self.n_bytes += len(data or b"")
        return data

    def holds(self, name: str, n_bytes: int) -> bool:
        """Return whether there is a file of this size.

        Raises:
            RemoteError: The remote cannot be reached.
        """
        return self._asked(lambda: self.store.holds(name, n_bytes))

    def names(self, folder: str) -> list[str] | None:
        """Return the names of all files below a folder; None where it cannot tell.

        Raises:
            RemoteError: The remote cannot be reached.
        """
        return self._asked(lambda: self.store.names(folder))

    def write(self, name: str, data: bytes) -> None:
        """Write a whole file durably, or none.

        Raises:
            RemoteError: The remote cannot be written to.
        """
        self._asked(lambda: self.store.write(name, data))
        self.n_bytes += len(data)

    def create(self, name: str, data: bytes) -> bool:
        """Write a file where there is none; return whether it was written.

        Raises:
            RemoteError: The remote cannot be written to.
        """
        self.n_bytes += len(data)
        return self._asked(lambda: self.store.create(name, data))

    def can_create(self) -> bool:
        """Return whether `create` keeps its promise, after a trial.

        Raises:
            RemoteError: The remote cannot be written to.
        """
        return self._asked(self.store.can_create)

    def remove(self, name: str) -> None:
        """Remove a file, if it exists.

        Raises:
            RemoteError: The remote cannot be written to.
        """
        self._asked(lambda: self.store.remove(name))

    def _asked(self, work: Callable[[], T]) -> T:
        self.n_requests += 1
        with _explained(self.name, self.url, self.store.hint):
            return work()


@contextmanager
def _explained(name: str, url: RemoteUrl, hint: str) -> Iterator[None]:
    """Turn what a store's library raises into an error with a fix.

    Each library has exceptions of its own, without a common kind.
    """
    try:
        yield
    except UnlearnlogError:
        raise
    except Exception as error:
        raise RemoteError(
            f"{name} ({url}) cannot be used: {_reason(error)}",
            fix=f"{hint}; then run the same again: of what has arrived at most small "
            "files are sent twice",
        ) from error


def _reason(error: Exception) -> str:
    """Return what a library says in one short line: its own, or its server's in XML."""
    text = str(error).strip()
    said = _SAID.search(text)
    first = said[1] if said else text.partition("\n")[0].partition(": <")[0]
    return visible(masked(first))[:_SHOWN] or type(error).__name__
