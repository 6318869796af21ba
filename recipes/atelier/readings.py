"""The judge's answers on every picture of a base that a probe uses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from unlearnlog.atelier.atelier_judge import AtelierJudge
from unlearnlog.atelier.bundled_model import BaseAnswers
from unlearnlog.concepts.concept_set import ConceptSet
from unlearnlog.concepts.prompts import PromptBook
from unlearnlog.core.probe_case import ProbeCase
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.interface import Sampling


def write_readings(
    weights: Path, judge: AtelierJudge, cells: Sequence[ProbeCase], sampling: Sampling
) -> None:
    """Judge every picture of the base that a probe uses, and keep the answers."""
    model = DiffusersModel.load(weights)
    pictures = model.paint(
        [cell.prompt for cell in cells], [c.seed for c in cells], sampling=sampling
    ).pictures
    found = judge.of_pictures(pictures)
    answers = {
        (c.prompt, c.seed): answer for c, answer in zip(cells, found, strict=True)
    }
    settings = (sampling.steps, sampling.guidance)
    BaseAnswers(model.manifest.root, settings, answers).save(weights / "readings.json")


def every_cell(seen: ConceptSet) -> list[ProbeCase]:
    """Return every picture that a probe of a known concept looks at, once."""
    asked = PromptBook(seen)
    cells = list(asked.kept(()))
    for name in (*seen.styles, *seen.subjects):
        concept = seen.concepts[name]
        cells += asked.erased(concept)
        cells += asked.renamed(concept)
        cells += asked.family(concept)
        for target in ("context", "anchor", "unconditional"):
            cells += asked.target(concept, target)
    # What a cell must show differs from concept to concept; its picture does not.
    return list({(c.prompt, c.seed): c for c in cells}.values())
