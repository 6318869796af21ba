"""The user's own key, which seals the pages of caches."""

from __future__ import annotations

import os
import re
import secrets
import stat
import warnings
from functools import cache
from pathlib import Path
from typing import Final

_N_BYTES: Final = 32
_WRITTEN: Final = re.compile(rb"[0-9a-f]{64}\n")


def key_file() -> Path:
    """Return the path of the key: ``unlearnlog/key`` in ``XDG_CONFIG_HOME``.

    The folder is ``~/.config`` where that variable is not set.

    Raises:
        RuntimeError: The user has no home.
    """
    given = os.environ.get("XDG_CONFIG_HOME", "")
    chosen = (
        Path(given) if Path(given).is_absolute() else Path("~/.config").expanduser()
    )
    return chosen / "unlearnlog" / "key"


def own_key() -> bytes:
    """Return the user's key, 32 bytes, made at first use.

    A file that is no key is replaced; pages sealed with the lost key are then computed
    again. Where no file can be written, the key lasts as long as the process.
    """
    try:
        return _key_in(key_file())
    except RuntimeError as error:
        return _lasting("for a user without a home", str(error))


@cache
def _key_in(path: Path) -> bytes:
    try:
        return _read(path) or _made(path)
    except OSError as error:
        return _lasting(f"in '{path}'", str(error))


@cache
def _lasting(where: str, why: str) -> bytes:
    """Return a key for this process alone, with a warning."""
    warnings.warn(
        f"results are not kept for the next command: no key {where}: {why}; set "
        "XDG_CONFIG_HOME to a folder that you may write to",
        stacklevel=3,
    )
    return secrets.token_bytes(_N_BYTES)


def _read(path: Path) -> bytes | None:
    """Return the key of a file; None where the file is missing or holds no key."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode) or found.st_size != 2 * _N_BYTES + 1:
        return None
    data = path.read_bytes()
    return bytes.fromhex(data.decode()) if _WRITTEN.fullmatch(data) else None


def _made(path: Path) -> bytes:
    """Write a key that only its user can read; of two at once the first counts."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_hex(_N_BYTES).encode() + b"\n")
        try:
            os.link(draft, path)
        except FileExistsError:
            if _read(path) is None:
                draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    made = _read(path)
    if made is None:
        message = "it is not what was written"
        raise OSError(message)
    return made
