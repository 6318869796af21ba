"""Signatures of a model's folder by OpenSSF Model Signing.

Source: https://github.com/sigstore/model-transparency. A signature is one file,
``model.sig``, over the names and hashes of all other files of the folder.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Final

from unlearnlog.errors import IntegrityError, LedgerError, UsageError

SIGNATURE: Final = "model.sig"

_MAKE: Final = "openssl ecparam -name prime256v1 -genkey -noout -out KEY"


def check_key(key: Path, *, what: str = "private") -> None:
    """Refuse a key that cannot be one, or a missing package, before work begins.

    Args:
        key: The PEM file of an elliptic-curve key.
        what: ``private`` or ``public``.

    Raises:
        UsageError: There is no such file, or it is no PEM.
        LedgerError: model-signing is not installed.
    """
    fix = f"make one: {_MAKE}"
    if what == "public":
        fix = "give the signer's public key: openssl ec -in KEY -pubout -out KEY.pub"
    try:
        begin = key.read_bytes()[:4096]
    except OSError as error:
        raise UsageError(
            f"there is no key '{key}': {error.strerror}", fix=fix
        ) from error
    if b"-----BEGIN" not in begin or (b"PRIVATE" in begin) != (what == "private"):
        raise UsageError(f"'{key}' is no {what} key in PEM", fix=fix)
    _library("signing" if what == "private" else "verifying")


def sign_folder(folder: Path, key: Path) -> None:
    """Sign all files of a folder; the signature is put into it.

    Args:
        folder: The folder.
        key: A private elliptic-curve key, PEM.

    Raises:
        UsageError: The key cannot sign.
        LedgerError: model-signing is not installed.
    """
    try:
        config = _library("signing").Config().use_elliptic_key_signer(private_key=key)
        config.set_hashing_config(_hashing()).sign(folder, folder / SIGNATURE)
    except (ValueError, TypeError) as error:
        raise UsageError(
            f"'{key}' cannot sign: {error}", fix=f"make another: {_MAKE}"
        ) from error


def verify_folder(folder: Path, key: Path) -> None:
    """Check a folder against its signature.

    Args:
        folder: The folder.
        key: The signer's public elliptic-curve key, PEM.

    Raises:
        UsageError: The folder has no signature.
        IntegrityError: The folder is not what was signed with that key.
        LedgerError: model-signing is not installed.
    """
    check_signed(folder)
    check_key(key, what="public")
    library = _library("verifying")
    try:
        config = library.Config().use_elliptic_key_verifier(public_key=key)
        config.set_hashing_config(_hashing()).verify(folder, folder / SIGNATURE)
    except Exception as error:  # the library raises errors of many kinds
        raise IntegrityError(
            f"'{folder}' is not what was signed with '{key}': {error}",
            fix="take it again from its maker, and ask for the fingerprint of the key",
        ) from error


def check_signed(folder: Path) -> None:
    """Refuse a folder without a signature.

    Raises:
        UsageError: There is none.
    """
    if not (folder / SIGNATURE).is_file():
        raise UsageError(
            f"'{folder}' has no {SIGNATURE}: nothing vouches for it",
            fix="its maker signs it with: unlearnlog checkout REV -o DIR --sign KEY",
        )


def _hashing() -> object:
    """Return the library's setting that leaves out the signature, and nothing else."""
    config = _library("hashing").Config()
    return config.set_ignored_paths(paths=[Path(SIGNATURE)], ignore_git_paths=False)


def _library(name: str) -> ModuleType:
    try:
        return import_module(f"model_signing.{name}")
    except ImportError as error:
        raise LedgerError(
            "signatures of folders need the package model-signing, which is not "
            "installed",
            fix="pip install 'unlearnlog[sign]'",
        ) from error
