"""Encryption in the age format, by pyrage.

Source: https://age-encryption.org/v1. Recipients are X25519 keys (``age1...``) or SSH
keys; an identity is what `age-keygen` wrote, or an SSH private key.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from unlearnlog.errors import LedgerError, UsageError

_SSH: Final = "ssh-"
_SECRET: Final = "AGE-SECRET-KEY-"
_LONGEST: Final = 2**20  # bytes of a file of keys


def recipients_of(texts: Sequence[str], files: Sequence[Path] = ()) -> list[Any]:
    """Return the recipients of texts and of files with one a line.

    Raises:
        UsageError: There is none, or one is not a recipient.
        LedgerError: pyrage is not installed.
    """
    pyrage = _pyrage()
    lines = [*texts, *(line for file in files for line in _lines(file))]
    if not lines:
        raise UsageError(
            "no recipient is named, so nothing could be unsealed",
            fix="add -r with a line of age-keygen or of an SSH public key, or -R FILE",
        )
    return [_recipient(pyrage, line) for line in lines]


def encrypted(data: bytes, recipients: Sequence[Any]) -> bytes:
    """Return bytes encrypted to recipients."""
    found: bytes = _pyrage().encrypt(data, [*recipients])
    return found


def identities_of(file: Path) -> list[Any]:
    """Return the identities of a file.

    Raises:
        UsageError: The file holds none that can be used.
        LedgerError: pyrage is not installed.
    """
    pyrage, data = _pyrage(), _read(file)
    try:
        if b"PRIVATE KEY" in data:
            return [pyrage.ssh.Identity.from_buffer(data)]
        lines = [line.strip() for line in data.decode("utf-8", "replace").splitlines()]
        keys = [line for line in lines if line.upper().startswith(_SECRET)]
        found = [pyrage.x25519.Identity.from_str(key) for key in keys]
    except pyrage.IdentityError as error:
        raise _no_identity(file, str(error)) from error
    if not found:
        raise _no_identity(file, "it holds no secret key")
    return found


def decrypted(data: bytes, identities: Sequence[Any]) -> bytes | None:
    """Return decrypted bytes; None where no identity is one of the recipients."""
    pyrage = _pyrage()
    try:
        found: bytes = pyrage.decrypt(data, [*identities])
    except pyrage.DecryptError:
        return None
    return found


def _recipient(pyrage: ModuleType, line: str) -> object:
    if line.upper().startswith(_SECRET):  # and never shown
        raise UsageError(
            "what is given as a recipient is a secret key",
            fix="give the public key, which begins with age1: age-keygen -y FILE",
        )
    kind = pyrage.ssh if line.startswith(_SSH) else pyrage.x25519
    try:
        return kind.Recipient.from_str(line)
    except (pyrage.RecipientError, UnicodeError) as error:
        raise UsageError(
            f"'{line[:60]}' is no recipient: {error}",
            fix="give the public key that age-keygen prints (age1...), or a line of an "
            "SSH public key (ssh-ed25519 ..., ssh-rsa ...)",
        ) from error


def _lines(file: Path) -> list[str]:
    """Return the lines of a file of recipients, without comments."""
    lines = (
        line.strip() for line in _read(file).decode("utf-8", "replace").split("\n")
    )
    return [line for line in lines if line and not line.startswith("#")]


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(_LONGEST)
    except OSError as error:
        raise UsageError(
            f"'{file}' cannot be read: {error.strerror}",
            fix="give the path of a file of keys that you may read",
        ) from error


def _no_identity(file: Path, why: str) -> UsageError:
    return UsageError(
        f"'{file}' is no identity: {why}",
        fix="give the file that age-keygen wrote, or an SSH private key without a "
        "passphrase",
    )


def _pyrage() -> ModuleType:
    try:
        return import_module("pyrage")
    except ImportError as error:
        raise LedgerError(
            "sealing needs the package pyrage, which is not installed",
            fix="pip install 'unlearnlog[seal]'",
        ) from error
