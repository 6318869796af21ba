"""The matrix of which tool loads which export; `make.py` writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

_MODELS: Final = {
    "1.5": "Stable Diffusion 1",
    "2.1": "Stable Diffusion 2",
    "xl": "SDXL",
}
_READ_ON: Final = "2026-11-30"
_SOURCES: Final[dict[str, str]] = {
    "ComfyUI": "`comfy/lora.py`, 00728eb2",
    "A1111": "`extensions-builtin/Lora`, as in Forge e280eb40",
}
"""Tools that cannot be installed by pip, and what was read of them."""

_READ: Final[dict[str, dict[str, str]]] = {
    "kohya": {"ComfyUI": "all", "A1111": "all"},
    "kohya-diffusers": {"ComfyUI": "all", "A1111": "all"},
    "diffusers": {"ComfyUI": "none", "A1111": "none"},
    "comfyui": {"ComfyUI": "all, exact", "A1111": "all"},
}


def conformance_table(result: Path) -> str:
    """Return a table a model: a row a format, a column a tool."""
    if not result.is_file():
        return "Not measured yet: `python -m benchmarks.conformance` does it."
    data = json.loads(result.read_text(encoding="utf-8"))
    return "\n\n".join(_table(model, formats) for model, formats in data.items())


def _table(model: str, formats: dict[str, Any]) -> str:
    measured = list(next(iter(formats.values())))
    heads = [*measured, *(f"{tool} ({where})" for tool, where in _SOURCES.items())]
    lines = [
        f"**{_MODELS[model]}**",
        "",
        f"| format | {' | '.join(heads)} |",
        f"|---|{'---|' * len(heads)}",
    ]
    for spelling, row in formats.items():
        cells = [_cell(row[client]) if client in row else "" for client in measured]
        read = _READ[spelling]
        cells += [f"{read[tool]}; read {_READ_ON}" for tool in _SOURCES]
        lines.append(f"| `{spelling}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(found: dict[str, Any]) -> str:
    """Return the modules that a tool found, and the largest error of their change."""
    if "said" in found:
        return "refused"
    if not found["matched"]:
        return f"0 of {found['of']}"
    error = f", {found['error']:.0e}" if found["error"] else ", exact"
    return f"{found['matched']} of {found['of']}{error}"
