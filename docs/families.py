"""The table of model families in docs/FAMILIES.md."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

from unlearnlog.checkpoints.export_formats import formats_of
from unlearnlog.models.families import FAMILIES
from unlearnlog.models.family_rules.stock_pipelines import pipeline_class
from unlearnlog.models.model_family import ModelFamily

_CHANGED = {
    "prompt": "keys and values of the cross-attention",
    "joint": "the text's entry{pooled}; keys and values of the text in joint attention",
    "single": "the text's entry{pooled}",
}


def families_table() -> str:
    """Return a row for each family: pipeline, defaults of it, what changes, exports."""
    lines = [
        "| model | class in `model_index.json` | steps, guidance by default | an "
        "erasure changes | `export --format` |",
        "|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *map(_row, FAMILIES)]) + "\n"


def full_size_table(file: Path) -> str:
    """Return processor time and peak memory at full size; empty without a file.

    Args:
        file: What ``benchmarks.full_size`` wrote.
    """
    if not file.exists():
        return ""
    data = json.loads(file.read_text(encoding="utf-8"))
    lines = ["| command | processor seconds | peak memory |", "|---|--:|--:|"]
    for name, run in data["commands"].items():
        if not name.startswith("config"):
            peak = f"{run['peak_bytes'] / 1e9:.1f} GB"
            lines.append(f"| `{name}` | {run['cpu_seconds']:.0f} | {peak} |")
    billions = data["parameters"] / 1e9
    said = (
        f"{billions:.2f} billion parameters, threads: {data['threads']}, kept prompts "
        f"that are encoded: {data['kept_prompts']}. Of `add`, the closed form took "
        f"{data['erasing_s']:.0f} s of wall time."
    )
    return "\n".join([*lines, "", said]) + "\n"


def _row(family: ModelFamily) -> str:
    usual = inspect.signature(pipeline_class(family.pipeline).__call__).parameters
    scale = usual["guidance_scale"].default
    if scale is None:
        scale = usual["true_cfg_scale"].default
    pooled = " and the pooled vector's" if family.pooled else ""
    formats = formats_of(family)
    cells = (
        family.title,
        f"`{family.pipeline}`",
        f"{usual['num_inference_steps'].default}, {scale:g}",
        _CHANGED[family.text_class].format(pooled=pooled),
        ", ".join(f"`{each}`" for each in formats),
    )
    return f"| {' | '.join(cells)} |"
