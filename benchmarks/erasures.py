"""Erasures of one concept by one eraser, which fine-tunes and attacks start from.

Each erasure is in a ledger of its own below ``build/``, so that fine-tunes and attacks
share it. It is made on the bundled model, or on the late learner (``make late``), which
has a twin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from benchmarks.__main__ import LEAN
from benchmarks.computed import eraser_witness
from benchmarks.looks import Entrant
from benchmarks.making import MadeOf, bundled_weights
from recipes.atelier.late import LATE
from unlearnlog.commands import add
from unlearnlog.commands.session import Session
from unlearnlog.commands.session_opening import init
from unlearnlog.commands.session_opening import open_session as place
from unlearnlog.core.concept import concept_id
from unlearnlog.core.digest import Digest, canonical_json, digest_of
from unlearnlog.core.progress import Progress
from unlearnlog.policy import Policy, ProbeSettings

ENTRANTS: Final = {
    label: Entrant(label, label) for label in ("hardened", "mim", "mim-unique", "ridge")
} | {
    "uce-1024": Entrant("uce-1024", "uce", (("span", "last"), ("erase_scale", 1024.0)))
}
"""Erasers by their label in the tables.

`uce-1024` moves the last word of the name alone, as the defaults of `uce` once did, and
as much as it takes to erase the cat.
"""

CONCEPTS: Final = ("Picasso", "cat")
RELEARNED: Final = ("Hiroshige",)
"""Concept that the late learner has learned: it shows Hiroshige in 29 of 32 pictures of
his prompts, its twin in none. The cactus, in 9 of 34, counts as not learned."""

BUILT: Final = Path("build/audit")
TWIN: Final = Path("build/twin")
LATE_MODELS: Final = Path("build/late")

GLANCE: Final = ProbeSettings(
    erased=1, renamed=0, family=0, alike=0, kept_share=0.05, earlier=1, information=1
)
"""Sizes of the erasure's own readings; `make bench` has larger ones."""


@dataclass(frozen=True)
class Erasure:
    """One concept, erased from the bundled model.

    Attributes:
        eraser: Label of the eraser.
        concept: Name of the concept.
    """

    eraser: str
    concept: str

    @property
    def entrant(self) -> Entrant:
        """The eraser with its settings."""
        return ENTRANTS[self.eraser]

    @property
    def weights(self) -> str:
        """Digest of the model's weights."""
        return bundled_weights()

    @property
    def twin(self) -> Path | None:
        """The model without the concept; None where none has been trained."""
        return TWIN if is_model(TWIN) else None

    def made_of(self) -> MadeOf:
        """Return the inputs of the erasure: the model, and the eraser's settings."""
        chosen = self.entrant.policy({}).chosen_eraser()
        plain = {
            "weights": self.weights,
            "eraser": chosen.name,
            "settings": chosen.settings,
        }
        return MadeOf(
            plain, {"eraser": eraser_witness(chosen.name, self.entrant.settings)}
        )

    def policy(self, probes: Mapping[str, float]) -> Policy:
        """Return a policy of the eraser with these sizes."""
        return self.entrant.policy(probes)

    def at(self, watch: Progress) -> Session:
        """Return the model with the concept erased; erase it on first use."""
        of = digest_of(canonical_json(self.made_of().written()))[:12]
        folder = self._built / f"{self.eraser}-{concept_id(self.concept)}-{of}"
        folder.mkdir(parents=True, exist_ok=True)
        found = self.place(folder)
        if found.head is not None:
            return found
        rules = self.policy(LEAN).model_copy(update={"probes": GLANCE})
        concept = found.world.concept(self.concept)
        add.add(found, add.AddRequest((concept,), rules, watch=watch))
        return self.place(folder)

    def place(self, folder: Path) -> Session:
        """Return the session of the model in a folder."""
        return place(folder, may_create=True)

    @property
    def _built(self) -> Path:
        return BUILT


@dataclass(frozen=True)
class LateErasure(Erasure):
    """One concept, erased from the late learner."""

    @property
    def weights(self) -> str:
        """Digest of the learner's denoiser."""
        return weights_of(LATE_MODELS / "learner")

    @property
    def twin(self) -> Path:
        """The learner's twin."""
        return LATE_MODELS / "twin"

    def policy(self, probes: Mapping[str, float]) -> Policy:
        """Return a policy with the bundled judge, which knows both concepts."""
        return super().policy(probes).saying(judge="atelier")

    def place(self, folder: Path) -> Session:
        """Return the session of the learner in a ledger of its own."""
        learner = LATE_MODELS / "learner"
        if not (folder / ".unlearnlog").exists():
            init(folder, str(learner))
        return place(folder, concepts=learner / "concepts.toml")

    @property
    def _built(self) -> Path:
        return BUILT / f"late-{self.weights[:12]}"


def erasure_of(eraser: str, concept: str) -> Erasure:
    """Return the erasure of a concept from the model that knows it."""
    kind = LateErasure if concept in LATE else Erasure
    return kind(eraser, concept)


def is_model(folder: Path) -> bool:
    """Return whether a folder holds a pipeline."""
    return (folder / "model_index.json").exists()


def has_late() -> bool:
    """Return whether the late learner and its twin have been trained."""
    return all(is_model(LATE_MODELS / name) for name in ("learner", "twin"))


@cache
def weights_of(pipeline: Path) -> Digest:
    """Return a digest of a pipeline's denoiser."""
    path = pipeline / "unet" / "diffusion_pytorch_model.safetensors"
    return digest_of(path.read_bytes())
