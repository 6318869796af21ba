"""A batch in shares, each of them computed by a thread of its own.

Inside one layer of a small network two cores wait for each other more than they work.
Pictures do not ask each other anything, so each core takes some of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Lock
from typing import Final, TypeVar

import torch

from unlearnlog.models.fastcpu.switch import is_on

LEAST: Final = 16
"""Pictures of a share; fewer are no quicker alone than together."""

T = TypeVar("T")


def shares_of(n: int, device: torch.device) -> list[slice]:
    """Cut ``n`` pictures into shares of nearly one size, one for each thread at most.

    Args:
        n: How many pictures; 0 is one empty share.
        device: Where they are computed: one share anywhere but on the CPU.
    """
    several = device.type == "cpu" and is_on("threads")
    threads = torch.get_num_threads() if several else 1
    count = max(1, min(threads, n // LEAST))
    ends = [n * i // count for i in range(count + 1)]
    return [slice(*pair) for pair in pairwise(ends)]


def by_threads(act: Callable[[slice], T], shares: Sequence[slice]) -> list[T]:
    """Act on each share in a thread of its own; one share is acted on right here.

    The threads that the caller may use inside of a layer are divided among them.

    Raises:
        Exception: What the first act that failed has raised, once all have ended.
    """
    if len(shares) == 1:
        return [act(shares[0])]
    threads = torch.get_num_threads()
    each = max(1, threads // len(shares))
    try:
        with ThreadPoolExecutor(
            len(shares), initializer=torch.set_num_threads, initargs=(each,)
        ) as pool:
            return list(pool.map(act, shares))
    finally:
        torch.set_num_threads(threads)  # later threads begin with what was said last


class BatchCounter:
    """Adds up how far each share is."""

    def __init__(self, shares: Sequence[slice], tell: Callable[[float], None]) -> None:
        """Tell how much of all shares is done, in ``(0, 1]``, whenever one advances."""
        self._sizes = {each.start: each.stop - each.start for each in shares}
        self._done = dict.fromkeys(self._sizes, 0.0)
        self._tell, self._lock = tell, Lock()

    def of(self, share: slice) -> Callable[[float], None]:
        """Return whom to tell how much of one share is done."""

        def told(done: float) -> None:
            with self._lock:
                self._done[share.start] = done
                rows = sum(done * self._sizes[i] for i, done in self._done.items())
                self._tell(rows / sum(self._sizes.values()))

        return told
