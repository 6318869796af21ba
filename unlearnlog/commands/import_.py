"""``import``: a change made by another program, recorded and measured as an erasure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from unlearnlog.checkpoints.adapters.adapter_reading import AdaptedModel, changes_of
from unlearnlog.checkpoints.checkpoint_files import CheckpointFiles
from unlearnlog.checkpoints.checkpoint_keys import fitted, full_name, is_no_weight
from unlearnlog.checkpoints.file_kinds import resembling
from unlearnlog.checkpoints.float8_weights import dequantized
from unlearnlog.checkpoints.fused_factors import Fusing
from unlearnlog.checkpoints.locating import brought
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
from unlearnlog.core.plain_files import expanded
from unlearnlog.errors import DeltaError
from unlearnlog.models.foreign_file import SafetensorsFile, checked, same_numbers, shown

if TYPE_CHECKING:
    from pathlib import Path

    from unlearnlog.checkpoints.adapters.adapter_parts import Change
    from unlearnlog.commands.session import Session
    from unlearnlog.core.entry import Entry
    from unlearnlog.core.limits import Verdict


@dataclass(frozen=True)
class ImportFile:
    """Contents of imported files.

    Attributes:
        delta: The change.
        form: ``lora``, an adapter of any method, or ``full``.
        sha256: Digest of the whole file, 64 hex digits; of several files one of theirs.
        n_tensors: Number of tensors in them.
        n_same: Number of them that equal the base's and were skipped.
        n_projections: Number of changed tensors that are text projections.
        notes: Remarks on the files.
    """

    delta: Delta
    form: str
    sha256: str
    n_tensors: int
    n_same: int
    n_projections: int = 0
    notes: tuple[str, ...] = ()

    @property
    def n_changed(self) -> int:
        """The number of changed tensors."""
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
    """Measure a change in files as an erasure; record it if the policy allows.

    Args:
        at: The session to record in.
        path: An adapter, new values of any of the base's tensors, or a folder of them.
        request: The concepts it erases, and the policy.

    Raises:
        DeltaError: It holds no change of this model, or one that is too large.
        ModelError: It is an adapter of a method that is not computed.
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
    """Read the change of the base in files.

    Raises:
        DeltaError: They hold no change of this model, or one that cannot be kept.
        ModelError: They are an adapter of a method that is not computed.
    """
    found = brought(path, at.model.folder)
    if found.form == "embedding":
        raise DeltaError(
            f"'{path}' is a textual inversion: it adds tokens, and changes no weight",
            fix="audit it instead: unlearnlog audit",
        )
    is_lora = found.form == "lora"
    taken = _of_adapter(at, found) if is_lora else _of_values(at, found)
    patches = {name: p for name, p in taken.delta.patches.items() if p.bound}
    if not patches:
        raise DeltaError(
            f"'{path}' changes none of this model's {len(at.manifest.tensors)} tensors",
            fix="give the file of the changed model, not of the base",
        )
    return replace(
        taken,
        delta=Delta(patches),
        sha256=_digest(path, found),
        n_projections=sum(name in at.model.places for name in patches),
        notes=found.notes,
    )


def _digest(path: Path, found: CheckpointFiles) -> str:
    """Return the digest of a single file itself, or one of all files."""
    if expanded(path).is_file():
        return SafetensorsFile.open(path).digest()
    return found.sha256


def _of_adapter(at: Session, found: CheckpointFiles) -> ImportFile:
    """Return the changes of an adapter; those of low rank stay in factors."""
    records = at.manifest.tensors
    tensors = {
        f"{component}.{key}" if component else key: tensor
        for component, files in found.files.items()
        for file in files
        for key, tensor in file.items()
    }
    model = AdaptedModel(
        {n: torch.Size(r.shape) for n, r in records.items() if not is_no_weight(n)},
        lambda name: at.model.base[name],
        scale=found.adapter.scale,
        settings=found.adapter.settings,
        fusing=Fusing.of(at.model.folder.family.name, records),
    )
    patches = {
        name: _of_change(name, change, model.shapes[name])
        for name, change in changes_of(tensors, model).items()
    }
    return ImportFile(Delta(patches), "lora", "", len(tensors), 0)


def _of_change(name: str, change: Change, shape: torch.Size) -> Patch:
    """Return the patch of a change."""
    if isinstance(change, tuple):
        left, right = (factor.flatten(1) for factor in change)
        return _patch(name, LowRank, left, right.reshape(len(right), *shape[1:]))
    return _patch(name, Full, change)


def _of_values(at: Session, found: CheckpointFiles) -> ImportFile:
    """Return the changes of new values; those that are missing are the base's.

    A tensor that was only rounded when the file was saved counts as equal.
    """
    patches: dict[str, Patch] = {}
    keys: dict[str, str] = {}
    known, n_tensors = at.manifest.tensors, 0
    for component, files in found.files.items():
        for file in map(dequantized, files):
            n_tensors += len(file)
            for key in sorted(file):
                name = full_name(key, component, known)
                if name is None and is_no_weight(key):
                    continue
                patch = _of_value(key, name, file, keys, base=at.model.base)
                if patch is not None and name is not None:
                    patches[name] = patch
    same = n_tensors - len(patches)
    return ImportFile(Delta(patches), "full", "", n_tensors, same)


def _of_value(
    key: str,
    name: str | None,
    file: Mapping[str, torch.Tensor],
    keys: dict[str, str],
    *,
    base: Weights,
) -> Patch | None:
    """Return the change of one tensor to a new value; None for the base's own.

    Args:
        key: Its key in the file.
        name: Its full name; None where the model has no such tensor.
        file: The tensors of the file.
        keys: The keys that were read, by full name; this one is added.
        base: The base's tensors.
    """
    if name is None:
        like = resembling(file)
        raise _unusable(key, f"is none of this model's{like and f'; this is {like}'}")
    if name in keys:
        raise _unusable(key, f"is the same as {shown(keys[name])}")
    keys[name] = key
    given, old = file[key], base[name]
    new = fitted(given, old.shape)
    if new is None:
        shapes = f"is {list(given.shape)}, the base's is {list(old.shape)}"
        raise _unusable(key, shapes)
    if same_numbers(new, old):
        return None
    return _patch(key, Full, checked(key, new) - old.float())


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
        fix="give a file with nothing but new tensors of the ledger's base, or an "
        "adapter of it, such as a LoRA",
    )
