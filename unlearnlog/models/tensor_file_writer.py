"""A writer of safetensors files that loads one tensor at a time.

The same tensors and metadata are the same bytes: the library writes metadata in an
order that differs from run to run, and holds the whole file in memory.

Source:
    The format: github.com/huggingface/safetensors, its README.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from unlearnlog.core.delta import raw_bytes
from unlearnlog.models.tensor_file import DTYPES, LENGTH_BYTES, NOTES

if TYPE_CHECKING:
    import torch

_ALIGNMENT: Final = 8  # of the header's end, in bytes
_KINDS: Final = {dtype: kind for kind, dtype in DTYPES.items()}


@dataclass(frozen=True)
class PlannedTensor:
    """A tensor that is to be written.

    Attributes:
        dtype: Its dtype.
        shape: Sizes, outermost first.
        load: Returns it.
    """

    dtype: torch.dtype
    shape: tuple[int, ...]
    load: Callable[[], torch.Tensor]

    @property
    def n_bytes(self) -> int:
        """Its size in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize


Planned = Mapping[str, PlannedTensor]
"""Tensors that are to be written, by key."""


def planned(tensors: Mapping[str, torch.Tensor]) -> dict[str, PlannedTensor]:
    """Return tensors that are in memory, as tensors to write."""
    return {
        key: PlannedTensor(each.dtype, tuple(each.shape), partial(_held, each))
        for key, each in tensors.items()
    }


def _held(tensor: torch.Tensor) -> torch.Tensor:
    return tensor


def header_of(tensors: Planned, metadata: Mapping[str, str]) -> bytes:
    """Return the beginning of a file, up to its first tensor.

    Args:
        tensors: The tensors by key.
        metadata: The metadata.
    """
    rows: dict[str, object] = {NOTES: dict(sorted(metadata.items()))}
    end = 0
    for key in _in_order(tensors):
        tensor, begin = tensors[key], end
        end += tensor.n_bytes
        rows[key] = {
            "dtype": _KINDS[tensor.dtype],
            "shape": [*tensor.shape],
            "data_offsets": [begin, end],
        }
    text = json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(LENGTH_BYTES, "little") + text


def pieces_of(tensors: Planned, begin: int) -> Iterator[tuple[int, memoryview]]:
    """Yield the offset and the bytes of each tensor, loaded one at a time.

    Args:
        tensors: The tensors by key.
        begin: Size of the header.

    Raises:
        ValueError: A tensor has another dtype or shape than planned.
    """
    for key in _in_order(tensors):
        wanted, tensor = tensors[key], tensors[key].load()
        if (tensor.dtype, tuple(tensor.shape)) != (wanted.dtype, wanted.shape):
            message = (
                f"'{key}' is {tensor.dtype} {list(tensor.shape)}, "
                f"not {wanted.dtype} {list(wanted.shape)}"
            )
            raise ValueError(message)
        yield begin, raw_bytes(tensor)
        begin += wanted.n_bytes


def _in_order(tensors: Planned) -> list[str]:
    """Return the keys in the order of the file: wide numbers first, so all align."""
    return sorted(tensors, key=lambda key: (-tensors[key].dtype.itemsize, key))
