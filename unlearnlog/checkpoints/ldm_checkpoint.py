"""Single-file checkpoints in the original format, which many trainers write.

One file holds all networks, under the module names of the original Stable Diffusion
code.

Source:
    The mapping of names is that of diffusers: the converters of its
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

UNET: Final = "model.diffusion_model."
_VELOCITY: Final = "v_pred"
"""A tensor that marks a UNet that predicts velocity."""

_LAST_NORM: Final = re.compile(
    r"model\.diffusion_model\.output_blocks\.\d+\.1\.transformer_blocks\.0\.norm1\.bias"
)
_SPREAD_OF_VELOCITY: Final = 0.09

_BLOCK: Final = re.compile(r"(input_blocks|output_blocks|down|up)\.(\d+)\.")
_MOST_BLOCKS: Final = 64
"""Upper bound on the blocks of a kind; networks of the format have 12."""

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
    """Return whether a file with these keys is of the original format."""
    return any(key.startswith(UNET) for key in keys)


def has_averaged(keys: Iterable[str]) -> bool:
    """Return whether the file has an averaged copy of the UNet, too."""
    return any(key.startswith("model_ema.diffusion_model") for key in keys)


def predicted_by(keys: Container[str], metadata: Mapping[str, str]) -> str:
    """Return the prediction type of a file's UNet; empty where it is unknown.

    Some trainers write it to the metadata of the modelspec, others mark it by a tensor.

    Source:
        github.com/Stability-AI/ModelSpec, ``modelspec.prediction_type``.
    """
    recorded = metadata.get("modelspec.prediction_type", "").lower()
    if recorded.startswith("v") or _VELOCITY in keys:
        return "v_prediction"
    return "epsilon" if recorded.startswith("eps") else ""


def seems_velocity(file: Mapping[str, Tensor]) -> bool:
    """Return whether a Stable Diffusion 2 predicts velocity, by its last norm's biases.

    Files of the model say nothing about it; the biases of the two kinds differ.

    Source:
        github.com/comfyanonymous/ComfyUI, ``supported_models.SD20.model_type``: the
        tensor and the threshold.
    """
    found = [key for key in file if _LAST_NORM.fullmatch(key)]
    if not found:
        return False
    last = max(found, key=lambda key: int(key.split(".")[3]))
    spread = file[last].float().std(unbiased=False)
    return bool(spread > _SPREAD_OF_VELOCITY)


def too_many_blocks(keys: Iterable[str]) -> str:
    """Return which blocks are more than any network has; empty where none are.

    Diffusers reads all keys for each block, which takes hours for very many blocks.
    """
    numbers: dict[str, set[str]] = {}
    for key in keys:
        for kind, number in _BLOCK.findall(key):
            numbers.setdefault(kind, set()).add(number)
    excess = (
        f"{len(found)} blocks called {kind}"
        for kind, found in numbers.items()
        if len(found) > _MOST_BLOCKS
    )
    return next(excess, "")


def networks_of(
    file: Mapping[str, Tensor], configs: Mapping[str, Mapping[str, Any]], *, ema: bool
) -> dict[str, dict[str, Tensor]]:
    """Return the tensors of each network in a file, by today's names.

    Args:
        file: Tensors by key.
        configs: Configurations of the base's networks, by component; others are not
            returned.
        ema: Whether to take the averaged copy of the UNet.

    Raises:
        KeyError: The networks are not those of the configurations.
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
    """Return the tensors of one network; empty where the file has none."""
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
    keys = {key: key for key in file if key.startswith(UNET)}
    if ema:  # its keys have lost their dots
        keys = {
            key: f"model_ema.{key.removeprefix('model.').replace('.', '')}"
            for key in keys
        }
    return {key: file[there] for key, there in keys.items()}


def _begun(file: Mapping[str, Tensor], *prefixes: str) -> dict[str, Tensor]:
    return {key: file[key] for key in file if prefixes and key.startswith(prefixes)}
