"""Presets: named settings, those of the programs that authors published.

A preset is a table of settings with the line of the authors' code that each one follows
from. It stands for its settings wherever an eraser is chosen; settings beside it
override it. An entry records the settings, not the name.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from unlearnlog.core.suggestions import hint
from unlearnlog.erasers.presets.closed_form_presets import CLOSED
from unlearnlog.erasers.presets.preset import Preset, Presets, PresetSetting
from unlearnlog.erasers.presets.trained_presets import TRAINED
from unlearnlog.errors import PolicyError

__all__ = ["PRESET", "Preset", "PresetSetting", "Presets", "expanded", "presets_of"]

PRESET: Final = "preset"
"""The key of a preset in a policy's ``[eraser]``."""


def presets_of(eraser: str) -> Mapping[str, Preset]:
    """Return an eraser's presets by name, none where it has none."""
    return {**CLOSED, **TRAINED}.get(eraser, {})


def expanded(
    eraser: str, settings: Mapping[str, Any], slots: Collection[str] = ()
) -> dict[str, Any]:
    """Return settings with those of a preset instead of its name.

    Args:
        eraser: Name of the eraser.
        settings: The given settings, which override the preset.
        slots: Whether styles or subjects are erased, where that is known.

    Raises:
        PolicyError: There is no such preset, or it differs among the concepts that are
            erased at once.
    """
    said = dict(settings)
    if PRESET not in said:
        return said
    name, known = said.pop(PRESET), presets_of(eraser)
    if name not in known:
        raise PolicyError(
            f"the eraser '{eraser}' has no preset {name!r}",
            fix=f"{hint(str(name), known)}known: {', '.join(known)}"
            if known
            else f"it has none: leave {PRESET} out",
        )
    preset = known[name]
    if preset.slots and len({*slots}) > 1:
        raise PolicyError(
            f"the preset '{name}' of '{eraser}' is not the same for styles and for "
            "subjects",
            fix="erase the styles first, then the subjects",
        )
    return preset.settings(next(iter(slots), "")) | said
