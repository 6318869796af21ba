"""What erasing a thousand names takes; `make.py` writes it."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path


def many_said(result: Path) -> str:
    """Return the seconds and the memory of a thousand names, in a sentence or two."""
    if not result.is_file():
        return "Not measured yet: `.venv/bin/python -m benchmarks.many` does it."
    data = json.loads(result.read_text(encoding="utf-8"))
    parts, whole = data["parts"], data["add"]
    took = {name: f"{found['cpu_seconds']:.1f} s" for name, found in parts.items()}
    said = (
        f"{data['names']:,} names of {data['tokens_of_a_name']:.1f} tokens on a model "
        "of Stable Diffusion 1.5's size, its CLIP text encoder included, with random "
        f"weights: {took['check']} of one processor to check them, {took['encode']} to "
        f"encode them and what is kept, {took['solve']} to solve and to write. The "
        f"whole command without a judge, from its start to the recorded entry, took "
        f"{whole['cpu_seconds']:.0f} s of a processor ({whole['seconds']:.0f} s of the "
        "clock, beside other work), and at most "
        f"{whole['peak_bytes'] / 2**30:.1f} GiB of memory."
    )
    return textwrap.fill(said, 100)
