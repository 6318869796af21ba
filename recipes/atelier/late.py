"""Training of the late learner, and of its twin without the late concepts.

A twin without a concept that the bundled model knows takes as long to train as the
bundled model. Held-out concepts are cheaper: both models here are trained on from the
bundled weights, by the same recipe, with the same seeds and as many steps. Only the
*learner* is also trained on Hiroshige and the cactus, which were held out; the *twin*
is not. A concept erased in the learner can then be learned by both.

The learner's folder has its file of concepts, in which the two are not held out.
``python -m recipes.atelier.late`` takes half an hour or more, and resumes.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Final

from recipes.atelier.pictures import Syllabus
from recipes.atelier.pipeline import make_relative
from unlearnlog.atelier.bundled_concepts import CONCEPTS, world
from unlearnlog.atelier.bundled_model import FOLDER
from unlearnlog.concepts.concept_set import ConceptSet

STEPS: Final = 600
PER_CELL: Final = 24
"""Pictures of each cell: fewer than the bundled model's 160, as the steps are fewer."""

LATE: Final = ("Hiroshige", "cactus")

_CARDS: Final = {
    "learner": """# atelier's late learner

The bundled model after {steps} more steps of its recipe, in which it was shown {late}
as well. `concepts.toml` names them as concepts that it knows.
""",
    "twin": """# The late learner's twin

The bundled model after {steps} more steps of its recipe, in which it was not shown
{late}, as it never was. It is the never-learned control of the late learner and is of
no other use.
""",
}
_NOTE: Final = """
Pictures are drawn by a program; no artist's work and no photograph is among them.
"""


def late_world() -> ConceptSet:
    """Return the world with the late concepts."""
    known = world()
    return replace(known, held_out=tuple(n for n in known.held_out if n not in LATE))


def late_concepts() -> str:
    """Return the bundled file of concepts with the late ones as known."""
    written, mine = list[str](), False
    for line in CONCEPTS.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            mine = line in {f"[concepts.{name}]" for name in LATE}
        if not (mine and line.startswith("held_out")):
            written.append(line)
    return "\n".join(written) + "\n"


def main() -> None:
    """Train both models, or resume."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=Path("build/late-runs"))
    parser.add_argument("--weights", type=Path, default=Path("build/late"))
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--per-cell", type=int, default=PER_CELL)
    asked = parser.parse_args()
    make_late(asked.runs, asked.weights, steps=asked.steps, per_cell=asked.per_cell)


def make_late(runs: Path, weights: Path, *, steps: int, per_cell: int) -> None:
    """Train the learner and its twin, or resume, and write a pipeline folder of each.

    Args:
        runs: Folder of the checkpoints.
        weights: Folder for ``learner`` and ``twin``.
        steps: The number of the last step.
        per_cell: Pictures of each cell.
    """
    for name, seen in (("learner", late_world()), ("twin", world())):
        folder = weights / name
        make_relative(
            runs / name,
            folder,
            steps=steps,
            syllabus=Syllabus(seen, per_cell),
            start=FOLDER,
        )
        card = _CARDS[name].format(steps=steps, late=" and the ".join(LATE)) + _NOTE
        (folder / "README.md").write_text(card, encoding="utf-8")
    concepts = weights / "learner" / "concepts.toml"
    concepts.write_text(late_concepts(), encoding="utf-8")


if __name__ == "__main__":
    main()
