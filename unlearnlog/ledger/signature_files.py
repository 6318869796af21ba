"""Detached signatures of a ledger: files beside entries, named by their own hash.

    signatures/ab/<sha256 of what is signed>/<sha256 of the signature>

Of an entry its file is signed, byte for byte, and so its id. Of a tag a text is signed
that names the tag, its entry and the base. Nothing that is signed is changed by it, and
several people may sign the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from unlearnlog.core.digest import HEX, Digest, digest_of
from unlearnlog.core.plain_files import expanded
from unlearnlog.errors import UsageError
from unlearnlog.ledger.checked_files import damaged
from unlearnlog.ledger.checksummed import id_line
from unlearnlog.ledger.ledger_file import SIGNATURES
from unlearnlog.ledger.ssh_keygen import sign

if TYPE_CHECKING:
    from unlearnlog.core.entry import EntryId
    from unlearnlog.ledger.store import Store, Writing

KEY: Final = "sign.key"
ENTRIES: Final = "sign.entries"
SIGNERS: Final = "sign.signers"
REQUIRED: Final = "sign.required"

_YES: Final = "true"


def is_asked(config: Mapping[str, str], key: str) -> bool:
    """Return whether a configuration has ``true`` for a key."""
    return config.get(key) == _YES


def tag_text(name: str, entry: EntryId | None, base: Digest) -> bytes:
    """Return the bytes that are signed for a tag.

    Args:
        name: The tag's name.
        entry: Its entry; None for the base.
        base: Root of the base's tensors.
    """
    return f"unlearnlog tag {name}\nentry {id_line(entry)}\nbase {base}\n".encode()


def signature_path(store: Store, subject: Digest, signature: bytes) -> Path:
    """Return the path of a signature.

    Args:
        store: The ledger's files.
        subject: SHA-256 of what is signed.
        signature: The signature.
    """
    return store.root / _folder(subject) / digest_of(signature)


def signatures_of(store: Store, subject: Digest) -> Iterator[bytes]:
    """Yield the signatures of what has a digest.

    Raises:
        IntegrityError: A file is not what its name says.
    """
    for path in store.files(_folder(subject)):
        yield store.named_bytes(str(path), Digest(path.name))


def misnamed(path: Path) -> bool:
    """Return whether a path below the ledger's folder cannot be a signature's."""
    try:
        folder, start, subject, name = path.parts
    except ValueError:
        return True
    whole = HEX.fullmatch(subject) and HEX.fullmatch(name) and folder == SIGNATURES
    return not whole or start != subject[:2]


def put_signature(
    store: Store, writing: Writing, data: bytes, signature: bytes
) -> None:
    """Write a signature beside what it signs.

    Args:
        store: The ledger's files.
        writing: The transaction.
        data: What is signed.
        signature: The signature.
    """
    writing.put(signature_path(store, digest_of(data), signature), signature)


def signed(config: Mapping[str, str], folder: Path, data: bytes) -> bytes:
    """Return a signature of bytes with the configured key.

    Args:
        config: The ledger's configuration.
        folder: The ledger's folder, which a relative path begins at.
        data: What is to be signed.

    Raises:
        UsageError: No key is configured, or it cannot sign.
    """
    if KEY not in config:
        raise UsageError(
            "there is no key to sign with",
            fix=f"unlearnlog config set {KEY} ~/.ssh/id_ed25519",
        )
    return sign(data, folder / expanded(config[KEY]))


def entry_signature(
    config: Mapping[str, str], folder: Path, entry: bytes
) -> bytes | None:
    """Return a signature of an entry's JSON; None where no entries are to be signed.

    Raises:
        UsageError: No key is configured, or it cannot sign.
    """
    return signed(config, folder, entry) if is_asked(config, ENTRIES) else None


def check_signing(config: Mapping[str, str], folder: Path) -> None:
    """Refuse work that ends in an entry which could not be signed.

    Raises:
        UsageError: No key is configured, or it cannot sign.
    """
    entry_signature(config, folder, b"unlearnlog trial\n")


def _folder(subject: Digest) -> str:
    if not HEX.fullmatch(subject):
        raise damaged(Path(SIGNATURES) / subject[:80], "it is named after no digest")
    return f"{SIGNATURES}/{subject[:2]}/{subject}"
