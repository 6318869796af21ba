"""Painted latents in the ledger's cache: a command that was stopped goes on from them.

A file may be deleted at any time. A damaged one is painted again.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from unlearnlog.digest import digest_of
from unlearnlog.ledger.plain import check_plain

if TYPE_CHECKING:
    import torch

    from unlearnlog.ledger.disk import Disk

_KEPT: Final = 128
_ONE: Final = "tensor"


@dataclass(frozen=True)
class CacheShelf:
    """Tensors in one folder, each under the digest of its key."""

    folder: Path
    disk: Disk

    def get(self, key: str) -> torch.Tensor | None:
        """Return what was put there under this key, or None."""
        path = self._path(key)
        if not os.path.lexists(path):
            return None

        from safetensors import SafetensorError
        from safetensors.torch import load

        with suppress(OSError, SafetensorError, KeyError):
            check_plain(self.folder.parents[1], path)
            return load(self.disk.read(path))[_ONE]
        return None

    def put(self, key: str, tensor: torch.Tensor) -> None:
        """Keep a tensor, if the disk lets us, and no more than the newest ones."""
        from safetensors.torch import save

        with suppress(OSError):
            check_plain(self.folder.parents[1], self._path(key))
            self.disk.lead_to(self.folder)
            data = save({_ONE: tensor.contiguous()})
            self.disk.write_atomic(self._path(key), data, self.folder, durable=False)
            paths = [self.folder / name for name in self.disk.names(self.folder)]
            paths.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
            for old in paths[_KEPT:]:
                self.disk.unlink(old)

    def _path(self, key: str) -> Path:
        return self.folder / digest_of(key.encode())
