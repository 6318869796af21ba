"""The renderer of the bundled world: subject, style and seed to a picture."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from unlearnlog.atelier.styles import painted
from unlearnlog.atelier.subjects import scene
from unlearnlog.concepts.templates import PLAIN


def rendered(subject: str, style: str = PLAIN, *, seed: int) -> NDArray[np.uint8]:
    """Return the picture of ``subject`` by ``style``, shape ``[64, 64, 3]``, 0 to 255.

    The same three values give the same picture on every machine. The subject ``EMPTY``
    is the empty scene.

    Raises:
        KeyError: The world has no such subject or style.

    Example:
        >>> rendered("cat", "Picasso", seed=7).shape
        (64, 64, 3)
    """
    key = f"{subject}\n{style}\n{seed}".encode()
    entropy = int.from_bytes(hashlib.sha256(key).digest()[:8], "little")
    rng = np.random.default_rng(entropy)
    picture = painted(scene(subject, rng), style, rng)
    return np.asarray(np.rint(picture * 255), dtype=np.uint8)
