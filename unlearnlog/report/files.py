"""Writing what was rendered: whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from unlearnlog.plainfile import unwritten


def write(data: bytes, path: Path) -> None:
    """Write a file, in place of the one that may be there.

    Raises:
        UsageError: It cannot be written.
        DiskFull: There was no room.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(suffix=path.suffix, dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).chmod(0o644)  # a temporary file is its owner's alone
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise unwritten(path, error) from error
