"""The kind of a delta, by the names of the matrices that it changes.

A cross-attention delta changes keys and values that read the prompt alone. In joint
attention and in a single stream they read the picture as well: there an entry delta
changes the matrices by which the text, or its pooled vector, comes in, and a
joint-attention delta the keys and values of the text. A network delta, of an import,
changes other layers of a UNet, of a text encoder or of the autoencoder.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_PLACES: Final = (
    ("cross-attention", re.compile(r".*\.attn2\.to_[kv]\.weight")),
    ("joint-attention", re.compile(r".*\.attn\.add_[kv]_proj\.weight")),
    ("entry", re.compile(r"transformer\..*")),
    ("network", re.compile(r".*")),
)
"""Names of the matrices of each place, the first that fits."""


def delta_kind(names: Iterable[str]) -> str:
    """Return the kind of the delta that changes these tensors; empty for none.

    Example:
        >>> delta_kind(["transformer.context_embedder.weight"])
        'entry delta'
    """
    found = {_place(name) for name in names}
    places = [place for place, _ in reversed(_PLACES) if place in found]
    return f"{' and '.join(places)} delta" if places else ""


def _place(name: str) -> str:
    return next(place for place, pattern in _PLACES if pattern.fullmatch(name))
