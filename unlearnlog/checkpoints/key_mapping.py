"""What trainers call a model's tensors: prefixes of wrappers, older names, shapes."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from typing import TYPE_CHECKING, Final

from unlearnlog.models.overrides import OLD_PREFIX, newer, older

if TYPE_CHECKING:
    import torch

_WRAPPERS: Final = re.compile(r"(?:^|(?<=\.))(?:module|_orig_mod|model|ema_model)\.")
"""What ``DataParallel``, ``torch.compile`` and trainers put before names."""

_NO_WEIGHT: Final = re.compile(r".*(?:position_ids|num_batches_tracked|logit_scale)")
"""Tensors of other people's files that are none of a network's weights."""


def is_no_weight(key: str) -> bool:
    """Whether a key of a file names something that nobody trains."""
    return _NO_WEIGHT.fullmatch(key) is not None


def full_name(key: str, component: str, known: Container[str]) -> str | None:
    """Return the full name of the tensor that a key of a file means; None for none.

    Args:
        key: As it is in the file.
        component: Whose file it is; empty where the file does not say.
        known: Full names.
    """
    return next((name for name in _meant(key, component) if name in known), None)


def _meant(key: str, component: str) -> Iterator[str]:
    """Yield the full names that a key may mean, the literal one first."""
    bare = _WRAPPERS.sub("", key)
    for said in dict.fromkeys((key, bare, newer(bare), older(bare))):
        yield said
        for owner in (component,) if component else ("unet",):
            yield f"{owner}.{said}"
            yield f"{owner}.{OLD_PREFIX}{said}"
            yield f"{owner}.{said.removeprefix(OLD_PREFIX)}"
        head, _, rest = said.partition(".")
        yield f"{head}.{OLD_PREFIX}{rest}"
        yield f"{head}.{rest.removeprefix(OLD_PREFIX)}"


def fitted(tensor: torch.Tensor, shape: torch.Size) -> torch.Tensor | None:
    """Return a tensor in a shape that says the same; None where it does not.

    A 1 x 1 convolution is a linear layer, ``[out, in, 1, 1]`` and ``[out, in]``.
    """
    if tensor.shape == shape:
        return tensor
    plain = [size for size in tensor.shape if size != 1]
    if plain == [size for size in shape if size != 1]:
        return tensor.reshape(shape)
    return None
