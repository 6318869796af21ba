"""What judges saw, in the ledger's cache: a probe that was stopped goes on from it.

One file holds what was seen of one state painted in one way: a line with the digest of
the rest, then the answers. A file may be deleted at any time; a damaged one is said to
be, and its pictures are painted again.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from unlearnlog.cell import Answer
from unlearnlog.digest import canonical_json, digest_of
from unlearnlog.errors import IntegrityError
from unlearnlog.ledger.plain import check_plain
from unlearnlog.shelf import Picture

if TYPE_CHECKING:
    from unlearnlog.ledger.disk import Disk

_KEPT: Final = 512
"""Files that stay, the newest: a state's answers take some 50 kB."""


class CacheDamaged(UserWarning):
    """Something in the cache is not what was put there; it is made again."""


@dataclass(frozen=True)
class CacheNotebook:
    """Answers in one folder, a file a key."""

    folder: Path
    disk: Disk

    def read(self, key: str) -> dict[Picture, Answer]:
        """Return what was written down under this key; nothing if it is damaged."""
        path = self._path(key)
        if not os.path.lexists(path):
            return {}
        try:
            check_plain(self.folder.parents[1], path)
            return _answers(self.disk.read(path))
        except (OSError, ValueError, IntegrityError) as error:
            warnings.warn(
                f"what was seen before is damaged and looked at again: "
                f"{path.name[:12]} in {self.folder.name}: {error}",
                CacheDamaged,
                stacklevel=2,
            )
            return {}

    def write(self, key: str, answers: Mapping[Picture, Answer]) -> None:
        """Add answers to those under this key, if the disk lets us."""
        path = self._path(key)
        with suppress(OSError), warnings.catch_warnings(action="ignore"):
            found = {**self.read(key), **answers}
            check_plain(self.folder.parents[1], path)
            self.disk.lead_to(self.folder)
            self.disk.write_atomic(path, _page(found), self.folder, durable=False)
            self._prune()

    def _prune(self) -> None:
        names = self.disk.names(self.folder)
        if len(names) > _KEPT:
            paths = [self.folder / name for name in names]
            paths.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
            for old in paths[_KEPT:]:
                self.disk.unlink(old)

    def _path(self, key: str) -> Path:
        return self.folder / digest_of(key.encode())


def _page(answers: Mapping[Picture, Answer]) -> bytes:
    """Return a file's bytes."""
    rows: dict[str, dict[str, list[str]]] = {}
    for (prompt, seed), seen in answers.items():
        rows.setdefault(prompt, {})[str(seed)] = [seen.subject, seen.style]
    said = canonical_json(rows)
    return digest_of(said).encode() + b"\n" + said


def _answers(data: bytes) -> dict[Picture, Answer]:
    """Read a file's bytes.

    Raises:
        ValueError: They are not what was written.
    """
    head, _, said = data.partition(b"\n")
    if digest_of(said).encode() != head:
        message = "its content has another digest than it says"
        raise ValueError(message)
    return {
        (prompt, int(seed)): Answer(subject, style)
        for prompt, row in json.loads(said).items()
        for seed, (subject, style) in row.items()
    }
