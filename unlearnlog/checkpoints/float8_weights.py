"""Weights in eight bits with scales, as ComfyUI's tools save them.

A weight is its numbers times ``<module>.scale_weight`` (today ``weight_scale``): one
number, or one an output. The scales of activations change no weight.

Source:
    ComfyUI, ``comfy/ops.py`` and ``comfy/utils.py`` (``scaled_fp8``, ``comfy_quant``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import torch

_SCALES: Final = (".scale_weight", ".weight_scale")
_MARKS: Final = (*_SCALES, ".scale_input", ".input_scale", ".comfy_quant", "scaled_fp8")
"""Ends of the keys of tensors that are no weights."""


class ScaledWeights(Mapping[str, torch.Tensor]):
    """The tensors of a file by key, each weight times its scale, read on access."""

    def __init__(
        self, file: Mapping[str, torch.Tensor], scales: Mapping[str, str]
    ) -> None:
        """Use `dequantized` instead."""
        self._file, self._scales = file, scales

    def __getitem__(self, key: str) -> torch.Tensor:
        """Return a tensor; one with a scale in float32."""
        tensor = self._file[key]
        if key not in self._scales:
            return tensor
        scale = self._file[self._scales[key]].float()
        if scale.numel() > 1:
            scale = scale.reshape(-1, *[1] * (tensor.ndim - 1))
        return tensor.float() * scale

    def __iter__(self) -> Iterator[str]:
        return (key for key in self._file if not key.endswith(_MARKS))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def dequantized(file: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
    """Return the tensors of a file with scales multiplied in; or the file itself."""
    scales = {
        f"{key.removesuffix(end)}.weight": key
        for key in file
        for end in _SCALES
        if key.endswith(end)
    }
    marked = any(key.endswith(_MARKS) for key in file)
    return ScaledWeights(file, scales) if marked else file
