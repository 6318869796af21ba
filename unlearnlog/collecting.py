"""Python's search for garbage, left out where none can be."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Look for no garbage meanwhile: for what builds many values that form no circle.

    Each search goes through all that was built so far: half of the time in which a
    history of 10,000 entries is read and laid out.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
