"""Measurements of the eraser benchmarks: only the readings that their tables need.

All pictures are cached under ``build/`` by the digest of the weights, so that none is
painted twice: not by a resumed cell, by a strength that is tried twice, or by orders
that end in the same weights.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from safetensors.torch import load_file, save_file
from torch import Tensor

from benchmarks.suite import BUILD
from unlearnlog.commands.judge_choice import runner_for
from unlearnlog.commands.session import Session
from unlearnlog.commands.session_opening import init, open_session
from unlearnlog.concepts.prompts import PromptBook
from unlearnlog.core.digest import digest_of
from unlearnlog.core.progress import Progress
from unlearnlog.core.reading import Reading
from unlearnlog.core.work_cache import TensorCache
from unlearnlog.policy import Policy
from unlearnlog.probes.information import PromptedPictures, drift
from unlearnlog.probes.probe_table import PROBES
from unlearnlog.probes.runner import ProbePlan, ProbeRunner, scattered

N_DRIFT: Final = 16
"""Kept pictures on which drift is read."""


@dataclass(frozen=True)
class Entrant:
    """An eraser with settings, under a label."""

    label: str
    eraser: str
    settings: tuple[tuple[str, Any], ...] = ()

    def policy(self, probes: Mapping[str, float], **settings: float) -> Policy:
        """Return the default policy with the eraser, these probes and no limits."""
        return self._policy("auto", probes, settings)

    def blind(self) -> Policy:
        """Return a policy that records an erasure with the smallest sizes."""
        return self._policy("none", {"information": 1, "nodes": 0}, {})

    def _policy(
        self, judge: str, probes: Mapping[str, float], settings: Mapping[str, float]
    ) -> Policy:
        data = Policy.load("default").model_dump()
        changed = {
            "name": "bench",
            "judge": judge,
            "eraser": {"name": self.eraser, **dict(self.settings), **settings},
            "probes": {**data["probes"], **probes},
            "limits": (),
        }
        return Policy.of({**data, **changed}, "bench")


@cache
def shared() -> Session:
    """Return the session with the shared cache of pictures, created on first use."""
    bare = open_session(BUILD, may_create=True)
    folder = BUILD / f"album-{bare.manifest.root[:12]}"
    if not folder.exists():
        init(folder, bare.manifest.source)
    return open_session(folder)


@dataclass(frozen=True)
class Stock:
    """A cache without a bound, in one folder."""

    folder: Path

    def get(self, key: str) -> Tensor | None:
        """Return the tensor of a key, or None."""
        path = self._path(key)
        return load_file(path)["it"] if path.exists() else None

    def put(self, key: str, tensor: Tensor) -> None:
        """Store a tensor."""
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self._path(key).with_suffix(f".{os.getpid()}")
        save_file({"it": tensor.contiguous()}, partial)
        partial.replace(self._path(key))

    def _path(self, key: str) -> Path:
        return self.folder / digest_of(key.encode())


class Sharing(Session):
    """A session with a shared cache for its erasures.

    Pictures that the base painted to erase a style serve every order of styles.
    """

    @property
    def shelf(self) -> TensorCache:
        """The cache that all histories share."""
        return Stock(BUILD / "stock")


def panel_of(policy: Policy, book: PromptBook, watch: Progress) -> ProbeRunner:
    """Return the probe runner of the bundled model, with the shared cache."""
    return runner_for(shared(), policy, book, watch)


def readings_of(
    panel: ProbeRunner,
    asked: ProbePlan,
    new: Mapping[str, Tensor],
    *,
    n_drift: int = N_DRIFT,
) -> list[dict[str, Any]]:
    """Return the readings of the judge's probes, and drift on ``n_drift`` pictures."""
    evidence = panel.looked(asked, new)
    found: list[Reading] = [r for each in PROBES for r in each.readings(evidence)]
    kept = scattered(asked.kept, n_drift)
    if kept:
        latents = panel.unguided.latents(kept, None, "painting for the drift")
        found += drift(panel.model, PromptedPictures(kept, latents), new)
    return dumped(found)


def dumped(readings: Sequence[Reading]) -> list[dict[str, Any]]:
    """Return readings as JSON data."""
    return [reading.model_dump(mode="json") for reading in readings]
