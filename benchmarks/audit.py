"""``make audit``: fine-tune erased models downstream, and see what comes back.

A cell is one erasure of one concept, fine-tuned once: its eraser, the concept, the
data, what learns, and the seed. A cell whose file is there is left alone while the
weights and the code that made it are the same. Erased models are kept below
``build/audit`` so that each is made once. Where ``build/twin`` holds the twin (``make
twin``), cells of ``target:5`` are compared with it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from benchmarks.__main__ import LEAN, RESULTS
from benchmarks.files import CellFile, computed_in, eraser_code, make_missing
from benchmarks.looks import Entrant
from unlearnlog.atelier.studio import base_answers
from unlearnlog.concept import concept_id
from unlearnlog.digest import canonical_json, digest_of
from unlearnlog.model.protocol import Method
from unlearnlog.policy import Policy, ProbeSettings
from unlearnlog.report.terminal import Bars
from unlearnlog.resources import PACKAGE
from unlearnlog.run import erase
from unlearnlog.run.finetune import Wish, finetuned
from unlearnlog.run.place import Place, place

FOLDER: Final = RESULTS / "audit"
BUILT: Final = Path("build/audit")
TWIN: Final = Path("build/twin")

ENTRANTS: Final = {
    label: Entrant(label, label) for label in ("hardened", "mim", "mim-unique", "ridge")
} | {"uce-1024": Entrant("uce-1024", "uce", (("erase_scale", 1024.0),))}
"""Erasers by their label in the table.

`uce` as its defaults have it leaves all cats and two in five Picassos, so nothing could
come back; this is the strength at which its duel with the cat ended.
"""

CONCEPTS: Final = ("Picasso", "cat")
DATA: Final = ("unrelated", "sibling", "target:5")
METHODS: Final[tuple[Method, ...]] = ("full", "lora")
SEEDS: Final = (1, 2, 3)
STEPS: Final = 500
LOOKS: Final = (25, 50, 100, 250)
"""Steps between the ends after which somebody looks while a target is learned; nothing
comes back between the ends of other data."""

SIZES: Final = {**LEAN, "erased": 6, "earlier": 2}
"""96 pictures of Picasso, 102 of the cat, at both ends; 32 or 34 between."""

GLANCE: Final = ProbeSettings(
    erased=1, renamed=0, family=0, alike=0, kept_share=0.05, earlier=1, information=1
)
"""What is read of the erasure itself: `make bench` reads more of it elsewhere."""

_READS: Final = (
    "run/finetune.py",
    "atelier/lessons.py",
    "model/tuning.py",
    *(f"audits/{name}.py" for name in ("bank", "finetune", "forecast", "survival")),
)
"""Code that decides what is learned and what is seen of it."""


@dataclass(frozen=True)
class Cell:
    """One fine-tune of one erasure; the eraser by its label."""

    eraser: str
    concept: str
    data: str
    method: Method
    seed: int

    @property
    def name(self) -> str:
        """Name of its file."""
        data = self.data.replace(":", "-")
        concept = concept_id(self.concept)
        return f"{self.eraser}-{concept}-{data}-{self.method}-{self.seed}"

    @property
    def entrant(self) -> Entrant:
        """The eraser with its settings."""
        return ENTRANTS[self.eraser]

    @property
    def about_target(self) -> bool:
        """Whether pictures of the erased concept itself are learned."""
        return self.data.startswith("target")

    @property
    def built(self) -> Path:
        """Where erased models are kept."""
        return BUILT

    @property
    def looks(self) -> tuple[int, ...]:
        """Steps between the ends after which somebody looks."""
        return LOOKS if self.about_target else ()

    @property
    def twin(self) -> Path | None:
        """The twin, where it is made and there is something to compare."""
        made = (TWIN / "model_index.json").exists()
        return TWIN if made and self.about_target else None

    def measured(self, console: Console) -> dict[str, Any]:
        """Fine-tune, look along the way, and return what was seen."""
        with Bars(console) as bars:
            at = self.erased(bars)
            wish = Wish(
                self.policy(SIZES),
                self.data,
                method=self.method,
                steps=STEPS,
                seeds=(self.seed,),
                looks=self.looks,
                twin=self.twin,
                watch=bars,
            )
            row = finetuned(at, wish).row()
        self.tidy(at)
        return {
            "eraser": self.eraser,
            "concept": self.concept,
            "method": self.method,
            **row,
        }

    def policy(self, sizes: Mapping[str, float]) -> Policy:
        """Return a policy of the eraser that looks at so many pictures."""
        return self.entrant.policy(sizes)

    def erased(self, bars: Bars) -> Place:
        """Return the model with the concept erased, erasing it if nobody has."""
        code = code_of_eraser(self.entrant)[:12]
        folder = self.built / f"{self.eraser}-{concept_id(self.concept)}-{code}"
        folder.mkdir(parents=True, exist_ok=True)
        at = self.place(folder)
        if at.head is None:
            rules = self.policy(LEAN).model_copy(update={"probes": GLANCE})
            order = erase.Order((at.world.concept(self.concept),), rules, watch=bars)
            erase.add(at, order)
            at = self.place(folder)
        return at

    def place(self, folder: Path) -> Place:
        """Return where its erasure is, or will be."""
        return place(folder, may_create=True)

    def tidy(self, at: Place) -> None:
        """Throw half a gigabyte of stages away."""
        painted = at.the_ledger().folder / ".unlearnlog" / "cache" / "painted"
        shutil.rmtree(painted, ignore_errors=True)


def cells() -> Iterator[Cell]:
    """Yield every cell, first those that say most."""
    for seed, method, concept in product(SEEDS, METHODS, CONCEPTS):
        for eraser, data in product(ENTRANTS, DATA):
            yield Cell(eraser, concept, data, method, seed)


def made_of(cell: Cell) -> dict[str, str]:
    """Return digests of the weights and of all code that decides a cell's results."""
    against = weights_of(cell.twin) if cell.twin else ""
    said = [_digests(_READS), cell.name, STEPS, cell.looks, SIZES, against]
    return {
        "weights": base_answers().root,
        "eraser": code_of_eraser(cell.entrant),
        "code": digest_of(canonical_json(said)),
    }


@cache
def weights_of(pipeline: Path) -> str:
    """Return a digest of a pipeline's denoiser."""
    path = pipeline / "unet" / "diffusion_pytorch_model.safetensors"
    return digest_of(path.read_bytes())


@cache
def code_of_eraser(entrant: Entrant) -> str:
    """Return a digest of all code of an eraser and of its settings."""
    found = eraser_code(entrant.eraser)
    return digest_of(canonical_json([found, [*map(list, entrant.settings)]]))


@cache
def _digests(names: tuple[str, ...]) -> dict[str, str]:
    return {name: digest_of(computed_in(PACKAGE / name).encode()) for name in names}


def file_of(cell: Cell) -> CellFile:
    """Return the file of a cell."""
    path = FOLDER / f"{cell.name}.json"
    return CellFile(path, lambda: made_of(cell), cell.measured)


def main() -> None:
    """Make what is missing or out of date."""
    make_missing(map(file_of, cells()), __doc__)


if __name__ == "__main__":
    main()
