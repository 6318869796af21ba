"""The encoding of prompts by a stock pipeline's own functions."""

from __future__ import annotations

import functools
import inspect
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import torch
from diffusers.utils import is_bs4_available, is_ftfy_available

from unlearnlog.models.family_rules.stock_pipelines import pipeline_class

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unlearnlog.models.family_rules.protocol import Parts, Run, Untyped

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class RunEncoder(functools.partial[Any]):
    """A text encoder as a pipeline calls it: a caller with the component's name.

    Attributes:
        dtype: The dtype that a pipeline casts the encoder's vectors to.
    """

    dtype = torch.float32


def stock_encoder(
    kind: str,
    parts: Parts,
    run: Run | None = None,
    settings: Mapping[str, Any] = _NOTHING,
) -> Untyped:
    """Return a pipeline that has tokenizers and text encoders only.

    Args:
        kind: The name of a pipeline class of diffusers.
        parts: The model.
        run: Caller of text encoders, with the weights that hold; None where the
            pipeline encodes nothing.
        settings: Arguments of the class beside components.
    """
    nothing = dict.fromkeys(_required(kind))
    pipeline = pipeline_class(kind)(**nothing, **settings)
    for encoder, tokenizer in parts.tokenizers.items():
        name = encoder.replace("text_encoder", "tokenizer")
        setattr(pipeline, name, tokenizer)
        setattr(pipeline, encoder, run and RunEncoder(run, encoder))
    return pipeline


@functools.cache
def _required(kind: str) -> list[str]:
    """Return the components that a pipeline class takes as arguments."""
    taken = inspect.signature(pipeline_class(kind)).parameters.values()
    return [each.name for each in taken if each.default is each.empty]


@functools.cache
def stock_default(kind: str, argument: str) -> Untyped:
    """Return the default of an argument of a pipeline's call."""
    call = pipeline_class(kind).__call__
    return inspect.signature(call).parameters[argument].default


def is_cleaned() -> bool:
    """Return whether a pipeline that cleans prompts does so, with what is installed."""
    return bool(is_bs4_available() and is_ftfy_available())
