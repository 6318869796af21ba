"""Single files of the original authors' format, which many trainers write.

One file holds all networks, under the names that the first Stable Diffusion gave to
their modules.

Source:
    What is called what today, diffusers knows: the converters of its
    ``loaders.single_file_utils``.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from diffusers.loaders import single_file_utils as known

if TYPE_CHECKING:
    from torch import Tensor

_UNET: Final = "model.diffusion_model."
_VELOCITY: Final = "v_pred"
"""A tensor that marks what predicts velocity."""

_BLOCK: Final = re.compile(r"(input_blocks|output_blocks|down|up)\.(\d+)\.")
_MOST_BLOCKS: Final = 64
"""More than any network of the format has of a kind, which is 12."""

_AUTOENCODER: Final = "first_stage_model."
_CLIP: Final[Mapping[str, tuple[str, ...]]] = {
    "text_encoder": (
        "cond_stage_model.transformer.",
        "conditioner.embedders.0.transformer.",
    )
}
_OPEN_CLIP: Final[Mapping[str, str]] = {
    "text_encoder": "cond_stage_model.model.",
    "text_encoder_2": "conditioner.embedders.1.model.",
}


def is_single(keys: Iterable[str]) -> bool:
    """Whether a file with these keys is of that format."""
    return any(key.startswith(_UNET) for key in keys)


def has_averaged(keys: Iterable[str]) -> bool:
    """Whether an averaged copy of the UNet is in the file, too."""
    return any(key.startswith("model_ema.diffusion_model") for key in keys)


def predicted_by(keys: Container[str], metadata: Mapping[str, str]) -> str:
    """Return what a file says that its UNet predicts; empty where it does not say.

    Some trainers say it in the metadata of the modelspec, others by a tensor.

    Source:
        github.com/Stability-AI/ModelSpec, ``modelspec.prediction_type``.
    """
    said = metadata.get("modelspec.prediction_type", "").lower()
    if said.startswith("v") or _VELOCITY in keys:
        return "v_prediction"
    return "epsilon" if said.startswith("eps") else ""


def too_many_blocks(keys: Iterable[str]) -> str:
    """Say which blocks are more than any network has; empty where none are.

    Diffusers goes through all keys for each block: hours, of a file of many.
    """
    numbers: dict[str, set[str]] = {}
    for key in keys:
        for kind, number in _BLOCK.findall(key):
            numbers.setdefault(kind, set()).add(number)
    said = (
        f"{len(found)} blocks called {kind}"
        for kind, found in numbers.items()
        if len(found) > _MOST_BLOCKS
    )
    return next(said, "")


def networks_of(
    file: Mapping[str, Tensor], configs: Mapping[str, Mapping[str, Any]], *, ema: bool
) -> dict[str, dict[str, Tensor]]:
    """Return the tensors of each network in a file, by today's names.

    Args:
        file: Tensors by key.
        configs: Of the base's networks, by component; no other is looked for.
        ema: Whether to take the averaged copy of the UNet.

    Raises:
        KeyError: The networks are not built as the configs say.
    """
    found = {
        "unet": known.convert_ldm_unet_checkpoint(
            _unet_of(file, ema=ema), configs["unet"]
        )
    }
    parts = {name: config for name, config in configs.items() if name != "unet"}
    for name, config in parts.items():
        if tensors := _converted(name, file, config):
            found[name] = tensors
    return found


def _converted(
    name: str, file: Mapping[str, Tensor], config: Mapping[str, Any]
) -> dict[str, Tensor]:
    """Return the tensors of one network; nothing where the file has none."""
    if name == "vae":
        part = _begun(file, _AUTOENCODER)
        return dict(known.convert_ldm_vae_checkpoint(part, config)) if part else {}
    if part := _begun(file, *_CLIP.get(name, ())):
        return dict(known.convert_ldm_clip_checkpoint(part))
    if part := _begun(file, _OPEN_CLIP[name]):
        width = SimpleNamespace(hidden_size=config["hidden_size"])
        text_model = SimpleNamespace(config=width)
        prefix = _OPEN_CLIP[name]
        return dict(known.convert_open_clip_checkpoint(text_model, part, prefix=prefix))
    return {}


def _unet_of(file: Mapping[str, Tensor], *, ema: bool) -> dict[str, Tensor]:
    """Return the UNet's tensors by key, or those of its averaged copy instead."""
    keys = {key: key for key in file if key.startswith(_UNET)}
    if ema:  # its keys have lost their dots
        keys = {
            key: f"model_ema.{key.removeprefix('model.').replace('.', '')}"
            for key in keys
        }
    return {key: file[there] for key, there in keys.items()}


def _begun(file: Mapping[str, Tensor], *prefixes: str) -> dict[str, Tensor]:
    return {key: file[key] for key in file if prefixes and key.startswith(prefixes)}
