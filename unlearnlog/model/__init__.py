"""The seam to diffusers: the only package that imports it or transformers.

Importing this package loads neither; ``unlearnlog.model.model`` does.
"""

from unlearnlog.model.protocol import Model, Painted, Sampling

__all__ = ["Model", "Painted", "Sampling"]
