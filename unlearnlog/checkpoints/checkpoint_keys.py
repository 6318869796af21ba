"""Mapping of a checkpoint's keys to full names: wrappers, older names, shapes."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from typing import TYPE_CHECKING, Final

from unlearnlog.models.overrides import OLD_PREFIX, newer, older

if TYPE_CHECKING:
    import torch

_WRAPPERS: Final = re.compile(r"(?:^|(?<=\.))(?:module|_orig_mod|model|ema_model)\.")
"""Prefixes of ``DataParallel``, ``torch.compile`` and trainers."""

_NETWORKS: Final = ("unet", "transformer")
"""Components that denoise, whose names a file may leave out."""

_NO_WEIGHT: Final = re.compile(r".*(?:position_ids|num_batches_tracked|logit_scale)")
"""Tensors in checkpoints that are no weights of a network."""


def is_no_weight(key: str) -> bool:
    """Return whether a key names a tensor that is no weight."""
    return _NO_WEIGHT.fullmatch(key) is not None


def full_name(key: str, component: str, known: Container[str]) -> str | None:
    """Return the full name of the tensor of a key; None for an unknown key.

    Args:
        key: The key in the file.
        component: The file's component; empty where it is unknown.
        known: Full names.
    """
    return next((name for name in _candidates(key, component) if name in known), None)


def _candidates(key: str, component: str) -> Iterator[str]:
    """Yield the possible full names of a key, the literal one first."""
    bare = _WRAPPERS.sub("", key)
    for inner in dict.fromkeys((key, bare, newer(bare), older(bare))):
        yield inner
        for owner in (component,) if component else _NETWORKS:
            yield f"{owner}.{inner}"
            yield f"{owner}.{OLD_PREFIX}{inner}"
            yield f"{owner}.{inner.removeprefix(OLD_PREFIX)}"
        head, _, rest = inner.partition(".")
        yield f"{head}.{OLD_PREFIX}{rest}"
        yield f"{head}.{rest.removeprefix(OLD_PREFIX)}"


def fitted(tensor: torch.Tensor, shape: torch.Size) -> torch.Tensor | None:
    """Return a tensor in an equivalent shape; None where the shape does not fit.

    A 1 x 1 convolution is a linear layer, ``[out, in, 1, 1]`` and ``[out, in]``.
    """
    if tensor.shape == shape:
        return tensor
    plain = [size for size in tensor.shape if size != 1]
    if plain == [size for size in shape if size != 1]:
        return tensor.reshape(shape)
    return None
