"""Pictures of the world of real drawings: what is asked for, and what is seen.

A case is a prompt with a seed and what its picture must show. What the base shows on
the same prompt and latent is kept on disk for all cells of the suite.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import torch
from filelock import FileLock

from benchmarks.suite import BUILD
from recipes.glyphs.measure import background
from recipes.glyphs.painting import halves
from recipes.glyphs.weight_files import digest_of_weights
from unlearnlog.atelier.atelier_judge import AtelierJudge
from unlearnlog.commands.session import Session
from unlearnlog.commands.session_opening import init, open_session
from unlearnlog.core.delta import Weights
from unlearnlog.core.digest import Digest
from unlearnlog.glyphs.glyph_model import FOLDER, JUDGE, SOURCE
from unlearnlog.models.interface import Sampling

SAMPLING: Final = Sampling(10, 4.0)

Sight = str
"""What is read of a picture: ``subject``, ``style``, ``colour`` of the background; of a
pair ``left`` and ``right``, the subject of that half."""


@dataclass(frozen=True)
class Case:
    """A picture to paint, and what it must show where nothing was erased.

    Attributes:
        prompt: The prompt.
        seed: The seed of the latent.
        shows: What it must show, by what is read of it.
    """

    prompt: str
    seed: int
    shows: tuple[tuple[Sight, str], ...]

    def must(self, sight: Sight) -> str:
        """Return what it must show; empty where it may show anything."""
        return dict(self.shows).get(sight, "")


Seen = Mapping[str, str]
"""What a picture shows, by what is read of it."""


@cache
def glyph_weights() -> Digest:
    """Return the digest of the model's and the judge's weights."""
    return digest_of_weights(FOLDER)


@cache
def glyph_session() -> Session:
    """Return a session of the model with an empty ledger below ``build/``."""
    folder = BUILD / f"glyphs-{glyph_weights()[:12]}"
    if not (folder / ".unlearnlog").exists():
        folder.mkdir(parents=True, exist_ok=True)
        init(folder, SOURCE)
    return open_session(folder)


@cache
def glyph_judge() -> AtelierJudge:
    """Return the judge of the world."""
    return AtelierJudge.load(JUDGE, SOURCE)


def seen_in(cases: Sequence[Case], weights: Weights | None) -> list[Seen]:
    """Return what the pictures of cases show; the base's are painted once for ever.

    Args:
        cases: The cases.
        weights: Tensors in place of the model's; None for the base.
    """
    if weights is not None:
        return _painted(cases, weights)
    known = _known()
    missing = list(dict.fromkeys(c for c in cases if _key(c) not in known))
    if missing:
        fresh = _painted(missing, None)
        new = {_key(c): dict(s) for c, s in zip(missing, fresh, strict=True)}
        known = _remember(new)
    return [known[_key(case)] for case in cases]


def _painted(cases: Sequence[Case], weights: Weights | None) -> list[Seen]:
    """Paint every case once, and read its picture."""
    if not cases:
        return []
    different = list(dict.fromkeys(cases))
    painted = glyph_session().model.paint(
        [case.prompt for case in different],
        [case.seed for case in different],
        sampling=SAMPLING,
        weights=weights,
    )
    read = read_from(different, painted.pictures)
    found = dict(zip(different, read, strict=True))
    return [found[case] for case in cases]


def read_from(cases: Sequence[Case], pictures: torch.Tensor) -> list[Seen]:
    """Return what pictures ``[n, 64, 64, 3]`` show, as far as the cases ask."""
    judge = glyph_judge()
    read: list[dict[str, str]] = [
        {"subject": answer.subject, "style": answer.style}
        for answer in judge.of_pictures(pictures)
    ]
    two = [i for i, case in enumerate(cases) if case.must("left")]
    if two:
        for sight, side in zip(
            ("left", "right"), halves(pictures[two].numpy()), strict=True
        ):
            answers = judge.of_pictures(torch.from_numpy(side))
            for i, answer in zip(two, answers, strict=True):
                read[i][sight] = answer.subject
    for i, case in enumerate(cases):
        if case.must("colour"):
            read[i]["colour"] = background(pictures[i].numpy())
    return list(read)


def _key(case: Case) -> str:
    return f"{case.seed}: {case.prompt}"


def _file() -> Path:
    how = f"{SAMPLING.steps}-{SAMPLING.guidance:g}"
    return BUILD / f"glyphs-{glyph_weights()[:12]}" / f"base-{how}.json"


def _known() -> dict[str, dict[str, str]]:
    path = _file()
    if not path.exists():
        return {}
    found: dict[str, dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _remember(new: Mapping[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Add what the base shows to the file, and return all of it."""
    path = _file()
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        known = {**_known(), **new}
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(known), encoding="utf-8")
        partial.replace(path)
    return known


@dataclass(frozen=True)
class Count:
    """How many of some pictures show what they must, now and by the base.

    Attributes:
        n: Pictures.
        now: Those of the edited model that show it.
        base: Those of the base.
    """

    n: int
    now: int
    base: int

    def __add__(self, other: Count) -> Count:
        """Return the count of both."""
        return Count(self.n + other.n, self.now + other.now, self.base + other.base)

    def written(self) -> list[int]:
        """Return the count as a cell stores it: n, now, base."""
        return [self.n, self.now, self.base]


@dataclass(frozen=True)
class Panel:
    """Cases with what the edited model and the base show on the same latents.

    Attributes:
        cases: The cases.
        now: What the edited model shows.
        base: What the base shows.
    """

    cases: Sequence[Case]
    now: Sequence[Seen]
    base: Sequence[Seen]

    @classmethod
    def of(cls, cases: Sequence[Case], weights: Weights) -> Panel:
        """Paint the cases with weights, and with the base where that is not done."""
        return cls(cases, seen_in(cases, weights), seen_in(cases, None))

    def count(self, sight: Sight) -> Count:
        """Return the count of the cases that must show something of one kind."""
        rows = [
            (seen.get(sight) == wanted, base.get(sight) == wanted)
            for case, seen, base in zip(self.cases, self.now, self.base, strict=True)
            if (wanted := case.must(sight))
        ]
        return Count(len(rows), sum(r[0] for r in rows), sum(r[1] for r in rows))

    def by_concept(self, sight: Sight) -> dict[str, Count]:
        """Return the counts by what must be shown."""
        found: dict[str, Count] = {}
        for i, case in enumerate(self.cases):
            if name := case.must(sight):
                part = slice(i, i + 1)
                one = Panel(self.cases[part], self.now[part], self.base[part])
                found[name] = found.get(name, Count(0, 0, 0)) + one.count(sight)
        return found


def written(counts: Mapping[str, Count]) -> dict[str, Any]:
    """Return counts as a cell stores them, without those of no picture."""
    return {name: count.written() for name, count in counts.items() if count.n}
