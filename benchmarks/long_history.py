"""A long history on weights of full size, appended entry by entry."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch

from benchmarks.suite import Suite
from unlearnlog.core.concept import Concept
from unlearnlog.core.delta import Delta, LowRank, add_deltas, rounded, state_digest
from unlearnlog.core.entry import Append, DeltaRecord, Entry, StateRecord
from unlearnlog.core.eraser_record import EraserRecord
from unlearnlog.core.provenance import now
from unlearnlog.core.reading import Reading
from unlearnlog.core.verdict_record import VerdictRecord
from unlearnlog.ledger.base_manifest import BaseManifest
from unlearnlog.ledger.repository import Repository

SHAPES: Final = {(320, 768): 10, (640, 768): 10, (1280, 768): 12}
"""Matrices that make keys and values of a text in Stable Diffusion 1.5, with counts."""

_SAMPLE: Final = "picasso-anchor"


def base_weights() -> dict[str, torch.Tensor]:
    """Return random float32 weights with the shapes of Stable Diffusion 1.5."""
    random_numbers = torch.Generator().manual_seed(0)
    shapes = [shape for shape, count in SHAPES.items() for _ in range(count)]
    return {
        f"unet.to_kv.{i:02}.weight": 0.03 * torch.randn(s, generator=random_numbers)
        for i, s in enumerate(shapes)
    }


def rank_one(base: Mapping[str, torch.Tensor], seed: int) -> Delta:
    """Return a delta of rank one on every matrix, as for the erasure of one token."""
    numbers = torch.Generator().manual_seed(seed)
    patches = {}
    for name, tensor in base.items():
        d_out, d_in = tensor.shape
        left = 0.01 * torch.randn(d_out, 1, generator=numbers)
        patches[name] = LowRank(left, 0.1 * torch.randn(1, d_in, generator=numbers))
    return Delta(patches)


class Growing:
    """A ledger with the sum of its deltas and the time of each append.

    Attributes:
        ledger: The ledger.
        seconds: Wall-clock time of each append, in s.
    """

    def __init__(self, folder: Path, base: Mapping[str, torch.Tensor]) -> None:
        """Create an empty ledger in a folder."""
        manifest = BaseManifest.of("random weights", "sd1", base)
        self.ledger = Repository.init(folder, manifest)
        self.seconds: list[float] = []
        self._base = base
        self._change: dict[str, torch.Tensor] = {}
        self._sample = _sample()

    def grow(self, times: int = 1) -> None:
        """Append entries; only `Ledger.append` is timed."""
        for _ in range(times):
            n = len(self.seconds)
            delta = rank_one(self._base, n)
            add_deltas(self._change, [delta])
            state = rounded(self._base, self._change)
            after = state_digest(state, self.ledger.base.root)
            entry = self._entry(n, delta, after)
            began = time.perf_counter()
            self.ledger.append(entry, delta)
            self.seconds.append(time.perf_counter() - began)

    def _entry(self, n: int, delta: Delta, after: Any) -> Entry:  # noqa: ANN401
        """Return an entry of the length of the benchmark's entries."""
        head = self.ledger.head
        settings = {k: v for k, v in self._sample["eraser"].items() if k != "name"}
        return Entry(
            parent=head,
            kind="erase",
            concepts=(Concept(f"concept {n}", "style"),),
            eraser=EraserRecord(name="mim", settings=settings),
            seed=n,
            policy="default",
            changes=(Append(object=delta.digest),),
            delta=DeltaRecord(digest=delta.digest, n_bytes=delta.n_bytes),
            state=StateRecord(before=self.ledger.state_digest(head), after=after),
            readings=_readings(self._sample["readings"], seed=n),
            verdict=VerdictRecord(passed=True),
            seconds=self._sample["seconds"],
            made_with={"created": now()},
        )


def _sample() -> dict[str, Any]:
    """Return the row of an entry that was recorded with every probe."""
    sample: dict[str, Any] = Suite.called("alone").cells()[_SAMPLE]["rows"][0]
    return sample


def _readings(rows: Sequence[Mapping[str, Any]], *, seed: int) -> tuple[Reading, ...]:
    """Return readings like the sample's, with other numbers in each entry."""
    numbers = random.Random(seed)
    found = []
    for row in rows:
        by = 1 - numbers.random() / 100
        moved = {key: by * row[key] for key in ("value", "low", "high")}
        found.append(Reading(**{**row, **moved, "better": "higher"}))
    return tuple(found)
