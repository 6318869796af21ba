"""The spelling of ``--workers``: who computes the units of a command."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final

from unlearnlog.errors import UsageError

HERE: Final = "none"
"""The word for no workers: this process computes."""

OWN: Final = "ray"
"""The word for as many workers on this machine, or on RAY_ADDRESS, as it has room."""

THREADS: Final = "OMP_NUM_THREADS"
"""The environment variable with the threads of a worker, and of this process."""

_CLUSTER: Final = re.compile(r"ray://[^\s/:]+:\d{1,5}")
_MOST: Final = 4096
_SPELLED: Final = "none, a number of workers, ray, or ray://HOST:PORT"


@dataclass(frozen=True)
class WorkerChoice:
    """Who computes.

    Attributes:
        address: A cluster's ``ray://HOST:PORT``; empty for this machine.
        n: Number of workers; 0 for as many as there is room for.
    """

    address: str = ""
    n: int = 0

    @classmethod
    def of(cls, text: str) -> WorkerChoice | None:
        """Return the choice of a text; None for this process.

        Raises:
            UsageError: The text is no choice.
        """
        word = text.strip()
        if word in {"", HERE}:
            return None
        if word == OWN:
            return cls()
        if _CLUSTER.fullmatch(word):
            return cls(address=word)
        if word.isdecimal() and 1 <= int(word) <= _MOST:
            return cls(n=int(word))
        raise UsageError(f"no workers are called '{text}'", fix=f"give {_SPELLED}")

    def threads(self, cores: int) -> int:
        """Return the threads of each worker on CPUs.

        They are OMP_NUM_THREADS where that is set; else a number of workers shares the
        cores, and workers without a number have one thread each.

        Raises:
            UsageError: OMP_NUM_THREADS is no number.
        """
        if given := os.environ.get(THREADS, ""):
            if not given.isdecimal() or int(given) < 1:
                raise UsageError(
                    f"{THREADS} is '{given}'", fix=f"export {THREADS}=1, or more"
                )
            return int(given)
        return max(1, cores // self.n) if self.n else 1


def check_workers(text: str) -> None:
    """Refuse workers that cannot be had, before a model is loaded.

    Raises:
        UsageError: The text is no choice, or Ray is not installed.
    """
    if WorkerChoice.of(text) is not None and find_spec("ray") is None:
        raise UsageError(
            f"the workers '{text}' need Ray, which is not installed",
            fix="pip install 'unlearnlog[ray]', or leave --workers out",
        )
