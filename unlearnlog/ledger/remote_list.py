"""The remotes of a ledger: a sealed file of names and addresses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from unlearnlog.errors import RevisionError
from unlearnlog.ledger.checksummed import sealed, unsealed
from unlearnlog.ledger.revision import check_name

REMOTES: Final = "remotes"
"""Name of the file, in the ledger's folder."""

TRACKING: Final = "remotes"
"""Folder of the refs that say where a remote's branches were, below ``refs``."""


def listed_bytes(remotes: Mapping[str, str]) -> bytes:
    """Return the bytes of a list of remotes: a name and an address a line."""
    return sealed(REMOTES, [f"{name} {remotes[name]}" for name in sorted(remotes)])


def listed_remotes(data: bytes) -> dict[str, str]:
    """Return the address of each remote.

    Raises:
        ValueError: The bytes are not exactly what was written.
    """
    lines = (line.partition(" ") for line in unsealed(REMOTES, data))
    return {name: url for name, _, url in lines}


def check_remote_name(name: str) -> None:
    """Refuse a name that a remote cannot have.

    Raises:
        RevisionError: The name is refused.
    """
    if "/" in name:
        raise RevisionError(
            f"{name[:80]!r} cannot be the name of a remote: it has a slash",
            fix="choose one word, such as origin",
        )
    check_name(name)


def tracking_ref(remote: str, branch: str) -> str:
    """Return the ref that follows a remote's branch: ``remotes/origin/main``."""
    return f"{TRACKING}/{remote}/{branch}"
