"""``Ledger.apply``: a revision's weights, put into a loaded diffusers pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from unlearnlog.commands.loaded_changes import refuse_adapters, refuse_other_changes
from unlearnlog.errors import WrongBase

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session


def apply(at: Session, pipeline: object, rev: str) -> None:
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
    refuse_other_changes(at, parts)
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
