"""The tensors of an exported file, by format, and what a loader gets of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final

import torch

from unlearnlog.checkpoints import lora_keys
from unlearnlog.checkpoints.comfyui_patch import patch_of, patched
from unlearnlog.checkpoints.export_formats import CHECKPOINT, COMFYUI, TENSORS
from unlearnlog.checkpoints.export_metadata import ModelKind
from unlearnlog.checkpoints.fused_factors import Fusing
from unlearnlog.checkpoints.lora_writer import written
from unlearnlog.checkpoints.original_layout import Layout, layout_of
from unlearnlog.core.low_rank import Spectrum, fused, lowest_energy, rank_for
from unlearnlog.errors import ExportError
from unlearnlog.models.tensor_file_writer import Planned, PlannedTensor, planned

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session
    from unlearnlog.core.delta import Weights
    from unlearnlog.core.entry import EntryId
    from unlearnlog.models.foreign_file import SafetensorsFile
    from unlearnlog.models.model_family import ModelFamily

EXACT: Final = (TENSORS, COMFYUI, CHECKPOINT)
"""Formats without a rank."""

_SHIFTED: Final = "v_pred"
_NO_SIGNAL: Final = "ztsnr"
"""Tensors by which ComfyUI knows a UNet of SDXL that predicts velocity, and one whose
last timestep is noise alone."""


@dataclass(frozen=True)
class Content:
    """The tensors of a file.

    Attributes:
        tensors: The tensors by key.
        rank: Rank of every pair of factors; 0 without.
        energy: Share of the squared norm kept, of the change that lost most.
    """

    tensors: Planned = field(repr=False)
    rank: int = 0
    energy: float = 1.0


@dataclass(frozen=True)
class ExportedState:
    """The state that is exported.

    Attributes:
        at: The session, with its ledger and model.
        entry: The entry.
        spelling: The format, one of `export_formats.formats_of` the model.
        half: Whether numbers wider than half precision are rounded to it.
    """

    at: Session
    entry: EntryId
    spelling: str
    half: bool = False

    @property
    def family(self) -> ModelFamily:
        """The model's family."""
        return self.at.model.folder.family

    @cached_property
    def shapes(self) -> dict[str, torch.Size]:
        """Shape of every tensor of the model, by full name."""
        records = self.at.manifest.tensors
        return {name: torch.Size(record.shape) for name, record in records.items()}

    @cached_property
    def fusing(self) -> Fusing:
        """The original modules of a transformer, and the sizes of all weights."""
        return Fusing.of(self.family.name, self.at.manifest.tensors)

    @cached_property
    def kind(self) -> ModelKind:
        """The model's kind."""
        return ModelKind.of(self.at.model.folder, self.at.model.predicts)

    @cached_property
    def layout(self) -> Layout:
        """The tensors of the whole model in one file, by their keys."""
        return layout_of(self.family, self.shapes, is_v2=self.kind.is_v2)

    def content(self, spectra: Mapping[str, Spectrum], energy: float) -> Content:
        """Return the tensors of the file.

        Args:
            spectra: The change of each changed tensor.
            energy: Share of each change's squared norm that factors keep.

        Raises:
            UsageError: The format cannot hold a tensor of this model.
        """
        state = self.at.weights(self.entry)
        changed = {name: state[name].contiguous() for name in spectra}
        if self.spelling == TENSORS:
            return Content(planned(changed))
        if self.spelling == COMFYUI:
            base = {name: self.at.model.base[name] for name in changed}
            found = patch_of(self.family, base, changed, self.shapes)
            return Content(planned(found))
        if self.spelling == CHECKPOINT:
            return Content(self._checkpoint())
        rank = rank_for(spectra, energy)
        pairs = {name: each.factors(rank) for name, each in spectra.items()}
        tensors = planned(written(pairs, self.spelling, self.fusing))
        return Content(tensors, rank, lowest_energy(spectra, rank))

    def loaded(self, file: SafetensorsFile) -> Weights:
        """Return the changed tensors that a loader gets from the file."""
        base = self.at.model.base
        if self.spelling == TENSORS:
            return dict(file)
        if self.spelling == COMFYUI:
            return patched(file, base, self.family, self.shapes)
        if self.spelling == CHECKPOINT:
            return self._unpacked(file)
        shapes = {name: tensor.shape for name, tensor in base.items()}
        return fused(base, lora_keys.read(file, shapes, fusing=self.fusing))

    def _unpacked(self, file: SafetensorsFile) -> dict[str, torch.Tensor]:
        """Return the text projections in a whole checkpoint, in the base's dtype."""
        base = self.at.model.base
        return {
            name: part.to(base[name].dtype)
            for key, tensor in self.layout.items()
            if base.keys() & {*tensor.parts}
            for name, part in tensor.split(file[key], self.shapes).items()
            if name in base
        }

    def _checkpoint(self) -> dict[str, PlannedTensor]:
        """Return every tensor of the model, each read when it is written."""
        folder = self.at.model.folder
        stored, state = folder.stored(*folder.weighed), self.at.weights(self.entry)

        def load(name: str) -> torch.Tensor:
            tensor = state[name] if name in state else stored[name]
            return self._rounded(name, tensor)

        records = self.at.manifest.tensors
        found = {
            key: PlannedTensor(
                self._dtype(records[tensor.parts[0]].dtype),
                tensor.shape(self.shapes),
                partial(tensor.made, load),
            )
            for key, tensor in self.layout.items()
        }
        return {**found, **planned(self._marks())}

    def _marks(self) -> dict[str, torch.Tensor]:
        """Return the empty tensors that mark what a UNet predicts."""
        if self.kind.predicts != "v" or self.kind.is_v2:
            return {}
        shifts = self.at.model.folder.scheduler.get("rescale_betas_zero_snr")
        marks = (_SHIFTED, _NO_SIGNAL) if shifts else (_SHIFTED,)
        return {mark: torch.tensor([]) for mark in marks}

    def _dtype(self, name: str) -> torch.dtype:
        """Return the dtype in the file of a tensor of a dtype."""
        dtype: torch.dtype = getattr(torch, name.removeprefix("torch."))
        if not (self.half and dtype.is_floating_point and dtype.itemsize > 2):
            return dtype
        return torch.float16 if self.family.network == "unet" else torch.bfloat16

    def _rounded(self, name: str, tensor: torch.Tensor) -> torch.Tensor:
        """Return a tensor in its dtype in the file.

        Raises:
            ExportError: A number of it is too large for that.
        """
        dtype = self._dtype(str(tensor.dtype))
        rounded = tensor.to(dtype)
        if dtype != tensor.dtype and not torch.isfinite(rounded).all():
            raise ExportError(
                f"'{name}' holds numbers that are too large for half precision",
                fix="leave out --half: the file gets the dtype of the base",
            )
        return rounded
