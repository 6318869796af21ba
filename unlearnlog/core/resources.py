"""Paths of the files that ship with the package, installed or in a source tree."""

from importlib.resources import files
from pathlib import Path
from typing import Final

PACKAGE: Final = Path(str(files("unlearnlog")))


def policy_folder(package: Path = PACKAGE) -> Path:
    """Return the folder of the policies that ship with the package.

    A wheel carries them inside the package; in a source tree they lie beside it.

    Raises:
        FileNotFoundError: Neither place holds them, so the installation is incomplete.
    """
    places = (package / "policies", package.parent / "policies")
    for place in places:
        if (place / "default.toml").is_file():
            return place
    message = f"no policies in {places[0]} or {places[1]}: install unlearnlog again"
    raise FileNotFoundError(message)
