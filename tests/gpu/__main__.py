"""Compute everything on the pretended device: ``python -m tests.gpu FOLDER``."""

import json
import sys
from pathlib import Path
from typing import Any

import torch

from tests.gpu.everything import JOBS, compared
from tests.gpu.pretended_device import DEVICE, Pretended
from tests.tiny import build_pipeline

folder = Path(sys.argv[1])
build_pipeline(folder / "tiny")
found: dict[str, Any] = {}
with Pretended():
    for name in sys.argv[2:] or JOBS:
        for dtype in ("float32", "bfloat16"):
            found[f"{name} {dtype}"] = compared(
                folder / "tiny", str(DEVICE), getattr(torch, dtype), name
            )
    try:
        torch.ones(2, device=DEVICE) + torch.ones(2)
    except RuntimeError as error:
        found["stray"] = str(error)
(folder / "found.json").write_text(json.dumps(found))
