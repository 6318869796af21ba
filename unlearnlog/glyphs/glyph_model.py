"""The model of real drawings on disk, in builds that hold its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from unlearnlog.errors import ModelError

SOURCE: Final = "glyphs"
"""Source of the model in a base manifest."""

FOLDER: Final = Path(__file__).parent / "weights"

JUDGE: Final = FOLDER / "judge"

ANSWERS: Final = FOLDER / "readings.json"
"""The judge's answers on the base's pictures; it may be missing."""


def check_glyph_weights(folder: Path = FOLDER) -> None:
    """Refuse to go on without the weights.

    Args:
        folder: The folder that must hold them.

    Raises:
        ModelError: They are not part of this build.
    """
    if not (folder / "model_index.json").exists():
        raise ModelError(
            f"the weights of '{SOURCE}' are not part of this build",
            fix="make them in a clone of the project, which takes a day of two "
            f"cores: python -m recipes.{SOURCE} all; or take the model that ships: "
            "unlearnlog init --model atelier",
        )
