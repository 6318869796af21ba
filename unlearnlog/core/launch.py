"""The number of processes that a launcher started, from its environment variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

SIZE: Final = "WORLD_SIZE"
RANK: Final = "RANK"


def n_launched(environment: Mapping[str, str] | None = None) -> int:
    """Return the number of processes that were started for this command; 1 for one.

    Args:
        environment: The environment variables; None for those of this process.
    """
    known = os.environ if environment is None else environment
    size = known.get(SIZE, "") if RANK in known else ""
    return int(size) if size.isdecimal() and int(size) > 1 else 1
