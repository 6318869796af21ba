"""``Ledger.apply``: a revision's weights, copied into a loaded diffusers pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from unlearnlog.commands.loaded_changes import refuse_adapters, refuse_other_changes
from unlearnlog.errors import UsageError, WrongBase

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session


def apply(at: Session, pipeline: object, rev: str) -> None:
    """Copy the weights of a revision into a loaded pipeline.

    Args:
        at: The session, with its ledger and model.
        pipeline: A pipeline of that model, in any dtype, on any device, at the base or
            at a revision; it is changed.
        rev: The revision.

    Raises:
        RevisionError: The revision names no entry.
        WrongBase: The pipeline is of another model, or carries a change of another
            origin; names the parameters that differ.
        UsageError: A LoRA is loaded or fused.
    """
    refuse_adapters(pipeline)
    unet: Any = getattr(pipeline, "unet", None)
    parts = {} if unet is None else dict(unet.named_parameters(prefix="unet"))
    touched = at.the_ledger().touched()
    _check_reached(touched, parts, rev)
    base = {name: at.model.base[name] for name in touched}
    weights = {**base, **at.weights(at.resolved(rev))}
    wrong = _differing(parts, at.model.folder.stored("unet"), weights)
    if wrong:
        raise WrongBase(
            f"the pipeline is not the ledger's base; not the same: "
            f"{', '.join(wrong[:5])}",
            fix=f"load the model the ledger was made for: {at.manifest.source}",
        )
    refuse_other_changes(at, parts, weights)
    with torch.no_grad():
        for name, tensor in weights.items():
            parts[name].copy_(tensor)


def _check_reached(touched: Iterable[str], parts: Mapping[str, Any], rev: str) -> None:
    """Refuse a ledger that changes tensors outside of a pipeline's UNet.

    Raises:
        UsageError: It does; another revision could not be put back.
    """
    beyond = sorted(name for name in touched if name not in parts)
    if parts and beyond:
        raise UsageError(
            f"the ledger changes more than the pipeline's UNet: {beyond[0]}",
            fix=f"write the model as a folder, and load it: unlearnlog checkout {rev}",
        )


def _differing(
    parts: Mapping[str, Any], base: Mapping[str, Any], free: Mapping[str, Any]
) -> Sequence[str]:
    """Return the parameters that differ from the base; values in ``free`` may."""
    wrong = sorted(parts.keys() ^ base.keys())
    for name in sorted(parts.keys() & base.keys()):
        here, there = parts[name].detach().cpu(), base[name]
        same = here.shape == there.shape and (
            name in free or torch.equal(here, there.to(here.dtype))
        )
        if not same:
            wrong.append(name)
    return wrong
