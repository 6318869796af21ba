"""A layer of another class in a layer's place."""

from __future__ import annotations

import copy
from typing import TypeVar, cast

import torch

_Quick = TypeVar("_Quick", bound=torch.nn.Module)


def standing_for(layer: torch.nn.Module, kind: type[_Quick]) -> _Quick:
    """Return a layer of another class with the same attributes."""
    made = copy.copy(layer)
    made.__class__ = kind
    return cast("_Quick", made)
