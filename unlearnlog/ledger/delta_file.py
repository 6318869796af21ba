"""Encoding of a delta as the bytes of a safetensors file.

A delta is identified by the digest of its tensors; the bytes are compared, too, so that
a flipped byte in a header is found.
"""

from __future__ import annotations

import torch
from safetensors.torch import load

from unlearnlog.core.delta import Delta, Full, LowRank, Patch
from unlearnlog.core.digest import plain_json
from unlearnlog.ledger.path_safety import MAX_TEXT
from unlearnlog.ledger.tensors_file import BROKEN, written


def encoded(delta: Delta) -> bytes:
    """Return a delta as the bytes of a safetensors file, with one metadata key."""
    parts = {
        f"{name}#{part}": tensor
        for name, patch in delta.patches.items()
        for part, tensor in patch.parts.items()
    }
    kinds = {name: patch.kind for name, patch in delta.patches.items()}
    return written(parts, {"unlearnlog": plain_json({"patches": kinds}).decode()})


def parts_of(data: bytes) -> dict[str, torch.Tensor]:
    """Return the tensors of a delta's file, unchecked.

    Raises:
        ValueError: The bytes are no safetensors file.
    """
    try:
        return _loaded(data)
    except BROKEN as error:
        message = f"not a delta: {error}"
        raise ValueError(message) from error


def decoded(data: bytes) -> Delta:
    """Return the delta of bytes that `encoded` returned; refuse any others.

    Raises:
        ValueError: The bytes are not exactly what was written.
    """
    try:
        delta = Delta(_patches(_loaded(data)))
    except BROKEN as error:
        message = f"not a delta: {error}"
        raise ValueError(message) from error
    if encoded(delta) != data:
        message = "a delta, but not as it was written"
        raise ValueError(message)
    return delta


def _loaded(data: bytes) -> dict[str, torch.Tensor]:
    """Return the tensors of a file, after a check of its header's length."""
    if (length := int.from_bytes(data[:8], "little")) > MAX_TEXT:
        message = f"its header is {length} bytes long, at most {MAX_TEXT} are read"
        raise ValueError(message)
    return load(data)


def _patches(tensors: dict[str, torch.Tensor]) -> dict[str, Patch]:
    """Return the patches of a delta from their parts."""
    parts: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in tensors.items():
        name, _, part = key.rpartition("#")
        parts.setdefault(name, {})[part] = tensor
    return {
        name: Full(found["value"])
        if "value" in found
        else LowRank(found["left"], found["right"])
        for name, found in parts.items()
    }
