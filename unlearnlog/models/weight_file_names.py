"""The check of a weight file by its name, before it is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from unlearnlog.errors import DeltaError

SUFFIX: Final = ".safetensors"
"""Suffix of every weight file that is read."""

_OF_MODELS: Final = ("model_index.json", "config.json", "adapter_config.json", "unet")
"""Names in the folder of a pipeline, a network, an adapter, or trained networks."""


def check_file_or_model(path: Path) -> None:
    """Refuse what `check_file` refuses, but for the folder of a model or an adapter.

    Raises:
        DeltaError: The path is one of these.
    """
    if not any((path / name).exists() for name in _OF_MODELS):
        check_file(path)


def check_file(path: Path) -> None:
    """Refuse a folder, a missing file, and a format that could run code.

    Raises:
        DeltaError: The path is one of these.
    """
    if path.is_dir():
        found = sorted(each.name for each in path.glob(f"*{SUFFIX}"))
        other = f"give a {SUFFIX} file; for a whole model: unlearnlog audit"
        raise DeltaError(
            f"'{path}' is a folder, not a file with a change",
            fix=f"give a file in it: {path / found[0]}" if found else other,
        )
    if path.suffix.lower() != SUFFIX:
        raise DeltaError(
            f"'{path}' is no {SUFFIX} file; pickles and archives can run code when "
            "they are read, so it was not opened",
            fix="if you trust it, save its tensors with safetensors.torch.save_file "
            "and give that file",
        )
    if not path.exists() and not path.is_symlink():
        raise DeltaError(
            f"there is no file '{path}'", fix="give the path of a safetensors file"
        )
