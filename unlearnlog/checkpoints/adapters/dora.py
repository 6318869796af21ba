"""DoRA: the changed weight, with a norm that was learned apart from its direction.

``W' = m * (W + change) / |W + change|``, where norms are of each output (peft, and
LyCORIS today) or of each input (older LyCORIS); the shape of ``m`` shows which.

Source:
    S.-Y. Liu et al., https://arxiv.org/abs/2402.09353; LyCORIS
    (``functional.general.weight_decompose``); peft (``tuners.lora.dora``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from unlearnlog.checkpoints.adapters.adapter_parts import AdapterParts


def with_magnitude(parts: AdapterParts, change: torch.Tensor) -> torch.Tensor:
    """Return the whole change of a weight after its norms were replaced.

    Args:
        parts: The adapter, with a ``magnitude`` of peft or a ``dora_scale`` of LyCORIS.
        change: The change of another method, in the weight's shape.

    Raises:
        DeltaError: The magnitude is neither one number an output nor one an input.
    """
    weight = parts.original()
    part = "magnitude" if "magnitude" in parts.tensors else "dora_scale"
    new, magnitude = weight + change, parts[part]
    kept = 0 if _is_of_outputs(parts, part) else 1
    others = [dim for dim in range(new.ndim) if dim != kept]
    norms = torch.linalg.vector_norm(new, dim=others, keepdim=True)
    tiny = torch.finfo(torch.float32).eps
    factors: torch.Tensor = magnitude.reshape(norms.shape) / (norms + tiny)
    return new * factors - weight


def _is_of_outputs(parts: AdapterParts, part: str) -> bool:
    """Return whether magnitudes are those of outputs, as peft's, and not of inputs."""
    d_out, d_in = parts.shape[:2]
    magnitude = parts[part]
    n = magnitude.numel()
    if n not in ((d_out,) if part == "magnitude" else (d_out, d_in)):
        sizes = f"is {list(magnitude.shape)}, and the weight {list(parts.shape)}"
        raise parts.wrong(part, sizes)
    return n == d_out and (part == "magnitude" or magnitude.shape[0] == d_out)
