"""Configurations of a pipeline without the paths that libraries wrote into them."""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from unlearnlog.ledger.disk import Disk

_PATH: Final = re.compile(
    rb'("(?:_?name_or_path|special_tokens_map_file|tokenizer_file)"\s*:\s*)'
    rb'("(?:[^"\\]|\\.)*")'
)
"""Keys in which diffusers and transformers record the path that they loaded from."""

_CONFIGS: Final = ("model_index.json", "config.json")


def copied(origin: Path, target: Path, disk: Disk, *, durable: bool = True) -> None:
    """Copy a file; of a path in a configuration only the last part is kept.

    Every other byte is the same.
    """
    if origin.name.endswith(_CONFIGS):
        disk.write(target, without_places(origin.name, origin.read_bytes()))
    else:
        disk.copy(origin, target, durable=durable)


def without_places(name: str, data: bytes) -> bytes:
    """Return the bytes of a file's copy: a configuration without absolute paths.

    Args:
        name: The file's name.
        data: The file's bytes.
    """
    return _PATH.sub(_without_place, data) if name.endswith(_CONFIGS) else data


def _without_place(found: re.Match[bytes]) -> bytes:
    try:
        text = str(json.loads(found[2]))
    except ValueError:  # no JSON: reported where the file is parsed
        return found[0]
    for kind in (PurePosixPath, PureWindowsPath):
        if kind(text).is_absolute() or text.startswith("~"):
            return found[1] + json.dumps(kind(text).name).encode()
    return found[0]
