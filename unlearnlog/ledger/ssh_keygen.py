"""SSH signatures, made and checked by ``ssh-keygen -Y`` as git does.

Source: https://man.openbsd.org/ssh-keygen.1, "-Y sign" and "ALLOWED SIGNERS". What is
signed is given to the program as it is, so that a signature can be checked by hand.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from unlearnlog.errors import LedgerError, UsageError

NAMESPACE: Final = "unlearnlog"
"""The purpose that every signature is bound to, as ``git`` is that of git."""

Word = Literal["good", "unknown", "bad"]

_PROGRAM: Final = "ssh-keygen"
_FINGERPRINT: Final = re.compile(r"\b(SHA256:[A-Za-z0-9+/]+)")
_TIME: Final = "%Y%m%d%H%M%S"


@dataclass(frozen=True)
class SignatureCheck:
    """The result of checking one signature.

    Attributes:
        word: ``good``: an allowed signer made it; ``unknown``: it is sound, but the
            file of allowed signers does not allow its key; ``bad``: it is not one of
            what it is said to sign.
        signer: The principal of the key; empty where it is not good.
        key: The key's fingerprint; empty where the signature is bad.
    """

    word: Word
    signer: str = ""
    key: str = ""


def sign(data: bytes, key: Path) -> bytes:
    """Return a signature of bytes, in OpenSSH's armoured form.

    Args:
        data: What is signed.
        key: The private key, or the public one of a key that an agent holds.

    Raises:
        UsageError: There is no such key, or it cannot sign.
        LedgerError: There is no ssh-keygen.
    """
    if not key.is_file():
        raise UsageError(
            f"there is no signing key '{key}'",
            fix="make one: ssh-keygen -t ed25519 -f KEY; then: unlearnlog config set "
            "sign.key KEY",
        )
    done = _run("sign", "-n", NAMESPACE, "-f", str(key), data=data)
    if done.returncode:
        raise UsageError(
            f"ssh-keygen cannot sign with '{key}': {_said(done)}",
            fix="give a private SSH key that you may read, or load it: ssh-add "
            f"{str(key).removesuffix('.pub')}",
        )
    return done.stdout


def checked(
    data: bytes, signature: bytes, signers: Path, *, at: str = ""
) -> SignatureCheck:
    """Check a signature of bytes against a file of allowed signers.

    Args:
        data: What was signed.
        signature: The signature.
        signers: The file: a line ``PRINCIPAL KEY`` for each signer.
        at: The time at which the key must have been allowed, ISO 8601; empty for now.

    Raises:
        UsageError: There is no such file.
        LedgerError: There is no ssh-keygen.
    """
    check_signers(signers)
    when = _when(at)
    with tempfile.NamedTemporaryFile(suffix=".sig") as file:
        file.write(signature)
        file.flush()
        about = ("-s", file.name, *when)
        known = _run("find-principals", *about, "-f", str(signers))
        for name in known.stdout.decode("utf-8", "replace").splitlines():
            told = ("-f", str(signers), "-I", name, "-n", NAMESPACE, *about)
            done = _run("verify", *told, data=data)
            if not done.returncode:
                return SignatureCheck("good", name, _key_in(done.stdout))
        sound = _run("check-novalidate", "-n", NAMESPACE, *about, data=data)
    if sound.returncode:
        return SignatureCheck("bad")
    return SignatureCheck("unknown", key=_key_in(sound.stdout))


def check_signers(signers: Path) -> None:
    """Refuse a missing file of allowed signers.

    Raises:
        UsageError: There is no such file.
    """
    if not signers.is_file():
        raise UsageError(
            f"there is no file of allowed signers '{signers}'",
            fix="write one, with a line for each: NAME@EXAMPLE.ORG followed by the "
            "line of the public key",
        )


def _run(
    what: str, *options: str, data: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run ``ssh-keygen -Y`` with bytes on its standard input."""
    try:
        return subprocess.run(
            [_PROGRAM, "-Y", what, *options],
            input=data,
            capture_output=True,
            check=False,
        )
    except OSError as error:
        raise LedgerError(
            f"signatures need ssh-keygen, which cannot be run: {error.strerror}",
            fix="install OpenSSH 8.2 or later: apt install openssh-client",
        ) from error


def _when(at: str) -> tuple[str, ...]:
    """Return the option for a time, which is local time in older versions."""
    if not is_time(at):  # an entry may say anything; its key must be allowed now
        return ()
    then = datetime.fromisoformat(at).astimezone()
    return (f"-Overify-time={then.strftime(_TIME)}",)


def is_time(text: str) -> bool:
    """Return whether a text is a time that a check can be made for, ISO 8601."""
    try:
        datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        return False
    return True


def _key_in(text: bytes) -> str:
    """Return the fingerprint in a message of ssh-keygen."""
    found = _FINGERPRINT.search(text.decode("utf-8", "replace"))
    return found[1] if found else ""


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    """Return the last line of an error of ssh-keygen."""
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else f"it ended with code {done.returncode}"
