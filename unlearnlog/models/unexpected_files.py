"""The refusal of adapters and code in a base's folder, which loaders act upon.

unlearnlog does not read them. But diffusers and transformers would load another model
from the same folder than the one that the ledger's entries are about.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from unlearnlog.errors import ModelError

_ADAPTER: Final = "adapter_"
_CODE: Final = (".py", ".pyc", ".so", ".dll", ".dylib")
_PIPELINE_CODE: Final = "pipeline.py"


def check_no_intruders(path: Path, components: Iterable[str]) -> None:
    """Refuse a pipeline's folder that holds an adapter or code.

    Args:
        path: The folder.
        components: Names of the folders in it that are loaded.

    Raises:
        ModelError: There is such a file.
    """
    _check_no_code(path / _PIPELINE_CODE)
    for name in components:
        if (path / name).is_dir():
            check_none_in(path / name)


def check_none_in(folder: Path) -> None:
    """Refuse a folder of weights that holds an adapter or code.

    Raises:
        ModelError: There is such a file.
    """
    for file in sorted(folder.iterdir()):
        if file.name.startswith(_ADAPTER):
            raise ModelError(
                f"'{file}' is an adapter in a folder of whole weights: diffusers and "
                "transformers add it to them, and unlearnlog would not",
                fix="merge it into the weights and save the pipeline again, or take it "
                f"out of there: rm '{file}'",
            )
        _check_no_code(file)


def _check_no_code(file: Path) -> None:
    if file.name.endswith(_CODE) and os.path.lexists(file):
        raise ModelError(
            f"'{file}' is code, which loading this folder could run",
            fix=f"take it out of there: rm '{file}'",
        )
