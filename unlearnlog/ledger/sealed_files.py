"""Encrypted deltas and attacks of a sealed ledger.

    sealed/objects/ab/<digest of the delta>/<sha256 of the file>
    sealed/attacks/ab/<digest of the attack>/<sha256 of the file>

A file is named by what it holds and by its own hash, so that it is checked without the
key. Entries, readings and digests stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from unlearnlog.core.digest import HEX, Digest, digest_of
from unlearnlog.errors import LedgerError, Sealed, UsageError
from unlearnlog.ledger.checked_files import damaged
from unlearnlog.ledger.ledger_file import ATTACKS, OBJECTS, SEALED

if TYPE_CHECKING:
    from unlearnlog.ledger.store import Store

OPEN: Final = (OBJECTS, ATTACKS)
"""Folders of what undoes an erasure, or tried to."""


@dataclass(frozen=True)
class SealResult:
    """What was sealed or unsealed.

    Attributes:
        n_deltas: Number of deltas.
        n_attacks: Number of attacks.
        n_bytes: Their size, not encrypted.
    """

    n_deltas: int
    n_attacks: int
    n_bytes: int


def sealed_copies(store: Store, path: Path) -> list[Path]:
    """Return the encrypted files of a delta or an attack.

    Args:
        store: The ledger's files.
        path: Its path below the ledger's folder while it is not sealed.
    """
    return [*store.files(str(Path(SEALED) / path))]


def closed(path: Path) -> Sealed:
    """Return the error for a delta or an attack that is needed and sealed."""
    return Sealed(
        f"{path.name[:12]} of this ledger is sealed: the model cannot be computed "
        "without it",
        fix="with the key: unlearnlog unseal -i IDENTITY; without it the history and "
        "its readings can be read: unlearnlog log, show, fsck",
    )


def misnamed(path: Path) -> bool:
    """Return whether a path below the ledger's folder cannot be a sealed file's."""
    try:
        top, kind, start, digest, name = path.parts
    except ValueError:
        return True
    whole = HEX.fullmatch(digest) and HEX.fullmatch(name)
    return not whole or (top, start) != (SEALED, digest[:2]) or kind not in OPEN


def seal(store: Store, encrypt: Callable[[bytes], bytes]) -> SealResult:
    """Encrypt every delta and attack; the caller holds the lock.

    All encrypted files are durable before the first other one is removed, so a crash
    leaves a ledger that is open, partly sealed or sealed, and sealing it again goes on.

    Args:
        store: The ledger's files.
        encrypt: Returns bytes that only the recipients can decrypt.

    Raises:
        LedgerError: There is nothing to seal.
        IntegrityError: A file is damaged; nothing is sealed.
        DiskFull: There was no room; nothing is sealed.
    """
    paths = [path for kind in OPEN for path in store.files(kind)]
    if not paths:
        raise LedgerError(
            "there is nothing to seal: no delta of this ledger lies open",
            fix="for other recipients: unlearnlog unseal -i IDENTITY; then seal again",
        )
    n_bytes = 0
    with store.writing() as writing:
        for path in paths:
            data = _checked(store, path, store.open_bytes(path))
            n_bytes += len(data)
            closed = encrypt(data)
            folder = store.root / SEALED / path
            writing.put(folder / digest_of(closed), closed)
    _remove(store, paths)
    return _counted(paths, n_bytes)


def unseal(store: Store, decrypt: Callable[[bytes], bytes | None]) -> SealResult:
    """Decrypt every sealed delta and attack; the caller holds the lock.

    Args:
        store: The ledger's files.
        decrypt: Returns the decrypted bytes; None where the key is another.

    Raises:
        LedgerError: Nothing is sealed.
        UsageError: The key is not one that the ledger was sealed for.
        IntegrityError: A file is damaged, or holds something else than its name says.
        DiskFull: There was no room; the ledger is sealed as before.
    """
    files = [*store.files(SEALED)]
    if not files:
        raise LedgerError(
            "nothing of this ledger is sealed", fix="see its state: unlearnlog fsck"
        )
    n_bytes, paths = 0, {path: path.parent.relative_to(SEALED) for path in files}
    with store.writing() as writing:
        for path, opened in paths.items():
            data = decrypt(store.named_bytes(str(path), Digest(path.name)))
            if data is None:
                raise UsageError(
                    f"that identity does not open {path.parent.name[:12]}",
                    fix="give the identity of one of the recipients that it was sealed "
                    "for",
                )
            n_bytes += len(_checked(store, opened, data))
            writing.put(store.root / opened, data)
    _remove(store, files)
    for folder in {path.parent for path in files}:
        store.disk.rmdir(store.root / folder)
    return _counted({*paths.values()}, n_bytes)


def _checked(store: Store, path: Path, data: bytes) -> bytes:
    """Return the bytes of a delta or an attack, checked against its name.

    Raises:
        IntegrityError: They are something else.
    """
    from unlearnlog.ledger import delta_file, tensors_file

    try:
        if path.parts[0] == OPEN[0]:
            found = delta_file.decoded(data).digest
        else:
            tensors_file.decoded(data)
            found = digest_of(data)
    except ValueError as error:
        raise damaged(store.root / path, str(error)) from error
    if found != path.name:
        raise damaged(store.root / path, f"its content is {found}")
    return data


def _remove(store: Store, paths: list[Path]) -> None:
    for path in paths:
        store.disk.unlink(store.root / path)
    for folder in sorted({path.parent for path in paths}):
        store.disk.sync(store.root / folder)


def _counted(paths: Collection[Path], n_bytes: int) -> SealResult:
    kinds = [path.parts[0] for path in paths]
    return SealResult(kinds.count(OPEN[0]), kinds.count(OPEN[1]), n_bytes)
