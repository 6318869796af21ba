"""The remotes of a ledger by name: added, removed, and the usual one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from unlearnlog.core.suggestions import advice
from unlearnlog.errors import UsageError
from unlearnlog.ledger.remote_list import check_remote_name
from unlearnlog.remotes.remote_url import RemoteUrl, remote_url

if TYPE_CHECKING:
    from unlearnlog.ledger.repository import Repository

ORIGIN: Final = "origin"
"""Name of the remote that is used where none is named."""


def add_remote(ledger: Repository, name: str, url: str) -> RemoteUrl:
    """Give an address a name in a ledger; nothing is asked there.

    Raises:
        RevisionError: The name cannot be one.
        UsageError: The address is of an unknown kind, or holds a secret; or there is a
            remote of this name already.
    """
    check_remote_name(name)
    found, remotes = remote_url(url), ledger.remotes
    if name in remotes:
        raise UsageError(
            f"there is a remote '{name}' already: {remotes[name]}",
            fix=f"choose another name, or first: unlearnlog remote remove {name}",
        )
    ledger.set_remotes({**remotes, name: str(found)})
    return found


def remove_remote(ledger: Repository, name: str) -> str:
    """Remove a name and what is known of the branches there; return the address.

    Raises:
        UsageError: There is no such remote.
    """
    remotes = ledger.remotes
    if name not in remotes:
        raise _unknown(name, remotes)
    ledger.set_remotes({k: url for k, url in remotes.items() if k != name})
    return remotes[name]


def the_remote(ledger: Repository, name: str = "") -> tuple[str, RemoteUrl]:
    """Return a remote's name and address; without a name ``origin``, or the only one.

    Raises:
        UsageError: There is no such remote, or there are several and none is named.
    """
    remotes = ledger.remotes
    chosen = name or (ORIGIN if ORIGIN in remotes else "")
    if not chosen and len(remotes) == 1:
        (chosen,) = remotes
    if chosen not in remotes:
        raise _unknown(chosen, remotes)
    return chosen, remote_url(remotes[chosen])


def _unknown(name: str, remotes: dict[str, str]) -> UsageError:
    if not remotes:
        return UsageError(
            f"'{name}' is no remote: this ledger has none"
            if name
            else "this ledger has no remote",
            fix=f"name one: unlearnlog remote add {ORIGIN} URL",
        )
    if not name:
        return UsageError(
            f"this ledger has several remotes: {', '.join(remotes)}",
            fix="name the one that is meant",
        )
    return UsageError(f"there is no remote '{name}'", fix=advice(name, remotes))
