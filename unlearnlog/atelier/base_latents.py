"""Latents of the bundled base's pictures, so that these are not painted again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from unlearnlog.core.delta import state_digest
from unlearnlog.core.digest import canonical_json, digest_of
from unlearnlog.core.probe_case import ProbeCase

FILE: Final = "base_latents.safetensors"
"""Name of the file, in the bundled model's folder."""

_TENSOR: Final = "latents"


@dataclass(frozen=True)
class BaseLatents:
    """Latents of pictures of one base, painted in one way.

    Attributes:
        root: Digest of the base.
        sampling: Steps and guidance of the pictures.
        rows: Row of each picture's latent, by prompt and seed.
        latents: Float32 ``[n, c, h, w]``.
    """

    root: str = ""
    sampling: tuple[int, float] = (0, 0.0)
    rows: Mapping[tuple[str, int], int] = field(default_factory=dict)
    latents: torch.Tensor = field(default_factory=lambda: torch.zeros(0, 1, 1, 1))

    @classmethod
    def load(cls, path: Path) -> BaseLatents:
        """Read the latents of a file; none where it is missing or was changed."""
        if not path.exists():
            return cls()
        with safe_open(path, framework="pt") as file:
            told, latents = file.metadata(), file.get_tensor(_TENSOR)
        about = json.loads(told["about"])
        if told["digest"] != _seal(about, latents):
            return cls()
        steps, guidance = about["sampling"]
        rows = {(prompt, seed): i for i, (prompt, seed) in enumerate(about["pictures"])}
        return cls(about["root"], (steps, guidance), rows, latents)

    def save(self, path: Path) -> None:
        """Write the latents with the digest of all of it."""
        about = {
            "root": self.root,
            "sampling": list(self.sampling),
            "pictures": [list(picture) for picture in self.rows],
        }
        told = {
            "about": canonical_json(about).decode(),
            "digest": _seal(about, self.latents),
        }
        save_file({_TENSOR: self.latents.contiguous()}, path, told)

    def of(
        self, cells: Sequence[ProbeCase], root: str, sampling: tuple[int, float]
    ) -> torch.Tensor | None:
        """Return the latents of cells; None unless there are all of them.

        Args:
            cells: The cells.
            root: Digest of the base.
            sampling: Steps and guidance.
        """
        rows = [self.rows.get((cell.prompt, cell.seed)) for cell in cells]
        known = [row for row in rows if row is not None]
        if (root, sampling) != (self.root, self.sampling) or len(known) < len(rows):
            return None
        return self.latents[known]


def _seal(about: object, latents: torch.Tensor) -> str:
    """Return the digest of the latents and of all that is told about them."""
    return state_digest({_TENSOR: latents}, digest_of(canonical_json(about)))
