"""VeRA: two random matrices that all layers share, and a layer's own factors for both.

``(b * B[:d_out]) @ (d * A[:, :d_in])``, a product of two factors.

Source:
    D. Kopiczko et al., https://arxiv.org/abs/2310.11454; as peft merges it (0.21,
    ``tuners/vera/layer.py``), which saves A and B in the file by default.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from unlearnlog.errors import DeltaError
from unlearnlog.models.foreign_file import shown

if TYPE_CHECKING:
    from torch import Tensor

    from unlearnlog.checkpoints.adapters.adapter_parts import AdapterParts
    from unlearnlog.core.low_rank import Factors

SHARED: Final[Mapping[str, str]] = {"A": "vera_A", "B": "vera_B"}
"""Parts that all modules share."""

OF_SHARED: Final = ("vera_lambda_b", "vera_lambda_d")
"""A module's own parts."""

_SHARED_KEY: Final = re.compile(r"(?:^|\.)base_model\.vera_([AB])(?:\.[^.]+)?$")


def shared_part(key: str) -> str:
    """Return the part that all modules share which a key is of; empty for none."""
    match = _SHARED_KEY.search(key)
    return SHARED[match[1]] if match else ""


def vera(parts: AdapterParts) -> Factors:
    """Return the two factors of the change of a matrix.

    Raises:
        DeltaError: The shared matrices are not in the file, or sizes do not fit.
    """
    own_out, own_rank = parts["vera_lambda_b"], parts["vera_lambda_d"]
    if not {*SHARED.values()} <= {*parts.tensors}:
        raise DeltaError(
            f"{shown(parts.keys['vera_lambda_b'])} is of a VeRA without the random "
            "matrices that its layers share",
            fix="save it again with save_projection=True in its VeraConfig; or merge "
            "it into the model, save the folder, and give that",
        )
    left, right = parts["vera_B"], parts["vera_A"]
    n_out, n_in = parts.shape[0], parts.shape.numel() // parts.shape[0]
    rank = len(own_rank)
    _check(parts, "vera_lambda_b", own_out, (n_out,))
    _check(parts, "vera_lambda_d", own_rank, (rank,))
    _check(parts, "vera_B", left[:n_out], (n_out, rank))
    _check(parts, "vera_A", right[:, :n_in], (rank, n_in))
    return own_out[:, None] * left[:n_out], own_rank[:, None] * right[:, :n_in]


def _check(
    parts: AdapterParts, part: str, tensor: Tensor, wanted: tuple[int, ...]
) -> None:
    if tuple(tensor.shape) != wanted:
        size = f"is {list(parts[part].shape)}, and the weight is {list(parts.shape)}"
        raise parts.wrong(part, size)
