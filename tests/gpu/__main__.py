"""Compute everything on the pretended device: ``python -m tests.gpu FOLDER``."""

import json
import sys
from contextlib import nullcontext
from pathlib import Path

import torch

# Torch has no views of such tensors in inference mode. It is read when modules load.
torch.inference_mode = lambda mode=True: torch.no_grad() if mode else nullcontext()  # type: ignore[assignment, misc, return-value]

from tests.gpu.everything import JOBS, compared
from tests.gpu.pretended_device import DEVICE, Pretended
from tests.tiny import build_pipeline

folder = Path(sys.argv[1])
build_pipeline(folder / "tiny")
found = {}
with Pretended():
    for name in JOBS:
        for dtype in ("float32", "bfloat16"):
            found[f"{name} {dtype}"] = compared(
                folder / "tiny", str(DEVICE), getattr(torch, dtype), name
            )
(folder / "found.json").write_text(json.dumps(found))
