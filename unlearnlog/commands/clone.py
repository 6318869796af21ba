"""The copy of a remote as a new ledger, and where its base is to be had."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from unlearnlog.atelier.bundled_model import SOURCE
from unlearnlog.commands.base_location import CONFIGURED, whereabouts
from unlearnlog.commands.configuration import kept
from unlearnlog.commands.named_remotes import ORIGIN
from unlearnlog.core.plain_files import expanded
from unlearnlog.core.suggestions import advice
from unlearnlog.errors import LedgerError, ModelError, RevisionError, UsageError
from unlearnlog.ledger.checksummed import id_line
from unlearnlog.ledger.disk import Disk
from unlearnlog.ledger.init import begun_clone, check_no_ledger, finish_clone
from unlearnlog.ledger.repository import Repository
from unlearnlog.models.hub import located
from unlearnlog.remotes.fetching import Fetched, fetch, manifest_there, refs_there
from unlearnlog.remotes.opening_remotes import connected
from unlearnlog.remotes.remote_url import RemoteUrl, remote_url

if TYPE_CHECKING:
    from unlearnlog.core.progress import Progress


@dataclass(frozen=True)
class CloneResult:
    """The outcome of a clone.

    Attributes:
        ledger: The new ledger's folder.
        url: Where it was copied from.
        branch: The branch that it is on.
        head: Its newest entry, or ``base``.
        base: The base's name.
        root: The base's digest.
        base_found: Whether the base is on this machine.
        to_do: What to type where it is not; else empty.
        sealed: Whether its state needs deltas that are sealed.
        n_files: Entries, deltas, attacks and signatures that were fetched.
        n_bytes: Their size.
    """

    ledger: str
    url: str
    branch: str
    head: str
    base: str
    root: str
    base_found: bool
    to_do: str
    sealed: bool
    n_files: int
    n_bytes: int


def clone(
    url: str,
    folder: Path | None,
    *,
    branch: str = "",
    base: Path | None = None,
    watch: Progress,
) -> CloneResult:
    """Copy a remote: all entries and deltas, its branches as ``origin/...``, its tags.

    Args:
        url: The address.
        folder: The new ledger's folder; None for one named as the address ends.
        branch: The branch to be on; empty for the remote's own.
        base: Where the base is on this machine; recorded in the configuration.
        watch: Receives the progress of the work.

    Raises:
        UsageError: The address is no address, or the base is not where it is said.
        LedgerError: There is a ledger in the folder already.
        RemoteError: It cannot be reached, or holds no ledger; run again, it goes on.
        IntegrityError: A file there is damaged; nothing is left to be found.
    """
    address = remote_url(url)
    target = _target(address, folder)
    check_no_ledger(target)
    if base is not None and not expanded(base).is_dir():
        raise UsageError(
            f"there is no model in '{base}'",
            fix="give the folder that holds its model_index.json, or leave --base out",
        )
    with connected(address, ORIGIN, to_write=False) as there:
        refs = refs_there(there)
        at = branch or refs.head
        if at not in refs.heads:
            raise RevisionError(
                f"{address} has no branch {at!r}", fix=advice(at, refs.heads)
            )
        manifest = manifest_there(there, refs)
        store = begun_clone(target, manifest, str(address), branch=at, disk=Disk())
        ledger = Repository(store)
        done = fetch(ledger, there, watch)
        ledger.set_remotes({ORIGIN: str(address)})
        if ledger.head is None and done.refs.heads.get(at) is not None:
            ledger.advance(at, None, done.refs.heads[at], why=f"clone {address}")
    made = Repository(finish_clone(store))
    if base is not None:
        made.configure(CONFIGURED, kept(CONFIGURED, str(base), made))
    return _result(made, address, done)


def _target(url: RemoteUrl, folder: Path | None) -> Path:
    """Return the new ledger's folder."""
    if folder is not None:
        return expanded(folder).absolute()
    if not url.name:
        raise UsageError(
            f"'{url}' ends with no name for a folder",
            fix=f"give one: unlearnlog clone {url} FOLDER",
        )
    target = Path(url.name).absolute()
    if target.exists() and (not target.is_dir() or any(_others(target))):
        raise LedgerError(
            f"'{target}' exists already, and is not empty",
            fix=f"give another folder: unlearnlog clone {url} FOLDER",
        )
    return target


def _others(folder: Path) -> list[Path]:
    """Return what is in a folder beside an unfinished copy."""
    return [p for p in folder.iterdir() if not p.name.startswith(".unlearnlog.")]


def _result(ledger: Repository, url: RemoteUrl, done: Fetched) -> CloneResult:
    to_do = _missing_base(ledger)
    return CloneResult(
        str(ledger.folder),
        str(url),
        ledger.branch,
        id_line(ledger.head),
        ledger.base.name,
        ledger.base.root,
        base_found=not to_do,
        to_do=to_do,
        sealed=ledger.is_sealed(ledger.head),
        n_files=done.traffic.n_files,
        n_bytes=done.traffic.n_bytes,
    )


def _missing_base(ledger: Repository) -> str:
    """Return what to type for a ledger's base; empty where it is on this machine."""
    if ledger.base.source == SOURCE:
        return ""
    try:
        where = whereabouts(ledger, config=ledger.config)
        found = located(where.source, may_download=False)
    except ModelError as error:
        return error.fix
    return "" if found.is_dir() else "unlearnlog config set base PATH"
