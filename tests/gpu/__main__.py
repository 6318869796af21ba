"""Compute on the pretended device: ``python -m tests.gpu FOLDER [JOB...]``."""

import json
import sys
from pathlib import Path
from typing import Any

import torch

from tests.gpu.erasing import compared_erasers
from tests.gpu.everything import JOBS, RUNS, compared
from tests.gpu.pretended_device import DEVICE, Pretended
from tests.tiny import build_pipeline

folder = Path(sys.argv[1])
build_pipeline(folder / "tiny")
found: dict[str, Any] = {}
jobs = sys.argv[2:] or [*JOBS]
with Pretended():
    if "erasers" in jobs:
        jobs.remove("erasers")
        found["erasers"] = compared_erasers(folder, str(DEVICE))
    for name, dtype in [run for run in RUNS if run[0] in jobs]:
        found[f"{name} {dtype}"] = compared(
            folder / "tiny", str(DEVICE), getattr(torch, dtype), name
        )
    try:
        torch.ones(2, device=DEVICE) + torch.ones(2)
    except RuntimeError as error:
        found["stray"] = str(error)
(folder / "found.json").write_text(json.dumps(found))
