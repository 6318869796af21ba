"""Tensors on disk by full name, read on access and checked to be those loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, Self

from unlearnlog.core.delta import tensor_record
from unlearnlog.errors import ModelError
from unlearnlog.models.tensor_file import Stamp, TensorFile, TensorPlace

if TYPE_CHECKING:
    import torch

    from unlearnlog.core.digest import TensorRecord

_COPY_AGAIN: Final = "the file is truncated or damaged: copy or download it again"


@dataclass(frozen=True)
class LoadedTensors:
    """The records of a folder's tensors when they were loaded.

    Attributes:
        records: Dtype, shape and digest by full name.
        stamps: Stamp of each file before it was read.
    """

    records: Mapping[str, TensorRecord]
    stamps: Mapping[Path, Stamp]


class TensorSource(Protocol):
    """The tensors of one network by name, from one file."""

    @property
    def path(self) -> Path:
        """The file."""
        ...

    @property
    def places(self) -> Mapping[str, TensorPlace]:
        """The shape of each tensor, and where it lies in its file."""
        ...

    @property
    def stamp(self) -> Stamp:
        """The file's stamp now."""
        ...

    def __getitem__(self, name: str, /) -> torch.Tensor:
        """Read one tensor."""
        ...

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        ...


class StoredWeights(Mapping[str, "torch.Tensor"]):
    """Tensors on disk by full name, each read on access, in its own dtype.

    Attributes:
        places: File, and name inside of it, by full name.
        files: The opened files by path.
    """

    def __init__(
        self, places: Mapping[str, tuple[TensorSource, str]], seen: LoadedTensors | None
    ) -> None:
        """Use `open` instead."""
        self.places = places
        self._seen = seen
        self.files = {file.path: file for file, _ in places.values()}

    @classmethod
    def open(
        cls, files: Mapping[str, tuple[Path, ...]], seen: LoadedTensors | None = None
    ) -> Self:
        """Return the tensors of files.

        Args:
            files: Files by component, whose name becomes the prefix of its tensors.
            seen: The records from when they were loaded; None before that.

        Raises:
            ModelError: A file is damaged, or holds a tensor that another one has.
        """
        places: dict[str, tuple[TensorSource, str]] = {}
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
            ModelError: Its file is damaged, or was changed after it was loaded.
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

    def _is_untouched(self, file: TensorSource) -> bool:
        """Return whether a file was not written to since it was loaded."""
        return self._seen is not None and self._seen.stamps.get(file.path) == file.stamp

    def _check_same(self, name: str, tensor: torch.Tensor, path: Path) -> None:
        known = self._seen.records.get(name) if self._seen is not None else None
        if tensor_record(tensor) != known:
            raise altered(path)


def opened(path: Path) -> TensorFile:
    """Return one file, opened.

    Raises:
        ModelError: It is no safetensors file, or a damaged one.
    """
    try:
        return TensorFile.open(path)
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read '{path}': {error}", fix=_COPY_AGAIN) from None


def read(file: TensorSource, name: str) -> torch.Tensor:
    """Return one tensor of a file.

    Raises:
        ModelError: The file was truncated, or torch does not have the tensor's dtype.
    """
    try:
        return file[name]
    except (OSError, ValueError) as error:
        raise ModelError(
            f"cannot read {name!r} of '{file.path}': {error}", fix=_COPY_AGAIN
        ) from None


def altered(path: Path) -> ModelError:
    """Return the error for a file that was changed after it was loaded."""
    return ModelError(
        f"'{path}' was changed after the model was loaded from it",
        fix="restore the file, or open the model again to use the changed one",
    )
