"""The moves of a remote's refs: numbered files, of which the last one counts.

A move writes the file with the next number, and only where there is none: of two
clients that begin at the same number, one fails and reads again. So refs move only from
what they were, on any store that can create a file, without a lock; a reader sees the
old refs or the new ones; and earlier positions can still be read. ``refs/newest`` has a
number to begin at: it may be behind, and is never ahead.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from unlearnlog.errors import RemoteError
from unlearnlog.ledger.checksummed import sealed, unsealed
from unlearnlog.remotes.expiring_lock import held_remotely
from unlearnlog.remotes.remote_refs import RemoteRefs, damaged_there, refs_of
from unlearnlog.remotes.remote_store import CannotCreate, Connection

NEWEST: Final = "refs/newest"
_MOST: Final = 10**12 - 1


@dataclass(frozen=True)
class RefState:
    """The refs of a remote, and the number of the file that they are in."""

    number: int
    refs: RemoteRefs


def name_of(number: int) -> str:
    """Return the path of the refs with a number.

    Example:
        >>> name_of(7)
        'refs/000000000007'
    """
    return f"refs/{number:012d}"


def newest(there: Connection) -> RefState | None:
    """Return the refs of a remote as they are now; None where it has none yet.

    Raises:
        RemoteError: It cannot be reached, or a newer program wrote it.
        IntegrityError: A file is damaged or missing.
    """
    number = _beginning(there)
    found: RefState | None = None
    if number:
        name = name_of(number)
        data = there.read(name)
        if data is None:
            raise damaged_there(name, there.name, "it is missing")
        found = RefState(number, refs_of(name, data, there.name))
    while (data := there.read(name_of(number + 1))) is not None:
        number += 1
        found = RefState(number, refs_of(name_of(number), data, there.name))
    return found


def _beginning(there: Connection) -> int:
    """Return the number in ``refs/newest``; 0 where there is no such file."""
    data = there.read(NEWEST)
    if data is None:
        return 0
    try:
        (line,) = unsealed(NEWEST, data)
        number = int(line)
    except ValueError as error:
        raise damaged_there(NEWEST, there.name, str(error)) from error
    if not 0 < number < _MOST:
        raise damaged_there(NEWEST, there.name, f"{number} is no number of refs")
    return number


def move(there: Connection, old: RefState | None, new: RemoteRefs) -> bool:
    """Move the refs of a remote, if they are still what they were.

    Returns:
        Whether they were; else nothing is changed.

    Raises:
        RemoteError: The remote cannot be written to.
        LockBusy: The store needs a lock, and another client holds it.
    """
    number = (old.number if old else 0) + 1
    name = name_of(number)
    data, number_file = new.to_bytes(name), sealed(NEWEST, [str(number)])
    if there.store.together:
        there.write(NEWEST, number_file)
    if not _written(there, name, data, creates=new.creates):
        return False
    if not there.store.together:
        with suppress(RemoteError):  # a reader goes on from an older number
            there.write(NEWEST, number_file)
    return True


def _written(there: Connection, name: str, data: bytes, *, creates: bool) -> bool:
    """Write a file where there is none; return whether it was written."""
    if creates:
        try:
            return there.create(name, data)
        except CannotCreate as error:
            raise RemoteError(
                f"{there.name} ({there.url}) could create a file only where there is "
                "none, and cannot any more",
                fix="see what was changed there; its refs were not moved",
            ) from error
    with held_remotely(there) as check_held:
        if there.read(name) is not None:
            return False
        check_held()
        there.write(name, data)
    return True
