"""The command that trains the second bundled model, part by part, and measures it.

``python -m recipes.glyphs all --hours 20`` makes every part from nothing. A part that
was stopped is resumed, and a finished one is kept.
"""

from __future__ import annotations

import argparse
import json
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Final

from diffusers import AutoencoderKL

from recipes.atelier.readings import every_cell, write_readings
from recipes.glyphs import measure, world_files
from recipes.glyphs.alike import look_alikes
from recipes.glyphs.card import card, write_card
from recipes.glyphs.confusions import confusions
from recipes.glyphs.credits import write_notice
from recipes.glyphs.decoder import trained_decoder
from recipes.glyphs.judge import save_judge, trained_judge
from recipes.glyphs.latents import first_autoencoder, training_latents
from recipes.glyphs.painting import GUIDANCE, Painter
from recipes.glyphs.painting import STEPS as SAMPLED
from recipes.glyphs.pictures import subjects
from recipes.glyphs.pipeline import assemble, finished_painter
from recipes.glyphs.text import taught_encoders, tokenizer
from recipes.glyphs.transformer import (
    BATCH,
    TEXT_STEPS,
    Course,
    folder_of,
    new_run,
    painter_of,
)
from unlearnlog.atelier.atelier_judge import AtelierJudge
from unlearnlog.glyphs.glyph_model import FOLDER
from unlearnlog.glyphs.glyph_world import CONCEPTS, KEYWORDS, world
from unlearnlog.models.interface import Sampling

STEPS: Final = {"critic": 500, "judge": 4500, "decoder": 800}
JUDGED_EVERY: Final = 1800.0
"""Seconds of training between two judgements."""

JUDGED_STEPS: Final = 400
"""Least number of steps between them."""

PICTURES: Final = 48
"""Painted pictures of each kind in such a judgement."""

MEASURED: Final = 288
"""The same in the figures that the card gives."""


@dataclass(frozen=True)
class Job:
    """What was asked for.

    Attributes:
        work: Folder of all that is made.
        weights: Folder of the finished model.
        hours: Length of the transformer's training, from now on.
        without: A subject that the transformer is not shown; empty for none.
        cool: Steps over which its rates sink to zero; 0 for none.
    """

    work: Path
    weights: Path
    hours: float
    cool: int
    without: str = ""

    @property
    def folder(self) -> Path:
        """Folder of the transformer's run, a twin's in its own."""
        return folder_of(self.work, self.without)


def main() -> None:
    """Make the parts named on the command line, in their order."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="+", choices=(*PARTS, "all"))
    parser.add_argument("--work", type=Path, default=Path("build/glyphs"))
    parser.add_argument("--weights", type=Path, default=FOLDER)
    parser.add_argument("--hours", type=float, default=10.0)
    parser.add_argument("--cool", type=int, default=0, metavar="STEPS")
    parser.add_argument(
        "--without", default="", metavar="SUBJECT", help="train a twin without it"
    )
    asked = parser.parse_args()
    job = Job(asked.work, asked.weights, asked.hours, asked.cool, asked.without)
    job.work.mkdir(parents=True, exist_ok=True)
    for part, make in PARTS.items():
        if part in asked.parts or "all" in asked.parts:
            make(job)


def _world(job: Job) -> None:
    """Write the world's files anew."""
    world_files.write_keywords(subjects(job.work), KEYWORDS)
    world_files.write_concepts(subjects(job.work), CONCEPTS)


def _judge(job: Job) -> None:
    judge = trained_judge(job.work, "judge", STEPS["judge"])
    save_judge(judge, job.work / "weights" / "judge")


def _alike(job: Job) -> None:
    """Write the concepts anew, with the look-alikes that the judge measures."""
    pairs = look_alikes(job.work, _the_judge(job))
    world_files.write_concepts(subjects(job.work), CONCEPTS, pairs)


def _text(job: Job) -> None:
    taught_encoders(job.work, tokenizer(job.work), TEXT_STEPS)


def _latents(job: Job) -> None:
    training_latents(job.work)


def _decoder(job: Job) -> None:
    critic = trained_judge(job.work, "critic", STEPS["critic"])
    net = trained_decoder(job.work, critic.net, STEPS["decoder"])
    net.save_pretrained(job.work / "vae")


