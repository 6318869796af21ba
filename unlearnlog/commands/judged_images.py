"""``probe --images``: pictures painted elsewhere, judged without any model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch

from unlearnlog.atelier.bundled_model import bundled_judge
from unlearnlog.commands.picture_folder import (
    Placed,
    canvas_pictures,
    canvas_rows,
    pictures_in,
    placed,
    read_pictures,
)
from unlearnlog.commands.prompted import Known, case_of, known_names, named_concepts
from unlearnlog.concepts.canvas_prompts import file_spelling
from unlearnlog.core.probe_case import Answer, ProbeCase
from unlearnlog.core.progress import NoProgress
from unlearnlog.errors import UsageError
from unlearnlog.judges.inception import Inception
from unlearnlog.judges.judge import labels_of, scores_of
from unlearnlog.judges.judge_table import loaded_judge
from unlearnlog.probes.canvas_table import CanvasRow, canvas_row
from unlearnlog.probes.distance import frechet
from unlearnlog.probes.picture_probe import About, reading
from unlearnlog.probes.prompt_readings import clip_score, counted_readings
from unlearnlog.probes.statistics import unpaired_jackknife

if TYPE_CHECKING:
    from unlearnlog.concepts.concept_set import ConceptSet
    from unlearnlog.concepts.prompt_file import PromptFile, PromptLine
    from unlearnlog.core.progress import Progress
    from unlearnlog.core.reading import Reading
    from unlearnlog.judges.judge import Judge

_NO_MODEL: Final = ("auto", "base", "none")
_LEAST: Final = 32
"""Pictures of each set that a distance needs."""


@dataclass(frozen=True)
class ImagesRequest:
    """Arguments of ``probe --images``.

    Attributes:
        folder: The pictures.
        judge: The judge: a CLIP folder, ``hf:FOLDER``, ``nudenet``, ``atelier`` or a
            plug-in.
        world: The concepts that the judge chooses from.
        file: The rows that the pictures are of; None for UnlearnCanvas's names.
        concepts: Concepts to count; erased ones, for UnlearnCanvas's pictures.
        reference: Other pictures to take the distance to; None for none.
        inception: The weights of FID's network; None for the judge's own features.
        watch: Receives the progress of the work.
    """

    folder: Path
    judge: str
    world: ConceptSet
    file: PromptFile | None = None
    concepts: tuple[str, ...] = ()
    reference: Path | None = None
    inception: Path | None = None
    watch: Progress = field(default_factory=NoProgress)


@dataclass(frozen=True)
class JudgedImages:
    """Pictures painted elsewhere, judged.

    Attributes:
        folder: The pictures.
        seen: Each picture's row, with its file's name and the judge's answer.
        readings: The readings.
        rows: UnlearnCanvas's row of each concept that was named.
    """

    folder: Path
    seen: tuple[tuple[PromptLine, str, Answer], ...]
    readings: tuple[Reading, ...]
    rows: tuple[CanvasRow, ...] = ()

    def row(self) -> dict[str, Any]:
        """Return the fields as values for JSON."""
        return {
            "images": str(self.folder),
            "pictures": len(self.seen),
            "readings": [each.row() for each in self.readings],
            "unlearncanvas": [row.cells() for row in self.rows],
        }

    def table(self) -> list[dict[str, Any]]:
        """Return UnlearnCanvas's rows, or else a row for each picture."""
        if self.rows:
            return [row.cells() for row in self.rows]
        return [
            {
                "file_name": name,
                "case": row.case,
                "prompt": row.prompt,
                "concept": row.concept,
                "group": row.group,
                "subject": answer.subject,
                "style": answer.style,
            }
            for row, name, answer in self.seen
        ]


def judge_without_model(name: str, world: ConceptSet) -> Judge:
    """Return a judge that needs no model.

    Raises:
        UsageError: The name is of a judge that does.
        ModelError: The folder holds no such judge.
    """
    if name in _NO_MODEL:
        raise UsageError(
            f"the judge '{name}' needs a model, and pictures alone come without one",
            fix="give --judge: the folder of a CLIP model, hf:FOLDER, nudenet, or "
            "atelier for pictures of the bundled model's size",
        )
    return bundled_judge() if name == "atelier" else loaded_judge(name, world)


