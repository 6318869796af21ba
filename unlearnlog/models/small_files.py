"""Configuration and tokenizer files of a model's folder, read once and whole."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

from unlearnlog.core.plain_files import bytes_of
from unlearnlog.errors import ModelError

_CONFIG_OF: Final = {
    "scheduler": "scheduler_config.json",
    "tokenizer": "tokenizer_config.json",
    "tokenizer_2": "tokenizer_config.json",
    "tokenizer_3": "tokenizer_config.json",
}
_LARGEST: Final = 32 * 2**20
"""Largest size of a configuration or tokenizer file: ten times that of an SDXL."""

TOKENIZER_FILES: Final = (
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "spiece.model",
    "tokenizer.model",
)
"""The files that a tokenizer is loaded from; others of its folder are ignored."""


def config_name(component: str) -> str:
    """Return the name of a component's configuration file."""
    return _CONFIG_OF.get(component, "config.json")


def json_of(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file.

    Raises:
        ModelError: The file is no JSON object.
    """
    return json_in(read_small(path), path)


def json_in(data: bytes, path: Path) -> dict[str, Any]:
    """Return the JSON object in a file's bytes.

    Raises:
        ModelError: The file is no JSON object.
    """
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise ModelError(
            f"'{path}' is not a JSON object",
            fix="the file is truncated or damaged: copy or download it again",
        )
    return content


def small_files(folder: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    """Return the bytes of the existing ones of some files of a folder, by name.

    Raises:
        ModelError: A file is no regular file, or too large.
    """
    found = (folder / name for name in names)
    return {f.name: read_small(f) for f in found if os.path.lexists(f)}


def files_of_component(path: Path, component: str) -> dict[str, bytes]:
    """Return the bytes of the small files that a component is built from, by path."""
    is_tokenizer = component.startswith("tokenizer")
    config = config_name(component)
    names = TOKENIZER_FILES if is_tokenizer else (config,)
    read = small_files(path / component, names)
    return {f"{component}/{name}": data for name, data in read.items()}


def read_small(path: Path) -> bytes:
    """Return the bytes of a configuration or tokenizer file.

    Raises:
        ModelError: It is no regular file, or too large.
    """
    try:
        return bytes_of(path, most=_LARGEST)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"cannot read '{path}': {error}",
            fix="the file is truncated or damaged: copy or download it again",
        ) from None
