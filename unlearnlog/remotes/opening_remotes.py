"""The store of an address."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from unlearnlog.errors import UsageError
from unlearnlog.remotes.remote_store import Connection, RemoteStore
from unlearnlog.remotes.remote_url import RemoteUrl

_LEDGER = ".unlearnlog"


@contextmanager
def connected(url: RemoteUrl, name: str, *, to_write: bool) -> Iterator[Connection]:
    """Yield the connection to a remote, and end it afterwards.

    Args:
        url: The address.
        name: The remote's name, for messages.
        to_write: Whether files will be written.

    Raises:
        UsageError: It can only be read, or a package is missing, or the address is that
            of a working ledger.
    """
    store = _store_of(url, to_write=to_write)
    if to_write and not store.writes:
        raise UsageError(
            f"{name} ({url}) can only be read",
            fix="push to where its files lie: a path, sftp://, s3://, gs:// or hf://",
        )
    try:
        yield Connection(store, url, name)
    finally:
        store.close()


def _store_of(url: RemoteUrl, *, to_write: bool) -> RemoteStore:
    """Return the store of an address; it connects on first use."""
    if url.scheme == "file":
        return _store_of_folder(Path(url.path), to_write=to_write)
    if url.scheme == "sftp":
        from unlearnlog.remotes.sftp_store import SftpStore

        return SftpStore(url)
    if url.scheme == "hf":
        from unlearnlog.remotes.hub_store import HubStore

        return HubStore(url)
    from unlearnlog.remotes.object_store import ObjectStore

    return ObjectStore(url)


def _store_of_folder(folder: Path, *, to_write: bool) -> RemoteStore:
    """Return the store of a folder: of a remote, or of a ledger to read."""
    from unlearnlog.remotes.ledger_store import LedgerStore
    from unlearnlog.remotes.path_store import PathStore

    if (folder / _LEDGER).is_dir() and not to_write:
        return LedgerStore(folder)
    if _LEDGER in folder.parts or (folder / _LEDGER).exists():
        raise UsageError(
            f"'{folder}' is a ledger that is worked on: a push would move its branch",
            fix="push to a place of its own, and pull there: unlearnlog remote add "
            f"shared {folder}-remote; unlearnlog push shared",
        )
    if to_write and not folder.parent.is_dir():
        raise UsageError(
            f"there is no folder '{folder.parent}' for the remote",
            fix=f"mkdir -p '{folder.parent}'",
        )
    return PathStore(folder)
