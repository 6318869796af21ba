"""The check of a new file's path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unlearnlog.core.plain_files import check_parent
from unlearnlog.errors import UsageError
from unlearnlog.ledger.drafts import check_output

if TYPE_CHECKING:
    from pathlib import Path


def check_is_free(path: Path) -> None:
    """Refuse a path where no new file can be.

    Raises:
        UsageError: The path exists, its folder does not, or it is inside a ledger.
    """
    if path.exists() or path.is_symlink():
        raise UsageError(
            f"there is a '{path}' already", fix="give another name, or remove it first"
        )
    check_parent(path)
    check_output(path)
