"""The opened files of a fine-tuned model, before their keys are translated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from torch import Tensor

from unlearnlog.checkpoints.adapter_info import Adapter
from unlearnlog.core.digest import Digest, canonical_json, digest_of
from unlearnlog.models.foreign_file import SafetensorsFile


@dataclass(frozen=True, eq=False)
class CheckpointFiles:
    """Opened files with weights.

    Attributes:
        form: ``pipeline``, ``component``, ``lora`` or ``embedding``.
        files: Tensors by key, for each component one mapping a file; the component is
            empty where the keys have it.
        sha256: Digest of all files, independent of their names.
        adapter: Metadata of a LoRA.
        notes: Remarks on the files, for the report.
        is_plain: Whether these are exactly the files that diffusers loads.
        predicts: The prediction type in the files, by diffusers' name; empty where
            there is none.
        folders: Folder of each component that has one.
    """

    form: str
    files: Mapping[str, Sequence[Mapping[str, Tensor]]]
    sha256: Digest
    adapter: Adapter = field(default_factory=Adapter)
    notes: tuple[str, ...] = ()
    is_plain: bool = False
    predicts: str = ""
    folders: Mapping[str, Path] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        form: str,
        files: Mapping[str, Sequence[SafetensorsFile]],
        *,
        adapter: Adapter | None = None,
        notes: tuple[str, ...] = (),
        is_plain: bool = False,
        folders: Mapping[str, Path] | None = None,
    ) -> Self:
        """Return the description of files that are read without conversion."""
        opened = [file for each in files.values() for file in each]
        return cls(
            form,
            files,
            digest_of_files(opened),
            adapter or Adapter(),
            notes,
            is_plain,
            folders=folders or {},
        )


def digest_of_files(files: Iterable[SafetensorsFile]) -> Digest:
    """Return one digest of files, independent of their names."""
    return digest_of(canonical_json(sorted(file.digest() for file in files)))
