"""Encoding of tensors as reproducible bytes of a safetensors file.

The container is written here, so that its bytes do not depend on a library's
version, and read by the safetensors library, like any reader would.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load

from unlearnlog.core.delta import raw_bytes
from unlearnlog.core.digest import plain_json

_ALIGNMENT: Final = 8  # bytes; the header is padded so that the data is aligned
_TYPES: Final = {torch.float32: "F32", torch.int64: "I64"}

BROKEN: Final = (SafetensorError, ValueError, KeyError, TypeError, RuntimeError)
"""Errors of bytes that are no file of tensors."""


def written(
    tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str] | None = None
) -> bytes:
    """Return tensors, in their order, as the bytes of a safetensors file.

    Raises:
        ValueError: A tensor is neither float32 nor int64.
    """
    found = {name: tensor.contiguous() for name, tensor in tensors.items()}
    if strange := {t.dtype for t in found.values()} - _TYPES.keys():
        message = f"cannot write tensors of {sorted(map(str, strange))}"
        raise ValueError(message)
    ends = accumulate(tensor.nbytes for tensor in found.values())
    header: dict[str, object] = {"__metadata__": metadata} if metadata else {}
    header |= {
        name: {
            "dtype": _TYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [end - tensor.nbytes, end],
        }
        for (name, tensor), end in zip(found.items(), ends, strict=True)
    }
    text = plain_json(header)
    text += b" " * (-len(text) % _ALIGNMENT)
    data = (raw_bytes(tensor) for tensor in found.values())
    return b"".join([len(text).to_bytes(8, "little"), text, *data])


def encoded(tensors: Mapping[str, torch.Tensor]) -> bytes:
    """Return the bytes of tensors, sorted by name; their hash identifies an attack."""
    return written({name: tensors[name] for name in sorted(tensors)})


def decoded(data: bytes) -> dict[str, torch.Tensor]:
    """Return the tensors of bytes that `encoded` returned; refuse any others.

    Raises:
        ValueError: The bytes are not exactly what was written.
    """
    try:
        tensors = load(data)
        same = encoded(tensors) == data
    except BROKEN as error:
        message = f"no attack's tensors: {error}"
        raise ValueError(message) from error
    if not same:
        message = "tensors, but not as they were written"
        raise ValueError(message)
    return tensors
