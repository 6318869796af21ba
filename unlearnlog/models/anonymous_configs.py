"""Configs of a pipeline without the places that libraries wrote into them."""

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
"""What diffusers and transformers remember of where they loaded something."""

_CONFIGS: Final = ("model_index.json", "config.json")


def copied(origin: Path, target: Path, disk: Disk, *, durable: bool = True) -> None:
    """Copy a file; a config that says where it was loaded from keeps the name only.

    Every other byte stays.
    """
    if origin.name.endswith(_CONFIGS):
        disk.write(target, without_places(origin.name, origin.read_bytes()))
    else:
        disk.copy(origin, target, durable=durable)


def without_places(name: str, data: bytes) -> bytes:
    """Return what a file's copy holds: of a config, no place where it was loaded from.

    Args:
        name: What the file is called.
        data: What it holds.
    """
    return _PATH.sub(_without_place, data) if name.endswith(_CONFIGS) else data


def _without_place(found: re.Match[bytes]) -> bytes:
    try:
        text = str(json.loads(found[2]))
    except ValueError:  # no JSON: whoever reads the file says so
        return found[0]
    for kind in (PurePosixPath, PureWindowsPath):
        if kind(text).is_absolute() or text.startswith("~"):
            return found[1] + json.dumps(kind(text).name).encode()
    return found[0]
