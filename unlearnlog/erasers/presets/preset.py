"""Presets and their settings, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Scalar = str | bool | int | float


@dataclass(frozen=True)
class PresetSetting:
    """One setting of a preset.

    Attributes:
        setting: Its name.
        value: Its value.
        why: The file of the authors' code, and the line it follows from.
        slot: For styles or for subjects alone; empty for both.
    """

    setting: str
    value: Scalar
    why: str
    slot: str = ""


@dataclass(frozen=True)
class Preset:
    """The settings of a method's own program.

    Attributes:
        says: A description in a sentence.
        code: The repository and its commit; empty where there is none.
        choices: Its settings; all others are the eraser's defaults.
        differs: Differences to the program beyond all settings; empty for none.
    """

    says: str
    code: str
    choices: tuple[PresetSetting, ...]
    differs: str = ""

    def settings(self, slot: str = "") -> dict[str, Scalar]:
        """Return the settings of a style or of a subject, or those of both."""
        return {c.setting: c.value for c in self.choices if c.slot in ("", slot)}

    @property
    def slots(self) -> set[str]:
        """The slots that have settings of their own."""
        return {each.slot for each in self.choices} - {""}


Presets = Mapping[str, Mapping[str, Preset]]
"""By the eraser's name and the preset's."""
