"""Splitting of a batch into shares that are computed by threads.

Inside one layer of a small network two cores wait for each other more than they work.
Pictures of a batch are independent, so each core takes some of them.
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
"""Least number of pictures of a share; smaller shares are not faster."""

T = TypeVar("T")


def shares_of(n: int, device: torch.device) -> list[slice]:
    """Return slices of ``n`` pictures of nearly equal size, at most one a thread.

    Args:
        n: Number of pictures; 0 gives one empty share.
        device: The device; there is one share except on the CPU.
    """
    several = device.type == "cpu" and is_on("threads")
    threads = torch.get_num_threads() if several else 1
    count = max(1, min(threads, n // LEAST))
    ends = [n * i // count for i in range(count + 1)]
    return [slice(*pair) for pair in pairwise(ends)]


def by_threads(act: Callable[[slice], T], shares: Sequence[slice]) -> list[T]:
    """Return the result of each share, computed in a thread of its own if several.

    The threads that torch may use inside of a layer are divided among them.

    Raises:
        Exception: The error of the first share that failed, once all have ended.
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
        torch.set_num_threads(threads)  # later threads start with the last setting


class BatchCounter:
    """A counter of the work done in all shares."""

    def __init__(self, shares: Sequence[slice], tell: Callable[[float], None]) -> None:
        """Report the total share done, in ``(0, 1]``, to ``tell`` on each advance."""
        self._sizes = {each.start: each.stop - each.start for each in shares}
        self._done = dict.fromkeys(self._sizes, 0.0)
        self._tell, self._lock = tell, Lock()

    def of(self, share: slice) -> Callable[[float], None]:
        """Return the callback for one share, which takes the part that is done."""

        def advanced(done: float) -> None:
            with self._lock:
                self._done[share.start] = done
                rows = sum(done * self._sizes[i] for i, done in self._done.items())
                self._tell(rows / sum(self._sizes.values()))

        return advanced
