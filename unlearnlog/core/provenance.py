"""The time, the versions and the machine that an entry was made with."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from unlearnlog import __version__

TRAINED_ON: Final = "trained_on"
"""Key for the digest of the state that a delta was trained on, where another command
recorded an entry before the delta was recorded."""

_LIBRARIES: Final = ("torch", "diffusers", "transformers", "safetensors", "numpy")


def made_with() -> dict[str, str]:
    """Return the time (UTC, ISO 8601), the versions and the kind of machine.

    A library that is not installed is left out. No library is imported.
    """
    own, *others = versions().items()
    return {
        "created": now(),
        **dict([own]),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        **dict(others),
    }


def versions() -> dict[str, str]:
    """Return the versions of this package and of the libraries that compute."""
    found = {name: _version(name) for name in _LIBRARIES}
    known = {name: each for name, each in found.items() if each is not None}
    return {"unlearnlog": __version__, **known}


def now() -> str:
    """Return the time: UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@cache  # reading one takes 10 ms, and it does not change
def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None