def judged_images(request: ImagesRequest) -> JudgedImages:
    """Judge the pictures of a folder; nothing is painted or recorded.

    Raises:
        UsageError: There is no picture of a row, or the judge needs a model.
        ConceptError: The judge does not know a concept.
        ModelError: The judge cannot be loaded.
    """
    pictures_in(request.folder)
    judge = judge_without_model(request.judge, request.world)
    space = judge if request.inception is None else Inception.load(request.inception)
    known = known_names(request.world, judge)
    wanted = named_concepts(request.concepts, known)
    if request.file is None:
        rows, cases = _of_canvas(request, known)
    else:
        rows = placed(request.folder, request.file)
        cases = [case_of(row, row.prompt, known) for row, _ in rows]
    reference = _reference(request, len(rows))
    answers, features, scores = _looked(request, judge, space, rows)
    pairs = [*zip(cases, answers, strict=True)]
    if request.file is None and wanted:
        table = tuple(canvas_row(pairs, name, slot) for name, slot in wanted.items())
        found = [each for row in table for each in row.readings()]
    else:
        said = {row.concept.casefold() for row, _ in rows} & {*known}
        counted = {**dict(known[name] for name in sorted(said)), **wanted}
        table, found = (), [*counted_readings(pairs, counted or _labels(judge))]
    found += clip_score(scores, [row.prompt for row, _ in rows])
    if reference:
        found += _distance(request, space, features, reference)
    seen = [
        (row, path.name, answer)
        for (row, path), answer in zip(rows, answers, strict=True)
    ]
    return JudgedImages(request.folder, tuple(seen), tuple(found), table)


def _labels(judge: Judge) -> Mapping[str, Any]:
    """Return what a judge answers whatever is asked, to be counted by default."""
    return labels_of(judge)


def _of_canvas(
    request: ImagesRequest, known: Known
) -> tuple[Placed, Sequence[ProbeCase]]:
    """Return UnlearnCanvas's pictures with their cells.

    Raises:
        UsageError: No picture is called as UnlearnCanvas's are.
    """
    spelt: dict[str, dict[str, str]] = {"style": {}, "subject": {}}
    for name, slot in known.values():
        spelt[slot][file_spelling(name)] = name
    pictures = canvas_pictures(request.folder, spelt["style"], spelt["subject"])
    if not pictures:
        raise UsageError(
            f"no picture in '{request.folder}' says what it is of, such as "
            "Van_Gogh_Cats_seed188.jpg with concepts that are known",
            fix="give the table of their prompts: --prompts FILE; or the concepts: "
            "--concepts FILE",
        )
    rows = canvas_rows(pictures)
    cases = [
        ProbeCase(row.prompt, seed, subject, style)
        for (row, _), (style, subject, seed, _) in zip(rows, pictures, strict=True)
    ]
    return rows, cases


def _looked(
    request: ImagesRequest, judge: Judge, space: Judge | Inception, rows: Placed
) -> tuple[list[Answer], torch.Tensor | None, list[float]]:
    """Return answers, features and, of a CLIP model, scores of pictures."""
    request.watch.stage("judging the pictures", len(rows))
    prompts = [row.prompt for row, _ in rows]
    answers: list[Answer] = []
    features: list[torch.Tensor] = []
    scores: list[float] = []
    for place, painted in read_pictures([path for _, path in rows]):
        answers += judge.judged(painted)
        found = space.features(painted) if request.reference else None
        features += [] if found is None else [found]
        scores += scores_of(judge, painted, prompts[place]) or []
        request.watch.advance(place.stop - place.start, {})
    return answers, torch.cat(features) if features else None, scores


def _reference(request: ImagesRequest, n: int) -> Sequence[Path]:
    """Return the reference pictures, before any picture is judged.

    Args:
        request: What is judged.
        n: Number of pictures that are.

    Raises:
        UsageError: There is no such folder, or there are too few pictures.
    """
    if request.reference is None:
        return ()
    paths = pictures_in(request.reference)
    if min(n, len(paths)) < _LEAST:
        raise UsageError(
            f"{n} pictures in '{request.folder}' and {len(paths)} in "
            f"'{request.reference}' are too few for a distance",
            fix=f"give at least {_LEAST} in each",
        )
    return paths


def _distance(
    request: ImagesRequest,
    space: Judge | Inception,
    features: torch.Tensor | None,
    paths: Sequence[Path],
) -> list[Reading]:
    """Return Frechet's distance to the reference pictures: FID in Inception's features.

    Raises:
        UsageError: The judge has no features.
    """
    request.watch.stage("judging the reference", len(paths))
    other = []
    for place, painted in read_pictures(paths):
        found = space.features(painted)
        other += [] if found is None else [found]
        request.watch.advance(place.stop - place.start, {})
    if features is None or not other:
        raise UsageError(
            f"the judge '{request.judge}' has no features to take a distance in",
            fix="give the folder of a CLIP model, --judge FOLDER, or the weights of "
            "FID's network, --inception FILE",
        )
    reference = torch.cat(other)
    estimate = unpaired_jackknife(
        lambda one, two: frechet(features[one], reference[two]),
        len(features),
        len(reference),
    )
    name = "fd" if request.inception is None else "fid"
    return [reading(About(name, "(reference)", "lower", "distance"), estimate)]
