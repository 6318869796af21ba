"""Modules and pipeline classes of diffusers, imported when they are used.

Some of them import image processors, and transformers then remarks on the terminal that
torchvision is not there, which no text-to-image pipeline needs.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import diffusers
from transformers.utils import logging

if TYPE_CHECKING:
    from unlearnlog.models.family_rules.protocol import Untyped


def pipeline_class(name: str) -> Untyped:
    """Return a pipeline class of diffusers by its name."""
    with _quiet():
        return getattr(diffusers, name)


def pipeline_module(name: str) -> Untyped:
    """Return a module of ``diffusers.pipelines``, such as ``flux.pipeline_flux``."""
    with _quiet():
        return importlib.import_module(f"diffusers.pipelines.{name}")


@contextmanager
def _quiet() -> Iterator[None]:
    """Turn remarks of transformers off meanwhile."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
