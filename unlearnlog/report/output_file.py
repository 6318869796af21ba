"""Files that results are written to, at a path that the user named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from unlearnlog.commands.checks import check_room, nearest
from unlearnlog.errors import UsageError
from unlearnlog.ledger.drafts import check_output, write_file


def check_written(path: Path | None, endings: Sequence[str] = ()) -> None:
    """Refuse a path where no file can be written; an existing file may be replaced.

    Args:
        path: The file; None for none. Missing parent folders are allowed.
        endings: The allowed suffixes, each with its dot; none for any.

    Raises:
        UsageError: The suffix is another, the path is a folder, or cannot be written.
    """
    if path is None:
        return
    if endings and path.suffix.lower() not in endings:
        raise UsageError(
            f"the ending of '{path}' is of no known format",
            fix=f"give it one of these: {', '.join(endings)}",
        )
    if path.is_dir():
        raise UsageError(
            f"'{path}' is a folder, not a file",
            fix=f"write to a file in it: {path / ('it' + (endings or ('.html',))[0])}",
        )
    check_output(path)
    check_room(path, nearest(path.absolute().parent))


def write_output(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; an existing one is replaced.

    Raises:
        DiskFull: There is no room; an existing file is unchanged.
        UsageError: The file cannot be written.
    """
    write_file(path, data)
