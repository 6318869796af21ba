"""Twins: control models of the same recipe, never trained on the erased concepts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unlearnlog.commands.counting import CountingModel
from unlearnlog.errors import ModelError
from unlearnlog.models.diffusers_model import DiffusersModel

if TYPE_CHECKING:
    from pathlib import Path


def load_twin(model: DiffusersModel, folder: Path) -> DiffusersModel:
    """Load a twin onto the model's device.

    Args:
        model: The model that it is compared with.
        folder: Folder of a diffusers pipeline.

    Raises:
        ModelError: The twin cannot be loaded, or its shapes or autoencoder differ.
    """
    twin = DiffusersModel.load(folder, device=model.device)
    ours, theirs = _shape(model), _shape(twin)
    if ours != theirs:
        differs = next(name for name in ours if ours[name] != theirs[name])
        raise ModelError(
            f"'{folder}' is no twin: its {differs} are not those of the ledger's model",
            fix="train one by the model's own recipe; for the bundled one: make twin",
        )
    ours_may_be: Any = model
    if isinstance(ours_may_be, CountingModel):  # in a dry run
        beside: Any = ours_may_be.beside(twin)
        twin = beside
    return twin


def _shape(model: DiffusersModel) -> dict[str, object]:
    return {
        "pictures' sizes": model.picture_shape,
        "latents' sizes": model.latent_shape,
        "text projections' shapes": {n: t.shape for n, t in model.base.items()},
        "autoencoder's weights": {
            name: record
            for name, record in model.manifest.tensors.items()
            if name.startswith("vae.")
        },
    }
