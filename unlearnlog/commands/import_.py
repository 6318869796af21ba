"""``import``: a change made by another program, recorded and measured as an erasure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from unlearnlog.checkpoints import lora_keys as lora
from unlearnlog.checkpoints.adapter_info import Adapter
from unlearnlog.checkpoints.fused_factors import Fusing
from unlearnlog.commands import add
from unlearnlog.core.delta import (
    Delta,
    Full,
    LowRank,
    Patch,
    Weights,
    change_after,
    rounded,
)
from unlearnlog.core.eraser_record import EraserRecord
from unlearnlog.errors import DeltaError
from unlearnlog.models.foreign_file import SafetensorsFile, checked, same_numbers, shown

if TYPE_CHECKING:
    from pathlib import Path

    from unlearnlog.commands.session import Session
    from unlearnlog.core.entry import Entry
    from unlearnlog.core.limits import Verdict


NETWORKS: Final = ("unet", "transformer")
"""Components that denoise, whose names a file may leave out."""


@dataclass(frozen=True)
class ImportFile:
    """Contents of an imported file.

    Attributes:
        delta: The change.
        form: ``lora`` or ``full``.
        sha256: Digest of the whole file, 64 hex digits.
        n_tensors: Number of tensors in the file.
        n_same: Number of them that equal the base's and were skipped.
    """

    delta: Delta
    form: str
    sha256: str
    n_tensors: int
    n_same: int

    @property
    def n_changed(self) -> int:
        """The number of changed text projections."""
        return len(self.delta.patches)

    def row(self) -> dict[str, str | int]:
        """Return values for JSON, without the change itself."""
        return {
            "form": self.form,
            "sha256": self.sha256,
            "tensors": self.n_tensors,
            "changed": self.n_changed,
            "same": self.n_same,
        }


@dataclass(frozen=True)
class Imported:
    """Result of ``import``.

    Attributes:
        entry: The recorded entry.
        verdict: The policy's verdict.
        taken: Contents of the file.
    """

    entry: Entry
    verdict: Verdict
    taken: ImportFile

    def __repr__(self) -> str:
        return f"<Imported {self.entry!r}, {self.taken.form}>"


def import_change(
    at: Session, path: Path, request: add.AddRequest
) -> tuple[add.Outcome, ImportFile]:
    """Measure the change in a file as an erasure; record it if the policy allows.

    Args:
        at: The session to record in.
        path: A safetensors file: a LoRA, or new values of text projections.
        request: The concepts it erases, and the policy.

    Raises:
        DeltaError: The file holds no change of this model, or one that is too large.
        ModelError: It is an adapter of another method.
        ConceptError: As in `add.add`.
    """
    ledger = at.the_ledger()
    taken = read(at, path)
    try:
        rounded(at.model.base, change_after([taken.delta], at.change()))
    except ValueError as error:
        raise DeltaError(
            f"the change in '{path}' cannot be added to this state: {error}",
            fix="import it on another branch: unlearnlog branch NAME base",
        ) from None
    made = EraserRecord(
        name="import",
        settings={
            "base": ledger.base.root,
            "file": path.name.encode("utf-8", "replace").decode(),
            "form": taken.form,
            "sha256": taken.sha256,
        },
    )
    return add.add_delta(at, request, taken.delta, made), taken


def read(at: Session, path: Path) -> ImportFile:
    """Read the change in a file.

    Raises:
        DeltaError: The file holds no change of this model.
        ModelError: It is an adapter of another method.
    """
    file, base, folder = SafetensorsFile.open(path), at.model.base, at.model.folder
    known = folder.stored(*folder.weighed)
    full = any(_names(key) & known.keys() for key in file)
    if full:
        patches, n_same = _differences(file, base, known)
    else:
        fusing = Fusing.of(folder.family.name, at.manifest.tensors)
        patches, n_same = _products(file, base, fusing), 0
    patches = {name: patch for name, patch in patches.items() if patch.bound}
    if not patches:
        raise DeltaError(
            f"'{path}' changes none of this model's {len(base)} text projections",
            fix="give the file of the changed model, not of the base",
        )
    form = "full" if full else "lora"
    return ImportFile(Delta(patches), form, file.digest(), len(file), n_same)


def _products(file: SafetensorsFile, base: Weights, fusing: Fusing) -> dict[str, Patch]:
    """Return the changes of a LoRA."""
    shapes = {name: tensor.shape for name, tensor in base.items()}
    scale = Adapter.of(file).scale
    return {
        name: _patch(name, LowRank, *pair)
        for name, pair in lora.read(file, shapes, scale=scale, fusing=fusing).items()
    }


def _differences(
    file: SafetensorsFile, base: Weights, known: Weights
) -> tuple[dict[str, Patch], int]:
    """Return the changes of new values, and the number of unchanged tensors.

    A tensor that was only rounded when the file was saved counts as equal.
    """
    patches: dict[str, Patch] = {}
    keys: dict[str, str] = {}
    for key in sorted(file):
        name = next(iter(_names(key) & known.keys()), "")
        if not name:
            raise _unusable(key, "is none of this model's")
        if name in keys:
            raise _unusable(key, f"is the same as {shown(keys[name])}")
        keys[name] = key
        if same_numbers(file[key], known[name]):
            continue
        if name not in base:
            raise _unusable(key, "is no text projection and not as the base has it")
        new, old = checked(key, file[key]), base[name].float()
        if new.shape != old.shape:
            shapes = f"is {list(new.shape)}, the base's is {list(old.shape)}"
            raise _unusable(key, shapes)
        patches[name] = _patch(key, Full, new - old)
    return patches, len(file) - len(patches)


def _names(key: str) -> set[str]:
    """Return the names that the model may have for a tensor of a file."""
    return {key, *(f"{network}.{key}" for network in NETWORKS)}


def _patch(key: str, kind: Callable[..., Patch], *parts: torch.Tensor) -> Patch:
    """Return a patch; name the tensor where that fails."""
    try:
        return kind(*parts)
    except ValueError as error:
        raise _unusable(key, f"cannot be a change: {error}") from None


def _unusable(key: str, what: str) -> DeltaError:
    """Return the error for a tensor that is no change of the base."""
    return DeltaError(
        f"the tensor {shown(key)} {what}",
        fix="give a file with nothing but new text projections of the ledger's base (a "
        "UNet's attn2.to_k and attn2.to_v), or a LoRA of them",
    )
