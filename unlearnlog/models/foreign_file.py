"""Untrusted tensor files, checked before they are opened.

Only safetensors: every other format of weights can run code when it is read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Self, final

import torch

from unlearnlog.core.plain_files import open_plain
from unlearnlog.errors import DeltaError
from unlearnlog.models.tensor_file import TensorFile, TensorPlace
from unlearnlog.models.weight_file_names import check_file

QUANTISED: Final = frozenset({torch.float8_e4m3fn, torch.float8_e5m2})
"""The dtypes of weights in eight bits: those of a file, but not of a base."""

FLOATS: Final = QUANTISED | {
    torch.float16,
    torch.bfloat16,
    torch.float32,
    torch.float64,
}
"""The dtypes of weights."""

_HALVES: Final = (torch.float16, torch.bfloat16)
_LONGEST: Final = 160  # characters of a key in a message


@final
class SafetensorsFile(Mapping[str, torch.Tensor]):
    """The tensors of a safetensors file by key, each read on access.

    Attributes:
        path: The file.
    """

    def __init__(self, file: TensorFile) -> None:
        """Use `open` instead, which checks the file."""
        self.path = file.path
        self._file = file

    @classmethod
    def open(cls, path: Path) -> Self:
        """Return a file, checked and opened.

        Raises:
            DeltaError: It does not exist, is no regular file, not safetensors, or
                damaged.
        """
        check_file(path)
        try:
            return cls(TensorFile.open(path))
        except (OSError, ValueError) as error:
            raise DeltaError(
                f"cannot read '{path}': {error}",
                fix="give a whole safetensors file; copy or export it again",
            ) from None

    def digest(self) -> str:
        """Return the SHA-256 of the file, 64 hex digits."""
        with open_plain(self.path) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    @property
    def metadata(self) -> Mapping[str, str]:
        """The metadata in its header."""
        return self._file.notes

    @property
    def places(self) -> Mapping[str, TensorPlace]:
        """The shape of each tensor, and where it lies in the file."""
        return self._file.places

    def __getitem__(self, key: str) -> torch.Tensor:
        """Read one tensor, in the dtype that it has in the file.

        Raises:
            DeltaError: Torch does not have its dtype, or the file was truncated.
        """
        try:
            return self._file[key]
        except (OSError, ValueError) as error:
            raise _strange(key, f"cannot be read: {error}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._file)

    def __len__(self) -> int:
        return len(self._file)


def checked(key: str, tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor in float32, checked.

    Raises:
        DeltaError: It has another dtype than weights, or numbers that are not finite.
    """
    if tensor.dtype not in FLOATS:
        raise _strange(key, f"is {tensor.dtype}")
    if not torch.isfinite(tensor.float()).all():
        raise DeltaError(
            f"the tensor {shown(key)} holds numbers that are not finite",
            fix="the training or the export failed: make the file again",
        )
    return tensor.float()


def same_numbers(tensor: torch.Tensor, own: torch.Tensor) -> bool:
    """Return whether a file's tensor equals the base's, perhaps rounded.

    It does if it has the bits of the base's tensor in the file's dtype, or those of the
    base's after half precision: a trainer may compute in that and save a wider dtype.
    """
    if tensor.shape != own.shape:
        return False
    if tensor.dtype == own.dtype and torch.equal(tensor, own):
        return True
    if not {tensor.dtype, own.dtype} <= FLOATS:
        return False
    return any(
        torch.equal(tensor, own.to(dtype).to(tensor.dtype))
        for dtype in (tensor.dtype, *_HALVES)
    )


def shown(key: str) -> str:
    """Return a key quoted for a message: shortened, invisible characters escaped."""
    return repr(key if len(key) <= _LONGEST else f"{key[: _LONGEST - 3]}...")


def _strange(key: str, what: str) -> DeltaError:
    return DeltaError(
        f"the tensor {shown(key)} {what}", fix="save it in float32, bfloat16 or float16"
    )
