"""Presets of the methods that are trained."""

from __future__ import annotations

from typing import Final

from unlearnlog.presets.preset import Presets

TRAINED: Final[Presets] = {}
