"""The judge's confusions, family by family.

They are counted on real drawings, on the same encoded and decoded, and on what the base
paints. A wrong answer on the first kind is the judge's, on the second the autoencoder's
too, and on the third it may be a right answer on a picture that shows something else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import torch
from diffusers import AutoencoderKL

from recipes.glyphs.latents import decoded, encoded
from recipes.glyphs.painting import GUIDANCE, STEPS
from recipes.glyphs.pictures import STYLE_NAMES, WIDER, album, shown
from recipes.glyphs.weight_files import digest_of_weights
from unlearnlog.atelier.atelier_judge import AtelierJudge
from unlearnlog.concepts.templates import TEMPLATES, spoken
from unlearnlog.core.probe_case import Answer
from unlearnlog.glyphs.glyph_captions import known_cells
from unlearnlog.glyphs.glyph_world import world
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.interface import Sampling

SEED: Final = 97
PER_CELL: Final = 3
"""Pictures of each drawing."""

PAINTED: Final = 2
"""Painted pictures of each cell of the training."""

MOST: Final = 3
"""Wrong answers that are kept of a family, the commonest first."""

Slot = Literal["subject", "style"]
SLOTS: Final[tuple[Slot, ...]] = ("subject", "style")

Judged = Sequence[tuple[Answer, Answer]]
"""What pictures must show, each with the judge's answer."""


def confusions(work: Path, weights: Path) -> dict[str, Any]:
    """Return the judge's answers by family on each kind of picture.

    Args:
        work: Folder of the drawings, which are fetched where they are missing.
        weights: Folder of the finished model and its judge.
    """
    judge = AtelierJudge.load(weights / "judge")
    kinds = {
        **_of_drawings(work, judge, weights),
        "painted": _of_painted(judge, weights),
    }
    found: dict[str, Any] = {slot: by_family(kinds, slot) for slot in SLOTS}
    return {"weights": digest_of_weights(weights), **found}


def by_family(kinds: Mapping[str, Judged], slot: Slot) -> dict[str, Any]:
    """Return, by family and kind of picture, how many answers are right.

    Each count has the number of pictures, of right answers, of wrong ones that name
    another member of the family, and the commonest wrong ones with what they stand for.

    Args:
        kinds: The judged pictures of each kind.
        slot: Which of the two answers.
    """
    found: dict[str, dict[str, Any]] = {}
    for kind, judged in kinds.items():
        pairs = [(must.of(slot), said.of(slot)) for must, said in judged]
        for family in _families(name for name, _ in pairs):
            mine = [pair for pair in pairs if _family(pair[0]) == family]
            found.setdefault(family, {})[kind] = _count(mine)
    return found


def _count(pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    wrong = Counter(pair for pair in pairs if pair[0] != pair[1])
    often = sorted(wrong, key=lambda pair: (-wrong[pair], pair))
    return {
        "n": len(pairs),
        "right": len(pairs) - wrong.total(),
        "inside": sum(n for (a, b), n in wrong.items() if _family(a) == _family(b)),
        "wrong": [[*pair, wrong[pair]] for pair in often[:MOST]],
    }


def _family(name: str) -> str:
    """Return a concept's family; itself where it has none."""
    return world().parent(name) or name


def _families(names: Iterable[str]) -> list[str]:
    """Return the families of concepts, in the order of the world."""
    order = [*world().families, *world().concepts]
    return sorted({_family(name) for name in names}, key=order.index)


def _of_drawings(work: Path, judge: AtelierJudge, weights: Path) -> dict[str, Judged]:
    """Return the answers on drawings moved as none before, and on the same decoded."""
    found = album(work)
    fresh = shown(found, per_cell=PER_CELL, white=0.5, seed=SEED, sides=WIDER)
    pairs = zip(fresh.subjects, fresh.styles, strict=True)
    must = [Answer(found.names[s], STYLE_NAMES[t]) for s, t in pairs]
    net = AutoencoderKL.from_pretrained(weights / "vae").float().eval()
    kinds = {
        "real": fresh.pixels,
        "encoded and decoded": decoded(net, encoded(net, fresh.pixels)),
    }
    return {
        kind: list(zip(must, judge.of_pictures(torch.from_numpy(p)), strict=True))
        for kind, p in kinds.items()
    }


def _of_painted(judge: AtelierJudge, weights: Path) -> Judged:
    """Return the answers on what the base paints of the cells of its training."""
    must = [Answer(*cell) for cell in sorted(known_cells()) for _ in range(PAINTED)]
    painted = DiffusersModel.load(weights).paint(
        [spoken(TEMPLATES[0].text, subject=a.subject, style=a.style) for a in must],
        [SEED + i % PAINTED for i in range(len(must))],
        sampling=Sampling(STEPS, GUIDANCE),
    )
    return list(zip(must, judge.judged(painted), strict=True))
