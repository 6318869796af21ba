"""Pipeline classes of diffusers, imported without the remarks of other libraries."""

from __future__ import annotations

import diffusers
from transformers.utils import logging

from unlearnlog.models.family_rules.protocol import Untyped


def pipeline_class(name: str) -> Untyped:
    """Return a pipeline class of diffusers.

    Some modules of diffusers import image processors, and transformers remarks on the
    terminal that torchvision, which no text-to-image pipeline needs, is not there.

    Args:
        name: The class's name.
    """
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        return getattr(diffusers, name)
    finally:
        logging.set_verbosity(verbosity)
