"""Configs of a pipeline without the places that libraries wrote into them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Final

_PATH: Final = re.compile(
    rb'("(?:_?name_or_path|special_tokens_map_file|tokenizer_file)"\s*:\s*)'
    rb'("(?:[^"\\]|\\.)*")'
)
"""What diffusers and transformers remember of where they loaded something."""

_CONFIGS: Final = ("model_index.json", "config.json")


def copied(origin: str | Path, target: str | Path) -> str | Path:
    """Copy a file; a config that says where it was loaded from keeps the name only.

    Every other byte stays.

    Returns:
        The target, as `shutil.copyfile` does.
    """
    shutil.copyfile(origin, target)
    if str(origin).endswith(_CONFIGS):
        data = Path(target).read_bytes()
        if (clean := without_places(str(origin), data)) != data:
            Path(target).write_bytes(clean)
    return target


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
