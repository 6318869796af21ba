"""The networks and configurations of a Stable Diffusion in a single file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from unlearnlog.checkpoints.deferred_tensor import DeferredTensor
from unlearnlog.checkpoints.ldm_checkpoint import (
    has_averaged,
    networks_of,
    predicted_by,
    seems_velocity,
    too_many_blocks,
)
from unlearnlog.checkpoints.ldm_configs import (
    Generation,
    generation_of,
    latent_size,
    scheduler_config,
    text_config,
    unet_config,
    vae_config,
)
from unlearnlog.checkpoints.ldm_leftovers import unread
from unlearnlog.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

    from unlearnlog.models.tensor_file import TensorFile

_UNET: Final = "model.diffusion_model."
_VAE: Final = "first_stage_model."
_NO_WEIGHT: Final = "position_ids"
"""A counter in old files, which no network has today."""

_MISSING: Final = (KeyError, IndexError, ValueError, StopIteration, TypeError)
"""Errors of a converter for a file without the tensors that it needs."""


@dataclass(frozen=True)
class SingleFileReader:
    """An opened file, from which the parts of its description are read."""

    path: Path
    file: TensorFile

    @cached_property
    def generation(self) -> Generation:
        """The generation whose text encoders the file has.

        Raises:
            ModelError: It has none, or lacks a network.
        """
        keys = self.file.places.keys()
        if many := too_many_blocks(keys):
            raise self._unfit(f"it has {many}")
        found = generation_of(keys)
        has_unet = any(key.startswith(_UNET) for key in keys)
        has_vae = any(key.startswith(_VAE) for key in keys)
        missing = [
            *([] if has_unet else ["no UNet"]),
            *([] if found else ["no text encoder of Stable Diffusion 1, 2 or XL"]),
            *([] if has_vae else ["no autoencoder"]),
        ]
        if missing or found is None:
            raise self._unfit(f"it has {' and '.join(missing)}")
        return found

    @cached_property
    def tensors(self) -> dict[str, DeferredTensor]:
        """The tensors by key, none of them read."""
        return DeferredTensor.of(self.file.places)

    @cached_property
    def _of_networks(self) -> dict[str, dict[str, Any]]:
        """The configurations of UNet and autoencoder."""
        try:
            unet = unet_config(self._shapes(_UNET), self.generation)
            vae = vae_config(self._shapes(_VAE), self.generation)
        except _MISSING as error:
            raise self._unfit(f"it has {_lacking(error)}") from None
        size = latent_size(
            self.generation,
            self.file.notes.get("modelspec.resolution", ""),
            velocity=self.predicts == "v_prediction",
            n_levels=len(vae["block_out_channels"]),
        )
        unet["sample_size"] = size
        if self.generation.both_predict and self.predicts == "v_prediction":
            unet["upcast_attention"] = True
        return {"unet": unet, "vae": vae}

    @cached_property
    def names(self) -> dict[str, dict[str, DeferredTensor]]:
        """The tensors of each network by diffusers' names.

        Raises:
            ModelError: A network is not one of Stable Diffusion.
        """
        encoders = ["text_encoder", "text_encoder_2"][
            : len(self.generation.activations)
        ]
        width = {"hidden_size": self._width}
        configs = {**self._of_networks, **dict.fromkeys(encoders, width)}
        tensors = cast("Mapping[str, Tensor]", self.tensors)
        try:
            found = networks_of(tensors, configs, ema=False)
        except _MISSING as error:
            raise self._unfit(f"it has {_lacking(error)}") from None
        if missing := [name for name in configs if not found.get(name)]:
            raise self._unfit(f"it has no {' and no '.join(missing)}")
        known = cast("dict[str, dict[str, DeferredTensor]]", found)
        return {
            name: {
                inner: each
                for inner, each in known[name].items()
                if not inner.endswith(_NO_WEIGHT)
            }
            for name in configs
        }

    @cached_property
    def configs(self) -> dict[str, dict[str, Any]]:
        """The configuration of each network."""
        found = dict(self._of_networks)
        for place, name in enumerate(n for n in self.names if n not in found):
            shapes = {
                inner.removeprefix("text_model."): tuple(each.shape)
                for inner, each in self.names[name].items()
            }
            try:
                found[name] = text_config(shapes, self.generation, place)
            except _MISSING as error:
                raise self._unfit(f"its {name} has {_lacking(error)}") from None
        return found

    @property
    def scheduler(self) -> dict[str, Any]:
        """The configuration of the scheduler."""
        config = scheduler_config(self.generation, self.predicts)
        if self.predicts == "v_prediction" and "ztsnr" in self.file.places:
            config |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
        return config

    @cached_property
    def predicts(self) -> str:
        """What the UNet predicts, by diffusers' name."""
        return self._prediction[0]

    @cached_property
    def _prediction(self) -> tuple[str, str]:
        """What the UNet predicts, and how that is known."""
        if said := predicted_by(self.file.places, self.file.notes):
            return said, "as the file says"
        if self.generation.both_predict:
            guess = seems_velocity(self.file)
            return ("v_prediction" if guess else "epsilon"), "by its last norm"
        return "epsilon", "as usual"

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks on the file for whoever makes a ledger of it."""
        predicts, why = self._prediction
        what = f"{self.generation.title}, which predicts {predicts} ({why})"
        notes = [f"its tensors are those of a {what}; its names were converted"]
        if has_averaged(self.file.places):
            notes.append("its averaged UNet was not read")
        read = {each.key for names in self.names.values() for each in names.values()}
        return (*notes, *unread(self.file.places, read))

    @property
    def _width(self) -> int:
        """Width of the last text encoder's vectors."""
        table = f"{self.generation.mark}token_embedding.weight"
        return self.file.places[table].shape[1] if table in self.file.places else 0

    def _shapes(self, prefix: str) -> dict[str, tuple[int, ...]]:
        return {
            key.removeprefix(prefix): place.shape
            for key, place in self.file.places.items()
            if key.startswith(prefix)
        }

    def _unfit(self, what: str) -> ModelError:
        return ModelError(
            f"'{self.path}' is no whole Stable Diffusion 1, 2 or XL: {what}",
            fix="give a file with UNet, autoencoder and text encoders, or the model's "
            "diffusers folder; what was fine-tuned is audited: unlearnlog audit "
            f"{self.path.name}",
        )


def _lacking(error: Exception) -> str:
    """Return what a converter did not find."""
    return f"no {error}" if isinstance(error, KeyError) else "parts of another model"
