"""``Ledger.apply``: a revision's weights, put into a loaded diffusers pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from unlearnlog.errors import WrongBase
from unlearnlog.run.carried import refuse_adapters, refuse_strange

if TYPE_CHECKING:
    from unlearnlog.run.place import Place


def apply(at: Place, pipeline: object, rev: str) -> None:
    """Give a loaded pipeline the weights of a revision.

    Args:
        at: The ledger, and the model it is about.
        pipeline: Of that model, in any dtype, on any device, with whatever revision
            applied; it is changed.
        rev: Whose weights.

    Raises:
        RevisionError: The revision names no entry.
        WrongBase: The pipeline is of another model, or carries a change that is not
            this ledger's; names what differs.
        UsageError: A LoRA is loaded or fused.
    """
    refuse_adapters(pipeline)
    weights = at.weights(at.resolved(rev))
    unet: Any = getattr(pipeline, "unet", None)
    parts = {} if unet is None else dict(unet.named_parameters(prefix="unet"))
    wrong = _differing(parts, at.model.folder.stored("unet"), weights)
    if wrong:
        raise WrongBase(
            f"the pipeline is not the ledger's base; not the same: "
            f"{', '.join(wrong[:5])}",
            fix=f"load the model the ledger was made for: {at.manifest.source}",
        )
    refuse_strange(at, parts)
    with torch.no_grad():
        for name, tensor in weights.items():
            parts[name].copy_(tensor)


def _differing(
    parts: Mapping[str, Any], base: Mapping[str, Any], free: Mapping[str, Any]
) -> Sequence[str]:
    """Name the parameters that are not the base's; those in ``free`` may be changed."""
    wrong = sorted(parts.keys() ^ base.keys())
    for name in sorted(parts.keys() & base.keys()):
        here, there = parts[name].detach().cpu(), base[name]
        same = here.shape == there.shape and (
            name in free or torch.equal(here, there.to(here.dtype))
        )
        if not same:
            wrong.append(name)
    return wrong