def _transformer(job: Job) -> None:
    """Train, and judge what is painted every half hour, if much was learned.

    A signal to end saves first.
    """
    course, end = Course.of(job.work, job.without), time.monotonic() + 3600 * job.hours
    run, judged, told = course.run, course.run.step, Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    while time.monotonic() < end and not (job.cool and run.cooled >= job.cool):
        left = min(JUDGED_EVERY, end - time.monotonic())
        course.train(until=left, cool=job.cool, stop=told.is_set)
        if told.is_set():
            break
        if run.step - judged >= JUDGED_STEPS:
            judged = run.step
            run.log(_figures(job, painter_of(run, course.known, _vae(job)), PICTURES))


def _figures(job: Job, painter: Painter, n: int) -> measure.Figures:
    sheet = job.folder / "transformer" / "sheet.png"
    return measure.of_painted_pictures(job.work, painter, _the_judge(job), n, sheet)


def _painter(job: Job) -> Painter:
    known = tokenizer(job.work)
    return painter_of(new_run(job.folder, known, job.without), known, _vae(job))


def _vae(job: Job) -> AutoencoderKL:
    """Return the autoencoder; before its decoder is trained, the first model's."""
    if not (job.work / "vae").exists():
        return first_autoencoder(job.work)
    return AutoencoderKL.from_pretrained(job.work / "vae").float().eval()


def _the_judge(job: Job) -> AtelierJudge:
    judge = job.work / "weights" / "judge"
    if judge.exists():
        return AtelierJudge.load(judge)
    return trained_judge(job.work, "critic", STEPS["critic"])


def _measure(job: Job) -> None:
    """Judge real, encoded and painted pictures, and write the figures."""
    real = measure.of_real_pictures(job.work, _the_judge(job), _vae(job))
    figures = {
        **real,
        **_figures(job, _painter(job), MEASURED),
        "pictures": [MEASURED],
        "guidance": [GUIDANCE],
    }
    text = json.dumps(figures, indent=1)
    (job.folder / "quality.json").write_text(text + "\n", encoding="utf-8")


def _pipeline(job: Job) -> None:
    """Write the weights, the judge, the notice and the card, once all is measured."""
    assemble(_painter(job), job.weights)
    save_judge(_the_judge(job), job.weights / "judge")
    write_notice(job.work, job.weights / "NOTICE")
    measured = (job.folder / "quality.json").read_text(encoding="utf-8")
    (job.weights / "quality.json").write_text(measured, encoding="utf-8")
    figures = json.loads(measured)
    trained = new_run(job.folder, tokenizer(job.work), job.without).step
    text = card(figures, trained=trained, batch=BATCH, steps=SAMPLED)
    write_card(text, job.weights)


def _sheet(job: Job) -> None:
    """Save the sheet that the documents show; the finished weights are enough."""
    judge = AtelierJudge.load(job.weights / "judge")
    painter, path = finished_painter(job.weights), job.work / "sheet.png"
    measure.of_painted_pictures(job.work, painter, judge, measure.COLUMNS, path)


def _confusions(job: Job) -> None:
    """Count the judge's answers by family; the finished weights are enough for it."""
    text = json.dumps(confusions(job.work, job.weights), indent=1)
    (job.weights / "confusions.json").write_text(text + "\n", encoding="utf-8")


def _readings(job: Job) -> None:
    """Judge every picture of the base that a probe uses, and keep the answers."""
    judge = AtelierJudge.load(job.weights / "judge")
    write_readings(job.weights, judge, every_cell(world()), Sampling(SAMPLED, GUIDANCE))


PARTS: Final[Mapping[str, Callable[[Job], None]]] = {
    "world": _world,
    "judge": _judge,
    "alike": _alike,
    "text": _text,
    "latents": _latents,
    "decoder": _decoder,
    "transformer": _transformer,
    "measure": _measure,
    "pipeline": _pipeline,
    "sheet": _sheet,
    "confusions": _confusions,
    "readings": _readings,
}
"""The parts in the order in which they are made."""

if __name__ == "__main__":
    main()
