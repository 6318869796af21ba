"""A twin: a model of the same recipe that never learned what was erased."""

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
        model: What it is compared with.
        folder: A pipeline's folder.

    Raises:
        ModelError: It is no model, or none that could learn the same in the same way.
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
    if isinstance(ours_may_be, CountingModel):  # of a rehearsal
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
