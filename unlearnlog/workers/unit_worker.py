"""A worker: one model that is held, and the states and judges that it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from safetensors.torch import load, save

from unlearnlog.atelier.bundled_model import FOLDER, SOURCE
from unlearnlog.checkpoints.single_file import opened_base
from unlearnlog.core.devices import DTYPES
from unlearnlog.glyphs.glyph_model import FOLDER as GLYPH_FOLDER
from unlearnlog.glyphs.glyph_model import SOURCE as GLYPHS
from unlearnlog.judges.base_judge import BaseJudge
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.workers.executor import kind_of
from unlearnlog.workers.recently_used import RecentlyUsed
from unlearnlog.workers.work_unit import Workbench, WorkUnit
from unlearnlog.workers.worker_identity import WorkerIdentity

if TYPE_CHECKING:
    from unlearnlog.core.delta import Weights
    from unlearnlog.judges.judge import Judge

BUNDLED: Final[Mapping[str, Path]] = {SOURCE: FOLDER, GLYPHS: GLYPH_FOLDER}
"""Folders of the models that ship, by name: another machine has them elsewhere."""

N_STATES: Final = 2
"""States that a worker holds; a full-size one has gigabytes."""


@dataclass(frozen=True)
class ModelSource:
    """How a worker loads its model.

    Attributes:
        folder: Its folder or file, the same on every machine; a name of
            ``BUNDLED`` for a model that ships.
        device: Where to compute.
        dtype: Dtype of the UNet.
        threads: Threads of a CPU.
        tokenizer: The folder that was given for its tokenizers; empty for none.
    """

    folder: str
    device: str
    dtype: str
    threads: int
    tokenizer: str = ""

    @classmethod
    def of(cls, model: DiffusersModel, threads: int) -> ModelSource:
        """Return the source of a loaded model."""
        folder = Path(model.folder.path).absolute()
        ours = (name for name, its in BUNDLED.items() if its.absolute() == folder)
        where = next(ours, str(folder))
        given = model.folder.tokenizer
        words = str(given.absolute()) if given else ""
        return cls(where, model.device.type, model.dtype, threads, words)

    def loaded(self) -> DiffusersModel:
        """Return the model, loaded in this process.

        Raises:
            ModelError: The folder is not on this machine, or holds no model.
        """
        torch.set_num_threads(self.threads)
        folder = BUNDLED.get(self.folder, Path(self.folder))
        dtype = getattr(torch, DTYPES[self.dtype])
        base = opened_base(folder, Path(self.tokenizer) if self.tokenizer else None)
        return DiffusersModel.load(base, device=self.device, dtype=dtype)


@dataclass(frozen=True)
class SentUnit:
    """A unit without its weights, as it is sent.

    Attributes:
        unit: The unit, with no weights.
        state: Digest of the weights; empty for the base.
        judge: Identity of the judge; empty for none.
    """

    unit: WorkUnit[Any]
    state: str = ""
    judge: str = ""


class UnitWorker:
    """A worker; its methods are what a driver may ask of it."""

    def __init__(self, source: ModelSource) -> None:
        """Load nothing yet: an error of loading is an answer, not a death."""
        self.source = source
        self.states: RecentlyUsed[Weights] = RecentlyUsed(N_STATES)
        self.judges: dict[str, Judge] = {}

    @cached_property
    def model(self) -> DiffusersModel:
        """The model, loaded once."""
        return self.source.loaded()

    def identity(self) -> WorkerIdentity:
        """Return what it computes with.

        Raises:
            ModelError: The model is not on this machine.
        """
        root = self.model.manifest.root
        return WorkerIdentity.of(root, self.source.threads, kind_of(self.model))

    def hold_state(self, digest: str, data: bytes) -> None:
        """Hold the weights of a state, and drop those used longest ago."""
        self.states.put(digest, unpacked(data))

    def hold_judge(self, judge: Judge) -> str:
        """Hold a judge, and return its identity as computed here."""
        held = with_model(judge, self.model)
        self.judges[held.identity] = held
        return held.identity

    def compute(self, sent: SentUnit) -> object:
        """Return the result of a unit, whose state and judge are held."""
        torch.set_num_threads(self.source.threads)
        unit: Any = sent.unit
        if sent.state:
            unit = replace(unit, weights=self.states.used(sent.state))
        judge = self.judges[sent.judge] if sent.judge else None
        return unit.computed(Workbench(self.model, judge), _untold)


def packed(weights: Weights) -> bytes:
    """Return tensors as the bytes of a safetensors file."""
    return save({name: w.detach().cpu().contiguous() for name, w in weights.items()})


def unpacked(data: bytes) -> Weights:
    """Return the tensors of the bytes of a safetensors file."""
    return dict(load(data))


def without_model(judge: Judge) -> Judge:
    """Return a judge to send: the one that judges with the base is sent without it."""
    if isinstance(judge, BaseJudge):
        nothing: Any = None
        return BaseJudge(nothing, judge.world)
    return judge


def with_model(judge: Judge, model: DiffusersModel) -> Judge:
    """Return a received judge that judges with the worker's own base."""
    if isinstance(judge, BaseJudge):
        return BaseJudge(model, judge.world)
    return judge


def _untold(done: int) -> None:
    """Ignore the progress within a unit: the driver counts whole ones."""
