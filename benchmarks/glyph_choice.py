"""The concepts and the eraser that the suite of the real drawings is about."""

from __future__ import annotations

from typing import Final

STYLES: Final = ("Noto", "Fluent Flat", "Fluent High Contrast")
"""One with a sibling that is near, one of three of a studio, one that is unlike all."""

SUBJECTS: Final = {
    "apart": ("water pistol", "cigarette", "kitchen knife"),
    "fine-grained": ("cat with tears of joy", "blue heart", "full moon"),
    "name inside a name": ("cat face", "horse", "bell"),
}
"""Erased subjects, by what is hard about them."""

CHOSEN: Final = "ridge"
"""The eraser of sixty concepts alone, and of the search for keywords."""

N_ALONE: Final = 60
"""Concepts that it erases alone: every style, and subjects drawn from all."""
