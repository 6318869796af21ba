"""Tensors on disk by full name: read when asked for, and still what was loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from unlearnlog.core.delta import tensor_record
from unlearnlog.errors import ModelError
from unlearnlog.models.tensor_file import Stamp, TensorFile

if TYPE_CHECKING:
    import torch

    from unlearnlog.core.digest import TensorRecord

_COPY_AGAIN: Final = "the file is cut short or damaged: copy or download it again"


@dataclass(frozen=True)
class LoadedTensors:
    """What was found of a folder's tensors while they were loaded.

    Attributes:
        records: Dtype, shape and digest by full name.
        stamps: What the file system said of each file before it was read.
    """

    records: Mapping[str, TensorRecord]
    stamps: Mapping[Path, Stamp]


class StoredWeights(Mapping[str, "torch.Tensor"]):
    """Tensors on disk by full name, each read when asked for, in its own dtype.

    Attributes:
        places: File, and name inside of it, by full name.
        files: The files by path, opened.
    """

    def __init__(
        self, places: Mapping[str, tuple[TensorFile, str]], seen: LoadedTensors | None
    ) -> None:
        """Use `open` instead."""
        self.places = places
        self._seen = seen
        self.files = {file.path: file for file, _ in places.values()}

    @classmethod
    def open(
        cls, files: Mapping[str, tuple[Path, ...]], seen: LoadedTensors | None = None
    ) -> Self:
        """Open files.

        Args:
            files: By component; its name stands before those of the tensors.
            seen: What was found when they were loaded; None for nothing yet.

        Raises:
            ModelError: A file is damaged, or holds a tensor that another one has.
        """
        places: dict[str, tuple[TensorFile, str]] = {}
        for component, paths in files.items():
            for path in paths:
                file = opened(path)
                for inner in file:
                    name = f"{component}.{inner}"
                    if name in places:
                        raise ModelError(
                            f"'{path}' holds {inner!r}, and so does "
                            f"'{places[name][0].path.name}' beside it",
                            fix="copy or download the model again, with all its files",
                        )
                    places[name] = file, inner
        return cls(places, seen)

    def __getitem__(self, name: str) -> torch.Tensor:
        """Read a tensor.

        Raises:
            ModelError: Its file is damaged, or is not what was loaded any more.
        """
        file, inner = self.places[name]
        tensor = read(file, inner)
        if self._seen is not None and not self._is_untouched(file):
            self._check_same(name, tensor, file.path)
        return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)

    def _is_untouched(self, file: TensorFile) -> bool:
        """Whether nobody wrote to a file since it was loaded."""
        return self._seen is not None and self._seen.stamps.get(file.path) == file.stamp

    def _check_same(self, name: str, tensor: torch.Tensor, path: Path) -> None:
        known = self._seen.records.get(name) if self._seen is not None else None
        if tensor_record(tensor) != known:
            raise altered(path)


def opened(path: Path) -> TensorFile:
    """Open one file.

    Raises:
        ModelError: It is no safetensors file, or a damaged one.
    """
    try:
        return TensorFile.open(path)
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read '{path}': {error}", fix=_COPY_AGAIN) from None


def read(file: TensorFile, name: str) -> torch.Tensor:
    """Read one tensor of a file.

    Raises:
        ModelError: The file was cut short, or the tensor has no numbers of a weight.
    """
    try:
        return file[name]
    except (OSError, ValueError) as error:
        raise ModelError(
            f"cannot read {name!r} of '{file.path}': {error}", fix=_COPY_AGAIN
        ) from None


def altered(path: Path) -> ModelError:
    """Say that a file is not what was loaded from it."""
    return ModelError(
        f"'{path}' was changed after the model was loaded from it",
        fix="put it back as it was; to work with what is there now, open it anew",
    )
