"""The encoding of prompts by a stock pipeline's own functions."""

from __future__ import annotations

import functools
import inspect
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import diffusers
import torch
from diffusers.utils import is_bs4_available, is_ftfy_available

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
    pipeline_class = getattr(diffusers, kind)
    taken = inspect.signature(pipeline_class.__init__).parameters.values()
    required = [each.name for each in taken if each.default is each.empty]
    nothing = dict.fromkeys(required[1:])  # the first is the pipeline itself
    pipeline = pipeline_class(**nothing, **settings)
    for encoder, tokenizer in parts.tokenizers.items():
        name = encoder.replace("text_encoder", "tokenizer")
        setattr(pipeline, name, tokenizer)
        setattr(pipeline, encoder, run and RunEncoder(run, encoder))
    return pipeline


def stock_default(kind: str, argument: str) -> Untyped:
    """Return the default of an argument of a pipeline's call."""
    call = getattr(diffusers, kind).__call__
    return inspect.signature(call).parameters[argument].default


def is_cleaned() -> bool:
    """Return whether a pipeline that cleans prompts does so, with what is installed."""
    return is_bs4_available() and is_ftfy_available()
