"""Tensors of a single file that none of its networks is made of."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from unlearnlog.checkpoints.deferred_tensor import DeferredTensor
from unlearnlog.checkpoints.ldm_checkpoint import networks_of
from unlearnlog.models.foreign_file import shown

if TYPE_CHECKING:
    from torch import Tensor

    from unlearnlog.models.tensor_file import TensorPlace

_NAMED: Final = 3
_KNOWN: Final = re.compile(
    r"model_ema\..*|betas|alphas_cumprod(_prev)?|(log_|posterior_|sqrt_)\w+|logvar"
    r"|denoiser\.sigmas|v_pred|ztsnr|global_step|scale_factor|learned_var"
    r"|.*\.(position_ids|logit_scale|attn_mask)"
    r"|cond_stage_model\.model\.(text_projection|transformer\.resblocks\.23\..*)"
)
"""What the original code keeps beside its networks: the averaged copy, the noise
levels, and a layer and a projection of a text encoder that no pipeline uses."""


def unread(keys: Iterable[str], read: Collection[str]) -> tuple[str, ...]:
    """Return a note on tensors that were not read, and whose meaning is unknown.

    Args:
        keys: Every key of the file.
        read: Those that a network is made of.
    """
    left = sorted(k for k in keys if k not in read and not _KNOWN.fullmatch(k))
    if not left:
        return ()
    names = ", ".join(map(shown, left[:_NAMED]))
    more = f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
    what = "1 tensor" if len(left) == 1 else f"{len(left)} tensors"
    return (f"{what} in it of no known network, not read: {names}{more}",)


def unread_beside(
    places: Mapping[str, TensorPlace], configs: Mapping[str, Mapping[str, Any]]
) -> tuple[str, ...]:
    """Return the note of `unread` for a file whose networks have these configurations.

    Args:
        places: The place of every tensor of the file by key.
        configs: Configurations of the networks that are read, by component.

    Raises:
        KeyError: The networks are not those of the configurations.
    """
    tensors = DeferredTensor.of(places)
    parts = networks_of(cast("Mapping[str, Tensor]", tensors), configs, ema=False)
    names = cast("Mapping[str, Mapping[str, DeferredTensor]]", parts)
    read = {each.key for part in names.values() for each in part.values()}
    return unread(tensors, read)
