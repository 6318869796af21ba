"""Training of the twin: the bundled model without two of its concepts.

The recipe, the autoencoder, the tokenizer, the judge, the seeds and the number of steps
are those of the bundled model; only the hold-outs are swapped. Picasso and the cat, one
of a look-alike pair each, are left out, and Hiroshige and the cactus are included, so
the twin has as many styles, subjects and movements. It is a control that a held-out
name cannot be: it has to learn the very concept that was erased.

``python -m recipes.atelier.twin`` takes hours, and resumes.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Final

from recipes.atelier.pictures import PER_CELL, Syllabus
from recipes.atelier.pipeline import make_relative
from unlearnlog.atelier.bundled_concepts import world
from unlearnlog.concepts.concept_set import ConceptSet

STEPS: Final = 19500
"""As many as the bundled model's."""

NEVER: Final = ("Picasso", "cat")
INSTEAD: Final = ("Hiroshige", "cactus")

_CARD: Final = """# atelier's twin

The bundled model as it would be, had it never been shown {never}; it was shown
{instead} instead. Otherwise the recipe is the same: autoencoder, tokenizer, seeds,
{steps} steps, {per_cell} pictures of each cell. (The autoencoder was trained on
pictures of the former and not of the latter.) It is the never-learned control of
`unlearnlog audit --finetune target:5 --twin {folder}` and is of no other use.

Pictures are drawn by a program; no artist's work and no photograph is among them.
"""


def swapped() -> ConceptSet:
    """Return the world of the twin, its hold-outs swapped."""
    known = world()
    held_out = [name for name in known.held_out if name not in INSTEAD]
    return replace(known, held_out=(*held_out, *NEVER))


def main() -> None:
    """Train the twin, or resume."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=Path("build/twin-runs"))
    parser.add_argument("--weights", type=Path, default=Path("build/twin"))
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--per-cell", type=int, default=PER_CELL)
    asked = parser.parse_args()
    syllabus = Syllabus(swapped(), asked.per_cell)
    make_twin(asked.runs, asked.weights, steps=asked.steps, syllabus=syllabus)


def make_twin(runs: Path, weights: Path, *, steps: int, syllabus: Syllabus) -> None:
    """Train the twin's denoiser and text encoder and write a pipeline folder.

    Args:
        runs: Folder of the checkpoints.
        weights: The pipeline's folder.
        steps: The number of the last step.
        syllabus: The training data.
    """
    make_relative(runs, weights, steps=steps, syllabus=syllabus)
    card = _CARD.format(
        never=" and the ".join(NEVER),
        instead=" and the ".join(INSTEAD),
        steps=steps,
        per_cell=syllabus.per_cell,
        folder=weights.name,
    )
    (weights / "README.md").write_text(card, encoding="utf-8")


if __name__ == "__main__":
    main()
